package io.apportion.agent.sysfs;

import io.apportion.ap.Queue;
import java.nio.file.Path;
import java.util.UUID;

/** Where everything is below {@code /sys} and {@code /dev}. */
final class Tree {

    static final String VFIO_AP = "vfio_ap";

    /** The host's own driver of all queues that vfio_ap could have too. */
    static final String ZCRYPT = "cex4queue";

    private final Path bus;
    private final Path devices;
    private final Path parent;
    private final Path vfio;

    Tree(SysfsSettings settings) {
        bus = settings.sys().resolve("bus/ap");
        devices = settings.sys().resolve("devices/ap");
        parent = settings.sys().resolve("devices/vfio_ap/matrix");
        vfio = settings.dev().resolve("vfio");
    }

    Path bus(String name) {
        return bus.resolve(name);
    }

    Path driver(String driver, String attribute) {
        return bus.resolve("drivers", driver, attribute);
    }

    Path card(int adapter) {
        return devices.resolve("card%02x".formatted(adapter));
    }

    Path queue(Queue queue) {
        return card(queue.adapter()).resolve(queue.toString());
    }

    /** The device whose children are the mdevs; there only while the driver is loaded. */
    Path parent() {
        return parent;
    }

    Path create() {
        return parent.resolve("mdev_supported_types/vfio_ap-passthrough/create");
    }

    Path mdev(UUID uuid) {
        return parent.resolve(uuid.toString());
    }

    Path vfio(String name) {
        return vfio.resolve(name);
    }
}
