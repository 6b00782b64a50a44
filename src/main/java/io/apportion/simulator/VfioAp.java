package io.apportion.simulator;

import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The driver vfio_ap of Linux 7.2: mdevs, what is assigned to them, and how guests lose and get queues.
 *
 * <p>In every operation guests lose access first and resets follow. Whatever concerns all mdevs takes the newest first.
 *
 * <p>A queue counts as linked to an mdev when it is bound and in the mdev's matrix; the kernel keeps a table of those
 * beside each mdev, which is always the same set.
 */
final class VfioAp {

    private static final int INSTANCES = 65536;

    private final QueueDevices devices;
    private final ApHardware hardware;
    private final KernelEffects effects;
    private final BoundQueues bound;

    private final SequencedMap<UUID, MatrixMdev> newestFirst = new LinkedHashMap<>();

    /** The driver's own copy of the host configuration: an old one until the bus is about to scan a new one. */
    private Matrix host;

    VfioAp(QueueDevices devices, ApHardware hardware, KernelEffects effects) {
        this.devices = devices;
        this.hardware = hardware;
        this.effects = effects;
        this.bound = new BoundQueues(devices, hardware, effects);
        this.host = hardware.configuration();
    }

    BoundQueues bound() {
        return bound;
    }

    /** A view, newest first. */
    Collection<MatrixMdev> mdevs() {
        return newestFirst.sequencedValues();
    }

    @Nullable
    MatrixMdev find(UUID uuid) {
        return newestFirst.get(uuid);
    }

    /** @throws KernelRefusal ENOENT */
    MatrixMdev mdev(UUID uuid) throws KernelRefusal {
        @Nullable MatrixMdev mdev = find(uuid);
        if (mdev == null) {
            throw Errno.ENOENT.at(uuid);
        }
        return mdev;
    }

    // Life of an mdev.

    /** @throws KernelRefusal EEXIST, EUSERS */
    void create(UUID uuid) throws KernelRefusal {
        if (newestFirst.containsKey(uuid)) {
            throw Errno.EEXIST.at(uuid);
        }
        if (newestFirst.size() == INSTANCES) {
            throw Errno.EUSERS.at(uuid);
        }
        int maxAdapter = hardware.apxa ? hardware.maxAdapter : 63;
        int maxDomain = hardware.apxa ? hardware.maxDomain : 15;
        newestFirst.putFirst(uuid, new MatrixMdev(uuid, maxAdapter, maxDomain));
        effects.uevent();
    }

    /**
     * Takes the mdev away, from a guest too: the kernel asks userspace to let go and waits; here userspace does so at
     * once. The guest's masks are cleared by the request and again by the release, and each queue is reset twice.
     */
    void remove(MatrixMdev mdev) {
        if (mdev.open) {
            clear(mdev);
            release(mdev);
        }
        resetQueues(mdev);
        newestFirst.remove(mdev.uuid);
        effects.uevent();
    }

    /**
     * Gives the guest the shadow as it stands; no filter is run. A guest without crypto control block gets nothing, ever.
     *
     * @param kvm null: whoever opens it is no virtual machine
     * @throws KernelRefusal EBUSY, EINVAL, EPERM: that guest has an mdev
     */
    void open(MatrixMdev mdev, @Nullable Kvm kvm) throws KernelRefusal {
        if (mdev.open) {
            throw Errno.EBUSY.at(mdev.uuid);
        }
        if (kvm == null) {
            throw Errno.EINVAL.at(mdev.uuid);
        }
        if (kvm.crypto) {
            if (kvm.hook != null) {
                throw Errno.EPERM.at(mdev.uuid);
            }
            kvm.hook = mdev;
            mdev.kvm = kvm;
            commit(mdev);
        }
        mdev.open = true;
    }

    /**
     * The guest lets go. The shadow stays as it is, for the next guest.
     *
     * @throws KernelRefusal EINVAL: nobody has it open
     */
    void close(MatrixMdev mdev) throws KernelRefusal {
        requireOpen(mdev);
        release(mdev);
    }

