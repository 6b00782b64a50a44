package io.apportion.simulator;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One mediated device: what is assigned to it, and its shadow, which is what its guest has or would get.
 *
 * <p>The shadow is a value with a history: always a part of what the filter would make of the matrix, but not everything
 * that changes the matrix or the bus runs the filter.
 */
final class MatrixMdev {

    final UUID uuid;

    /** Fixed when the mdev is made, whatever becomes of the host. */
    final int maxAdapter;

    /** For usage domains and for control domains. */
    final int maxDomain;

    Matrix matrix = Matrix.EMPTY;
    Matrix shadow = Matrix.EMPTY;

    /** What the host gains in the bus scan that is going on, as far as it is assigned; empty outside of a scan. */
    Matrix added = Matrix.EMPTY;

    /** Userspace has the vfio device open. */
    boolean open;

    /** The guest that gets the shadow; may be null while {@link #open}. */
    @Nullable
    Kvm kvm;

    MatrixMdev(UUID uuid, int maxAdapter, int maxDomain) {
        this.uuid = uuid;
        this.maxAdapter = maxAdapter;
        this.maxDomain = maxDomain;
    }

    /**
     * Makes the shadow's adapters and domains anew from the matrix (vfio_ap_mdev_filter_matrix): what the host has, less
     * each adapter that lacks a queue for one of those domains.
     *
     * @return the adapters that the shadow loses for the lack of a queue; their queues are to be reset
     */
    ApMask filterQueues(Matrix host, BoundQueues bound) {
        ApMask adapters = matrix.adapters().and(host.adapters());
        ApMask domains = matrix.domains().and(host.domains());
        ApMask dropped = ApMask.NONE;
        for (int a = adapters.next(0); a >= 0; a = adapters.next(a + 1)) {
            if (!bound.arePassable(a, domains)) {
                dropped = dropped.with(a);
            }
        }
        ApMask lost = dropped.and(shadow.adapters());
        shadow = new Matrix(adapters.minus(dropped), domains, shadow.controlDomains());
        return lost;
    }

    /** Makes the shadow's control domains anew (vfio_ap_mdev_filter_cdoms). */
    void filterControlDomains(Matrix host) {
        shadow = new Matrix(
                shadow.adapters(), shadow.domains(), matrix.controlDomains().and(host.controlDomains()));
    }

    /** The queue's {@code status}. */
    String status(int adapter, int domain) {
        return kvm != null && shadow.hasQueue(adapter, domain) ? "in use" : "assigned";
    }
}
