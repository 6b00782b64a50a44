package io.apportion.simulator;

import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The AP bus of Linux 7.2: which queue devices there are, and which driver each has. */
final class ApBus {

    private static final int NO_CARD = 0;

    private final QueueDevices devices;
    private final ApHardware hardware;
    private final VfioAp vfioAp;
    private final KernelEffects effects;

    /** The types of the card devices. */
    private final int[] cards = new int[ApMask.BITS];

    /** What the last scan read. */
    private Matrix configuration;

    /**
     * Devices with a driver_override, and one for each device that went away with its override set: those are never
     * subtracted. Probably a defect of the kernel.
     */
    private int overrides;

    ApBus(QueueDevices devices, ApHardware hardware, VfioAp vfioAp, KernelEffects effects) {
        this.devices = devices;
        this.hardware = hardware;
        this.vfioAp = vfioAp;
        this.effects = effects;
        this.configuration = hardware.configuration();
    }

    /** Unlike vfio_ap, the bus takes a highest number of zero for none at all. */
    int maxAdapter() {
        return hardware.apxa && hardware.maxAdapter != 0 ? hardware.maxAdapter : 63;
    }

    int maxDomain() {
        return hardware.apxa && hardware.maxDomain != 0 ? hardware.maxDomain : 15;
    }

    /** The host configuration as the last scan read it. */
    Matrix configuration() {
        return configuration;
    }

    /** The adapters that have a card device. */
    ApMask cards() {
        ApMask mask = ApMask.NONE;
        for (int adapter = 0; adapter < cards.length; adapter++) {
            if (cards[adapter] != NO_CARD) {
                mask = mask.with(adapter);
            }
        }
        return mask;
    }

    // The scan.

    /** ap_scan_bus: makes the devices follow the hardware. */
    void scan() {
        Matrix before = configuration;
        configuration = hardware.configuration();
        boolean changed = !configuration.equals(before);
        if (changed) {
            vfioAp.configurationChanged(before, configuration);
        }
        for (int adapter = 0; adapter <= maxAdapter(); adapter++) {
            scan(adapter);
        }
        if (changed) {
            vfioAp.scanComplete();
        }
    }

    private void scan(int adapter) {
        int type = configuration.adapters().has(adapter) ? usableType(adapter) : NO_CARD;
        if (cards[adapter] != type) {
            devices.of(adapter).forEach(this::remove);
            cards[adapter] = type;
            effects.uevent();
        }
        if (type != NO_CARD) {
            ApMask usable = configuration.domains().and(ApMask.upTo(maxDomain()));
            usable.or(devices.existing(adapter)).forEach(domain -> {
                var queue = new Queue(adapter, domain);
                scan(queue, usable.has(domain) && isUsable(queue));
            });
        }
    }

    private void scan(Queue queue, boolean usable) {
        QueueDevices.@Nullable Device device = devices.find(queue);
        if (device != null && !usable) {
            remove(device);
        } else if (device == null && usable) {
            effects.uevent();
            probe(devices.add(queue));
        }
    }

    /** The type of card that any one queue tells; none without a queue that does, or for a card older than CEX4. */
    private int usableType(int adapter) {
        boolean usable = configuration
                .domains()
                .and(ApMask.upTo(maxDomain()))
                .numbers()
                .anyMatch(domain -> isUsable(new Queue(adapter, domain)));
        int type = hardware.type(adapter);
        return usable && type >= ApHardware.CEX4 ? type : NO_CARD;
    }

    private boolean isUsable(Queue queue) {
        return switch (hardware.tapq(queue)) {
            case ApHardware.NORMAL,
                    ApHardware.RESET_IN_PROGRESS,
                    ApHardware.DECONFIGURED,
                    ApHardware.CHECKSTOPPED,
                    ApHardware.BUSY -> true;
            default -> false;
        };
    }

    private void remove(QueueDevices.Device device) {
        detach(device);
        devices.remove(device);
        effects.uevent();
    }

    // Drivers.

    /**
     * {@code bind} of a driver.
     *
     * @throws KernelRefusal ENODEV: no such device, or the driver may not have it; EBUSY: it has a driver; ENOENT: no
     *     such driver
     */
    void bind(Queue queue, String driver) throws KernelRefusal {
        ApDriver wanted = driver(driver);
        QueueDevices.@Nullable Device device = devices.find(queue);
        if (device == null) {
            throw Errno.ENODEV.at(queue);
        }
        if (device.driver() != null) {
            throw Errno.EBUSY.at(queue);
        }
        if (!device.permits(wanted)) {
            throw Errno.ENODEV.at(queue);
        }
        attach(device, wanted);
    }