    private void release(MatrixMdev mdev) {
        @Nullable Kvm kvm = mdev.kvm;
        if (kvm != null) {
            clear(mdev);
            resetQueues(mdev);
            kvm.hook = null;
            mdev.kvm = null;
        }
        mdev.open = false;
    }

    /**
     * VFIO_DEVICE_RESET.
     *
     * @throws KernelRefusal EINVAL: nobody has it open; EIO: a reset did not end with status 00
     */
    void reset(MatrixMdev mdev) throws KernelRefusal {
        requireOpen(mdev);
        if (!resetQueues(mdev)) {
            throw Errno.EIO.at(mdev.uuid);
        }
    }

    private static void requireOpen(MatrixMdev mdev) throws KernelRefusal {
        if (!mdev.open) {
            throw Errno.EINVAL.at(mdev.uuid);
        }
    }

    // What is assigned.

    /** @throws KernelRefusal EINVAL, ERANGE, ENODEV, EADDRNOTAVAIL, EADDRINUSE */
    void assignAdapter(MatrixMdev mdev, String text) throws KernelRefusal {
        assign(mdev, adapters(number(text, mdev.maxAdapter)));
    }

    /** @throws KernelRefusal EINVAL, ERANGE, ENODEV, EADDRNOTAVAIL, EADDRINUSE */
    void assignDomain(MatrixMdev mdev, String text) throws KernelRefusal {
        assign(mdev, domains(number(text, mdev.maxDomain)));
    }

    /**
     * Control domains are nobody's: there is nothing to check.
     *
     * @throws KernelRefusal EINVAL, ERANGE, ENODEV
     */
    void assignControlDomain(MatrixMdev mdev, String text) throws KernelRefusal {
        Matrix one = controlDomains(number(text, mdev.maxDomain));
        if (!one.isIn(mdev.matrix)) {
            mdev.matrix = mdev.matrix.or(one);
            Matrix before = mdev.shadow;
            mdev.filterControlDomains(host);
            commitIfChanged(mdev, before);
        }
    }

    /** @throws KernelRefusal EINVAL, ERANGE, ENODEV */
    void unassignAdapter(MatrixMdev mdev, String text) throws KernelRefusal {
        unassign(mdev, adapters(number(text, mdev.maxAdapter)));
    }

    /** @throws KernelRefusal EINVAL, ERANGE, ENODEV */
    void unassignDomain(MatrixMdev mdev, String text) throws KernelRefusal {
        unassign(mdev, domains(number(text, mdev.maxDomain)));
    }

    /** @throws KernelRefusal EINVAL, ERANGE, ENODEV */
    void unassignControlDomain(MatrixMdev mdev, String text) throws KernelRefusal {
        unassign(mdev, controlDomains(number(text, mdev.maxDomain)));
    }

    /**
     * {@code ap_config}: removed adapters go, then removed domains, then what is new comes. A guest sees up to three
     * commits. Writing what is there already runs the filter, unlike the attributes for one number.
     *
     * @throws KernelRefusal EINVAL, EADDRNOTAVAIL, EADDRINUSE, ENODEV; in this order, unlike for one number
     */
    void configure(MatrixMdev mdev, String text) throws KernelRefusal {
        Matrix wanted = KernelText.parseConfiguration(text);
        refuseReservedOrShared(mdev, wanted);
        Matrix limits =
                new Matrix(ApMask.upTo(mdev.maxAdapter), ApMask.upTo(mdev.maxDomain), ApMask.upTo(mdev.maxDomain));
        if (!wanted.isIn(limits)) {
            throw Errno.ENODEV.at(mdev.uuid);
        }
        Matrix removed = mdev.matrix.minus(wanted);
        unplug(mdev, new Matrix(removed.adapters(), ApMask.NONE, ApMask.NONE));
        unplug(mdev, new Matrix(ApMask.NONE, removed.domains(), ApMask.NONE));
        mdev.matrix = wanted;
        refilter(mdev, true, true);
    }

