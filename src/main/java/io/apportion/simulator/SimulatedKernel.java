package io.apportion.simulator;

import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The AP bus and vfio_ap of Linux 7.2.13 at the level of sysfs: each write is the text that a shell would echo, each
 * read the text that it would print, each refusal the kernel's errno. A refused write changes nothing.
 *
 * <p>Not safe for use by more than one thread. What a write costs here says nothing of its cost in the kernel, which
 * looks up the device of every pair of a matrix.
 */
final class SimulatedKernel {

    private static final Pattern UUID_TEXT =
            Pattern.compile("\\p{XDigit}{8}-\\p{XDigit}{4}-\\p{XDigit}{4}-\\p{XDigit}{4}-\\p{XDigit}{12}");
    private static final int UUID_LENGTH = 36;

    private final QueueDevices devices;
    private final VfioAp vfioAp;
    private final ApBus bus;

    /** Boots: the first bus scan binds every queue. The masks are the kernel's parameters. */
    SimulatedKernel(ApHardware hardware, ApMask apmask, ApMask aqmask, KernelEffects effects) {
        devices = new QueueDevices(apmask, aqmask);
        vfioAp = new VfioAp(devices, hardware, effects);
        bus = new ApBus(devices, hardware, vfioAp, effects);
        bus.scan();
    }

    QueueDevices devices() {
        return devices;
    }

    VfioAp vfioAp() {
        return vfioAp;
    }

    ApBus bus() {
        return bus;
    }

    /**
     * {@code mdev_supported_types/vfio_ap-passthrough/create}: a UUID and perhaps one more character, which is never
     * looked at.
     *
     * @throws KernelRefusal EINVAL, EEXIST, EUSERS
     */
    void create(String text) throws KernelRefusal {
        boolean length = text.length() == UUID_LENGTH || text.length() == UUID_LENGTH + 1;
        if (!length || !UUID_TEXT.matcher(text.substring(0, UUID_LENGTH)).matches()) {
            throw Errno.EINVAL.at("create");
        }
        vfioAp.create(UUID.fromString(text.substring(0, UUID_LENGTH)));
    }

    /** {@code remove}. If a guest has the mdev, userspace lets go of it at once, where a real one may block for ever. */
    void remove(UUID uuid) throws KernelRefusal {
        vfioAp.remove(vfioAp.mdev(uuid));
    }

    /** @see VfioAp#open */
    void open(UUID uuid, @Nullable Kvm kvm) throws KernelRefusal {
        vfioAp.open(vfioAp.mdev(uuid), kvm);
    }

    /** @see VfioAp#close */
    void close(UUID uuid) throws KernelRefusal {
        vfioAp.close(vfioAp.mdev(uuid));
    }

    /** @see VfioAp#reset */
    void reset(UUID uuid) throws KernelRefusal {
        vfioAp.reset(vfioAp.mdev(uuid));
    }

    /**
     * Writes one attribute of an mdev.
     *
     * @throws KernelRefusal ENOENT: no such mdev or attribute; EACCES: read only; and what the attribute says
     */
    void write(UUID uuid, String attribute, String text) throws KernelRefusal {
        MatrixMdev mdev = vfioAp.mdev(uuid);
        switch (attribute) {
            case "assign_adapter" -> vfioAp.assignAdapter(mdev, text);
            case "assign_domain" -> vfioAp.assignDomain(mdev, text);
            case "assign_control_domain" -> vfioAp.assignControlDomain(mdev, text);
            case "unassign_adapter" -> vfioAp.unassignAdapter(mdev, text);
            case "unassign_domain" -> vfioAp.unassignDomain(mdev, text);
            case "unassign_control_domain" -> vfioAp.unassignControlDomain(mdev, text);
            case "ap_config" -> vfioAp.configure(mdev, text);
            case "matrix", "guest_matrix", "control_domains" -> throw Errno.EACCES.at(attribute);
            default -> throw Errno.ENOENT.at(attribute);
        }
    }

    /**
     * Reads one attribute of an mdev.
     *
     * @throws KernelRefusal ENOENT: no such mdev or attribute; EACCES: write only
     */
    String show(UUID uuid, String attribute) throws KernelRefusal {
        MatrixMdev mdev = vfioAp.mdev(uuid);
        return switch (attribute) {
            case "matrix" -> KernelText.queues(mdev.matrix);
            case "guest_matrix" -> KernelText.queues(mdev.shadow);
            case "control_domains" -> KernelText.domains(mdev.matrix.controlDomains());
            case "ap_config" -> KernelText.configuration(mdev.matrix);
            case "assign_adapter",
                    "assign_domain",
                    "assign_control_domain",
                    "unassign_adapter",
                    "unassign_domain",
                    "unassign_control_domain" -> throw Errno.EACCES.at(attribute);
            default -> throw Errno.ENOENT.at(attribute);
        };
    }

    /** {@code features} of the parent device. */
    String features() {
        return "guest_matrix hotplug ap_config\n";
    }

    /**
     * {@code status} of a queue.
     *
     * @throws KernelRefusal ENOENT: the queue is not bound to vfio_ap
     */
    String status(Queue queue) throws KernelRefusal {
        if (!vfioAp.bound().of(queue.adapter()).has(queue.domain())) {
            throw Errno.ENOENT.at(queue);
        }
        return vfioAp.status(queue) + "\n";
    }

    /**
     * Reads one attribute of the bus.
     *
     * @throws KernelRefusal ENOENT
     */
    String showBus(String attribute) throws KernelRefusal {
        return switch (attribute) {
            case "apmask" -> devices.apmask + "\n";
            case "aqmask" -> devices.aqmask + "\n";
            case "ap_max_adapter_id" -> bus.maxAdapter() + "\n";
            case "ap_max_domain_id" -> bus.maxDomain() + "\n";
            default -> throw Errno.ENOENT.at(attribute);
        };
    }

    /** @see ApBus#writeApmask */
    void writeApmask(String text) throws KernelRefusal {
        bus.writeApmask(text);
    }

    /** @see ApBus#writeAqmask */
    void writeAqmask(String text) throws KernelRefusal {
        bus.writeAqmask(text);
    }

    /** @see ApBus#override */
    void override(Queue queue, String text) throws KernelRefusal {
        bus.override(queue, text);
    }

    /** @see ApBus#bind */
    void bind(Queue queue, String driver) throws KernelRefusal {
        bus.bind(queue, driver);
    }

    /** @see ApBus#unbind */
    void unbind(Queue queue, String driver) throws KernelRefusal {
        bus.unbind(queue, driver);
    }

    /** What the kernel does every 30 s, and at once when the machine tells it of a change. */
    void scan() {
        bus.scan();
    }
}