    /**
     * {@code unbind} of a driver. The device stays without one: no scan gives it another.
     *
     * @throws KernelRefusal ENODEV: no such device, or the driver does not have it; ENOENT: no such driver
     */
    void unbind(Queue queue, String driver) throws KernelRefusal {
        ApDriver expected = driver(driver);
        QueueDevices.@Nullable Device device = devices.find(queue);
        if (device == null || device.driver() != expected) {
            throw Errno.ENODEV.at(queue);
        }
        detach(device);
    }

    private static ApDriver driver(String text) throws KernelRefusal {
        return Arrays.stream(ApDriver.values())
                .filter(driver -> driver.text.equals(text))
                .findFirst()
                .orElseThrow(() -> Errno.ENOENT.at(text));
    }

    /** Gives the device to the first driver that may have it. */
    private void probe(QueueDevices.Device device) {
        for (ApDriver driver : ApDriver.values()) {
            if (device.permits(driver)) {
                attach(device, driver);
                return;
            }
        }
    }

    private void attach(QueueDevices.Device device, ApDriver driver) {
        device.driver(driver);
        if (driver == ApDriver.VFIO_AP) {
            effects.bound(device.queue);
            vfioAp.probe(device.queue);
        }
        effects.uevent();
    }

    private void detach(QueueDevices.Device device) {
        @Nullable ApDriver driver = device.driver();
        if (driver == null) {
            return;
        }
        if (driver == ApDriver.VFIO_AP) {
            vfioAp.remove(device.queue);
            effects.unbound(device.queue);
        }
        // The bus resets what any driver leaves behind.
        hardware.zapq(device.queue);
        device.driver(null);
        effects.uevent();
    }

    // Whose a queue is.

    /**
     * {@code driver_override}: names the only driver that may have the device, or, if empty, leaves that to the masks. It
     * changes no binding.
     *
     * @throws KernelRefusal EINVAL: a mask is not full; ENOENT: no such device
     */
    void override(Queue queue, String text) throws KernelRefusal {
        QueueDevices.@Nullable Device device = devices.find(queue);
        if (device == null) {
            throw Errno.ENOENT.at(queue);
        }
        if (!devices.apmask.equals(ApMask.ALL) || !devices.aqmask.equals(ApMask.ALL)) {
            throw Errno.EINVAL.at(queue);
        }
        int newline = text.indexOf('\n');
        String name = newline < 0 ? text : text.substring(0, newline);
        overrides += (name.isEmpty() ? 0 : 1) - (device.override() == null ? 0 : 1);
        device.override(name.isEmpty() ? null : name);
    }

    /** @throws KernelRefusal EINVAL: not a mask, or an override is set; EBUSY: an mdev has a queue that would be taken */
    void writeApmask(String text) throws KernelRefusal {
        ApMask wanted = parse(devices.apmask, text);
        // Whatever aqmask says, all domains are taken for reserved here.
        if (vfioAp.isInUse(wanted.minus(devices.apmask), ApMask.ALL)) {
            throw Errno.EBUSY.at("apmask");
        }
        if (!wanted.equals(devices.apmask)) {
            devices.apmask = wanted;
            reviseBindings();
        }
    }

    /** @throws KernelRefusal EINVAL: not a mask, or an override is set; EBUSY: an mdev has a queue that would be taken */
    void writeAqmask(String text) throws KernelRefusal {
        ApMask wanted = parse(devices.aqmask, text);
        if (vfioAp.isInUse(ApMask.ALL, wanted.minus(devices.aqmask))) {
            throw Errno.EBUSY.at("aqmask");
        }
        if (!wanted.equals(devices.aqmask)) {
            devices.aqmask = wanted;
            reviseBindings();
        }
    }

    private ApMask parse(ApMask before, String text) throws KernelRefusal {
        if (overrides > 0) {
            throw Errno.EINVAL.at("driver_override is in use");
        }
        return KernelText.changeMask(before, text);
    }

    /**
     * Gives each device that has the wrong driver to the right one (ap_bus_revise_bindings). A device without a driver is
     * taken for one that vfio_ap has; what the kernel reads there is undefined. No device has an override here: else the
     * mask could not have changed.
     */
    private void reviseBindings() {
        for (QueueDevices.Device device : devices.all()) {
            @Nullable ApDriver driver = device.driver();
            boolean isHosts = driver != null && driver.isDefault;
            if (device.isReserved() != isHosts) {
                detach(device);
                probe(device);
            }
        }
        effects.uevent();
    }
}