    private void assign(MatrixMdev mdev, Matrix one) throws KernelRefusal {
        if (one.isIn(mdev.matrix)) {
            return;
        }
        Matrix wanted = mdev.matrix.or(one);
        refuseReservedOrShared(mdev, wanted);
        mdev.matrix = wanted;
        refilter(mdev, true, false);
    }

    /** Runs no filter: an adapter that only this domain held back stays out. */
    private void unassign(MatrixMdev mdev, Matrix one) {
        if (one.isIn(mdev.matrix)) {
            mdev.matrix = mdev.matrix.minus(one);
            unplug(mdev, one);
        }
    }

    /** The whole matrix is judged, not only what is new in it (vfio_ap_mdev_validate_masks). */
    private void refuseReservedOrShared(MatrixMdev mdev, Matrix wanted) throws KernelRefusal {
        if (devices.reservesAnyOf(wanted)) {
            throw Errno.EADDRNOTAVAIL.at(mdev.uuid);
        }
        for (MatrixMdev other : mdevs()) {
            if (other != mdev && other.matrix.sharesQueueWith(wanted)) {
                throw Errno.EADDRINUSE.at(mdev.uuid);
            }
        }
    }

    private static int number(String text, int max) throws KernelRefusal {
        long number = KernelText.parseNumber(text);
        if (Long.compareUnsigned(number, max) > 0) {
            throw Errno.ENODEV.at(text);
        }
        return (int) number;
    }

    private static Matrix adapters(int adapter) {
        return new Matrix(ApMask.of(adapter), ApMask.NONE, ApMask.NONE);
    }

    private static Matrix domains(int domain) {
        return new Matrix(ApMask.NONE, ApMask.of(domain), ApMask.NONE);
    }

    private static Matrix controlDomains(int domain) {
        return new Matrix(ApMask.NONE, ApMask.NONE, ApMask.of(domain));
    }

    // What the bus asks and tells.

    /** Whether any mdev has a queue of adapters × domains. The bus asks before it reserves queues. */
    boolean isInUse(ApMask adapters, ApMask domains) {
        Matrix asked = new Matrix(adapters, domains, ApMask.NONE);
        return mdevs().stream().anyMatch(mdev -> mdev.matrix.sharesQueueWith(asked));
    }

    /** A queue was just bound to the driver (vfio_ap_mdev_probe_queue). */
    void probe(Queue queue) {
        bound.forgetReset(queue);
        @Nullable MatrixMdev owner = owner(queue);
        // What a scan adds is plugged in one commit when the scan is complete. Control domains do not count.
        if (owner != null
                && owner.added.adapters().isEmpty()
                && owner.added.domains().isEmpty()) {
            refilter(owner, true, false);
        }
    }

    /** A queue is being taken from the driver, and still bound to it (vfio_ap_mdev_remove_queue). */
    void remove(Queue queue) {
        @Nullable MatrixMdev owner = owner(queue);
        if (owner != null && owner.shadow.hasQueue(queue.adapter(), queue.domain())) {
            owner.shadow = owner.shadow.minus(adapters(queue.adapter()));
            commit(owner);
            bound.reset(queue.adapter(), owner.shadow.domains());
        } else if (host.hasQueue(queue.adapter(), queue.domain())) {
            bound.reset(queue);
        }
    }

    /** The host configuration is another, and no device has moved yet (vfio_ap_on_cfg_changed). */
    void configurationChanged(Matrix before, Matrix now) {
        Matrix removed = before.minus(now);
        for (MatrixMdev mdev : mdevs()) {
            Matrix shadow = mdev.shadow;
            mdev.shadow = shadow.minus(removed);
            commitIfChanged(mdev, shadow);
        }
        Matrix added = now.minus(before);
        ApMask untaken = adaptersNotTaken(added);
        Matrix taken = new Matrix(added.adapters().minus(untaken), added.domains(), added.controlDomains());
        for (MatrixMdev mdev : mdevs()) {
            mdev.added = mdev.matrix.and(taken);
        }
        host = now;
    }

