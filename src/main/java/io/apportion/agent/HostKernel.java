package io.apportion.agent;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.wire.ObservedHost;
import java.time.Duration;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The AP bus and vfio_ap of one host: all that the agent may read and do. Each write is one write to one attribute; it is
 * done when the method returns, or refused and nothing changed.
 *
 * <p>Beside the errnos named at each: ETIMEDOUT, the kernel does not come back; EBUSY, an earlier write to the same mdev, or
 * to the bus, has not come back; EAGAIN, somebody else on the host is changing things.
 *
 * <p>Callers read and write from one thread at a time.
 */
public interface HostKernel extends AutoCloseable {

    /** As long as it is open, nobody else who heeds the host's lock changes anything, and no write waits for anybody. */
    interface Exclusion extends AutoCloseable {

        /** Whether somebody else had the lock: what was read of the host before may not be so any more. */
        boolean waited();

        @Override
        void close();
    }

    /**
     * To be taken before the look that a write depends on, since to wait between the two could make the look worthless. A
     * write without it takes it for itself. Good for the thread that takes it, and as often as it likes.
     *
     * @throws KernelRefusal EAGAIN: somebody else has the lock for too long
     */
    Exclusion exclude() throws KernelRefusal;

    /** The running boot; another one after each reboot. */
    String bootId();

    /** Which machine this is, over reboots. */
    String machineId();

    /** Waits, at most so long, until the bus has bound every queue device to its driver after a boot. */
    void awaitBindings(Duration atMost) throws InterruptedException;

    /**
     * Everything, read now. {@code own} is false for every mdev, {@code keep} is empty and {@code applied} is null: the
     * agent adds these. Whoever holds an mdev is read after its masks, so that a guest that is shown has at least those.
     */
    ObservedHost read();

    /**
     * Who holds the mdev open at this moment; null where that cannot be seen. Read just before each write to an mdev.
     *
     * @throws KernelRefusal the kernel does not answer
     */
    ObservedHost.@Nullable ObservedGuest guestOf(UUID mdev) throws KernelRefusal;

    /** EEXIST, EUSERS. The new mdev has no adapter and no domain. */
    void create(UUID mdev) throws KernelRefusal;

    /**
     * ENOENT, EBUSY: a guest holds it, or may. Never call it for an mdev that is known to be held: the write would block
     * until the guest lets go.
     */
    void remove(UUID mdev) throws KernelRefusal;

    /** {@code ap_config}: all three masks in one write, all or nothing. EADDRNOTAVAIL, EADDRINUSE, ENODEV. */
    void configure(UUID mdev, Matrix matrix) throws KernelRefusal;

    /** The single-number attributes, for kernels without {@code ap_config}. */
    void assignAdapter(UUID mdev, int adapter) throws KernelRefusal;

    void unassignAdapter(UUID mdev, int adapter) throws KernelRefusal;

    void assignDomain(UUID mdev, int domain) throws KernelRefusal;

    void unassignDomain(UUID mdev, int domain) throws KernelRefusal;

    void assignControlDomain(UUID mdev, int domain) throws KernelRefusal;

    void unassignControlDomain(UUID mdev, int domain) throws KernelRefusal;

    /** Takes the queue from its driver, whichever that is. ENODEV when it has none. */
    void unbind(Queue queue) throws KernelRefusal;

    /** Binds a driverless queue to vfio_ap (true) or to the host's own driver (false). ENODEV, EBUSY. */
    void bind(Queue queue, boolean vfioAp) throws KernelRefusal;

    /** {@code driver_override}: vfio_ap (true), or cleared (false). Changes no binding by itself. EINVAL. */
    void override(Queue queue, boolean vfioAp) throws KernelRefusal;

    /** One relative list to {@code apmask}: clears these bits, or sets them. EBUSY, EINVAL. */
    void changeApmask(ApMask bits, boolean set) throws KernelRefusal;

    /** One relative list to {@code aqmask}. */
    void changeAqmask(ApMask bits, boolean set) throws KernelRefusal;

    /** Calls back, on any thread and perhaps too often, when something on the host may have changed. */
    void onChange(Runnable changed);

    @Override
    void close();
}
