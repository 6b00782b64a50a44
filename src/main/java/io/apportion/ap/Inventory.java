package io.apportion.ap;

import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a host's newest report says of its AP bus.
 *
 * @param reported false: no agent ever reported, and everything else is empty or unlimited
 * @param hotPlug the host's mdevs have {@code guest_matrix}: a running guest's matrix can change
 * @param seesGuests the host's agent sees who holds an mdev open; otherwise attaching is told through the API
 * @param maxAdapter highest adapter number of the machine, 0..255
 * @param maxDomain highest domain and control domain number of the machine, 0..255
 * @param masks what the host keeps for its own drivers now, whoever set it
 * @param keep adapters and domains that the host's administrator never lets Apportion touch
 * @param devices queues that exist as devices
 * @param bound those bound to vfio_ap
 * @param defaultDriver those bound to one of the host's own drivers
 * @param overridden those with a driver_override
 * @param impaired those that are useless although present: deconfigured, check-stopped, or broken
 * @param foreign the mdevs that Apportion did not make
 */
public record Inventory(
        boolean reported,
        boolean hotPlug,
        boolean seesGuests,
        int maxAdapter,
        int maxDomain,
        Matrix hostConfiguration,
        Reservation masks,
        Keep keep,
        QueueSet devices,
        QueueSet bound,
        QueueSet defaultDriver,
        QueueSet overridden,
        QueueSet impaired,
        Map<UUID, ForeignMdev> foreign) {

    public static final Inventory NEVER_REPORTED = new Inventory(
            false,
            true,
            false,
            255,
            255,
            Matrix.EMPTY,
            new Reservation(ApMask.NONE, ApMask.NONE),
            Keep.NOTHING,
            QueueSet.NONE,
            QueueSet.NONE,
            QueueSet.NONE,
            QueueSet.NONE,
            QueueSet.NONE,
            Map.of());

    /**
     * One that Apportion did not make, as it was read.
     *
     * @param guest null: nobody holds it, or nobody can tell
     */
    public record ForeignMdev(
            Matrix assigned, Matrix guestMatrix, @Nullable Guest guest) {}

    Inventory withoutForeign(UUID mdev) {
        Map<UUID, ForeignMdev> others = new HashMap<>(foreign);
        others.remove(mdev);
        return new Inventory(
                reported,
                hotPlug,
                seesGuests,
                maxAdapter,
                maxDomain,
                hostConfiguration,
                masks,
                keep,
                devices,
                bound,
                defaultDriver,
                overridden,
                impaired,
                Map.copyOf(others));
    }

    /** What the host's administrator keeps: every queue whose adapter or whose domain is named. */
    public record Keep(ApMask adapters, ApMask domains) {

        public static final Keep NOTHING = new Keep(ApMask.NONE, ApMask.NONE);

        public boolean names(int adapter, int domain) {
            return adapters.has(adapter) || domains.has(domain);
        }
    }
}