    /** Too old, or not telling their type. Only queues of added domains are asked (vfio_ap_filter_apid_by_qtype). */
    private ApMask adaptersNotTaken(Matrix added) {
        return ApMask.of(added.adapters()
                .numbers()
                .filter(a -> added.domains().numbers().anyMatch(d -> !isTaken(new Queue(a, d))))
                .toArray());
    }

    private boolean isTaken(Queue queue) {
        return switch (hardware.tapq(queue)) {
            case ApHardware.NORMAL,
                    ApHardware.RESET_IN_PROGRESS,
                    ApHardware.DECONFIGURED,
                    ApHardware.CHECKSTOPPED,
                    ApHardware.BUSY -> hardware.type(queue.adapter()) >= ApHardware.CEX4;
            default -> false;
        };
    }

    /** All devices of a changed configuration have moved (vfio_ap_on_scan_complete). */
    void scanComplete() {
        for (MatrixMdev mdev : mdevs()) {
            Matrix added = mdev.added;
            boolean queues = !added.adapters().isEmpty() || !added.domains().isEmpty();
            refilter(mdev, queues, !added.controlDomains().isEmpty());
            mdev.added = Matrix.EMPTY;
        }
    }

    /** {@code status} of a queue that is bound to the driver. */
    String status(Queue queue) {
        @Nullable MatrixMdev owner = owner(queue);
        return owner == null ? "unassigned" : owner.status(queue.adapter(), queue.domain());
    }

    private @Nullable MatrixMdev owner(Queue queue) {
        for (MatrixMdev mdev : mdevs()) {
            if (mdev.matrix.hasQueue(queue.adapter(), queue.domain())) {
                return mdev;
            }
        }
        return null;
    }

    // What guests lose and get.

    /** Filters, commits once if that changed anything, and resets what fell out for the lack of a queue. */
    private void refilter(MatrixMdev mdev, boolean queues, boolean controlDomains) {
        Matrix before = mdev.shadow;
        ApMask lost = queues ? mdev.filterQueues(host, bound) : ApMask.NONE;
        if (controlDomains) {
            mdev.filterControlDomains(host);
        }
        commitIfChanged(mdev, before);
        lost.forEach(adapter -> bound.reset(adapter, mdev.shadow.domains()));
    }

    /** Takes these out of the shadow, as far as they are in it, and resets the queues that the guest thereby loses. */
    private void unplug(MatrixMdev mdev, Matrix lost) {
        Matrix before = mdev.shadow;
        mdev.shadow = before.minus(lost);
        commitIfChanged(mdev, before);
        before.adapters().forEach(adapter -> {
            boolean whole = lost.adapters().has(adapter);
            bound.reset(adapter, whole ? before.domains() : before.domains().and(lost.domains()));
        });
    }

    private boolean resetQueues(MatrixMdev mdev) {
        boolean allNormal = true;
        ApMask adapters = mdev.matrix.adapters();
        for (int a = adapters.next(0); a >= 0; a = adapters.next(a + 1)) {
            allNormal &= bound.reset(a, mdev.matrix.domains());
        }
        return allNormal;
    }

    private void commitIfChanged(MatrixMdev mdev, Matrix before) {
        if (!mdev.shadow.equals(before)) {
            commit(mdev);
        }
    }

    /** vfio_ap_mdev_update_guest_apcb: the guest, if there is one, has the shadow. */
    private void commit(MatrixMdev mdev) {
        @Nullable Kvm guest = mdev.kvm;
        if (guest != null) {
            Matrix before = guest.controlBlock;
            guest.controlBlock = mdev.shadow;
            effects.committed(mdev, guest, before);
        }
    }

    private void clear(MatrixMdev mdev) {
        @Nullable Kvm guest = mdev.kvm;
        if (guest != null) {
            Matrix before = guest.controlBlock;
            guest.controlBlock = Matrix.EMPTY;
            effects.cleared(mdev, guest, before);
        }
    }
}
