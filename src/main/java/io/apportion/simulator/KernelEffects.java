package io.apportion.simulator;

import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;

/** What the simulated kernel does to guests and hardware while it serves a write, told in the order in which it happens. */
interface KernelEffects {

    /**
     * The masks of the guest's control block were set (kvm_arch_crypto_set_masks), all three at once.
     *
     * @param before what the control block held until then
     */
    void committed(MatrixMdev mdev, Kvm guest, Matrix before);

    /** The masks of the guest's control block were all set to zero (kvm_arch_crypto_clear_masks). */
    void cleared(MatrixMdev mdev, Kvm guest, Matrix before);

    /** vfio_ap issued one reset (ZAPQ). */
    void reset(Queue queue);

    /** The queue came to vfio_ap. */
    void bound(Queue queue);

    /** The queue was taken from vfio_ap. */
    void unbound(Queue queue);

    /** The kernel printed a warning. */
    void warned();

    /** The kernel told userspace through netlink: a device came, went, was bound or unbound, or a mask changed. */
    void uevent();
}
