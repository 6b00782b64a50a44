package io.apportion.simulator;

import io.apportion.agent.HostKernel;
import io.apportion.agent.KernelRefusal;
import io.apportion.agent.sysfs.SysfsKernel;
import io.apportion.agent.sysfs.SysfsSettings;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.fuse.FileTree;
import io.apportion.fuse.MountedTree;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedGuest;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A simulated host as the files of a real one: {@code sys}, {@code proc}, {@code dev} and {@code etc} below one folder, with
 * names and texts as they were recorded. Made from the simulator's state at each access, and each write goes to it as text.
 */
public final class SimulatedSysfs implements FileTree, AutoCloseable {

    private static final Pattern CARD = Pattern.compile("card(\\p{XDigit}{2})");
    private static final Pattern QUEUE = Pattern.compile("\\p{XDigit}{2}\\.00\\p{XDigit}{2}");
    private static final Map<String, String> MODES =
            Map.of("Accelerator", "accel", "CCA-Coproc", "cca", "EP11-Coproc", "ep11");

    private static final String TYPE = "mdev_supported_types/vfio_ap-passthrough";
    private static final List<String> WRITE_ONLY = List.of(
            "assign_adapter",
            "assign_domain",
            "assign_control_domain",
            "unassign_adapter",
            "unassign_domain",
            "unassign_control_domain");

    private final SimulatedHost host;
    private final MountedTree mounted;
    private final Map<UUID, Integer> groups = new ConcurrentHashMap<>();

    /** Mdevs whose removal waits for a guest. */
    private final Set<UUID> leaving = ConcurrentHashMap.newKeySet();

    private final boolean characterDevices;

    /** Each write as it arrived: the path and the text. */
    public final List<String> writes = new CopyOnWriteArrayList<>();

    /** From a path to the errno with which reading it fails; null: none. Called before it is read. */
    public volatile UnaryOperator<@Nullable String> readFailure = path -> null;

    /** The open files of one process are not to be seen. */
    public volatile boolean hidesAProcess;

    /** No process of a guest is to be seen. */
    public volatile boolean hidesGuests;

    /** Called with the path of a folder before its names are made up. */
    public volatile Consumer<String> beforeListing = path -> {};

    /** What {@code bindings_complete_count} says. */
    public volatile Supplier<String> bindingsComplete = () -> "1\n";

    /** From path and text to the errno with which the write is refused; null: none. Called before the write. */
    public volatile BiFunction<String, String, @Nullable String> refusal = (path, text) -> null;

    public SimulatedSysfs(SimulatedHost host) {
        this(host, false);
    }

    /** @param characterDevices guests open the mdev's own file, not that of its group */
    public SimulatedSysfs(SimulatedHost host, boolean characterDevices) {
        this.host = host;
        this.characterDevices = characterDevices;
        this.mounted = new MountedTree(this);
    }

    /** @param locks a real folder, in which mdevctl's definitions may be too */
    public SysfsSettings settings(Path locks) {
        return settings(locks, Duration.ofSeconds(20));
    }

    public SysfsSettings settings(Path locks, Duration remove) {
        Path root = mounted.root();
        return new SysfsSettings(
                root.resolve("sys"),
                root.resolve("proc"),
                root.resolve("dev"),
                root.resolve("etc/machine-id"),
                locks.resolve("definitions"),
                locks.resolve("s390apconfig.lock"),
                locks.resolve("apportion-agent.lock"),
                new SysfsSettings.Timings(
                        Duration.ofSeconds(20),
                        remove,
                        Duration.ofSeconds(20),
                        Duration.ofSeconds(20),
                        Duration.ofMinutes(1)));
    }

    /** The port of real hosts on these files. Only what happens is told by the simulator: no kernel knows of it. */
    public HostKernel open(Path locks) throws IOException {
        SysfsKernel kernel = SysfsKernel.open(settings(locks));
        return (HostKernel) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {HostKernel.class}, (proxy, method, arguments) -> {
                    try {
                        return method.invoke(method.getName().equals("onChange") ? host : kernel, arguments);
                    } catch (InvocationTargetException failure) {
                        throw failure.getCause();
                    }
                });
    }

    @Override
    public void close() throws IOException {
        mounted.close();
    }

    // The tree.

    @Override
    public List<String> names(String path) {
        beforeListing.accept(path);
        return at(path) instanceof Folder(List<String> names) ? names : List.of();
    }

    @Override
    public @Nullable Node at(String path) {
        Node node = find(path);
        return node instanceof Attribute(Reader reader, Writer writer)
                ? new Attribute(reader == null ? null : () -> read(path, reader), writer(path, writer))
                : node;
    }

    private String read(String path, Reader reader) throws Refusal {
        String errno = readFailure.apply(path);
        if (errno != null) {
            throw new Refusal(errno);
        }
        return reader.read();
    }

    private @Nullable Writer writer(String path, @Nullable Writer writer) {
        return writer == null
                ? null
                : text -> {
                    writes.add(path + " " + text);
                    String errno = refusal.apply(path, text);
                    if (errno != null) {
                        throw new Refusal(errno);
                    }
                    writer.write(text);
                };
    }

    private @Nullable Node find(String path) {
        String[] parts = path.split("/", 3);
        if (parts.length < 3) {
            return switch (path) {
                case "" -> folder("sys", "proc", "dev", "etc");
                case "sys" -> folder("bus", "devices");
                case "sys/bus" -> folder("ap", "mdev");
                case "sys/devices" -> folder("ap", "vfio_ap");
                case "proc" -> processes();
                case "dev" -> folder("vfio", "kvm");
                case "dev/kvm" -> Attribute.of("");
                case "dev/vfio" -> vfio();
                case "etc" -> folder("machine-id");
                case "etc/machine-id" -> Attribute.of(host.machineId() + "\n");
                default -> path.startsWith("proc/") ? process(parts[1], "") : null;
            };
        }
        if (path.equals("proc/sys/kernel/osrelease")) {
            return Attribute.of("7.2.13\n");
        }
        if (path.equals("proc/sys/kernel/random/boot_id")) {
            return Attribute.of(host.bootId() + "\n");
        }
        if (path.equals("sys/bus/ap") || path.startsWith("sys/bus/ap/")) {
            return bus(path.substring(Math.min(path.length(), "sys/bus/ap/".length())));
        }
        if (path.equals("sys/devices/ap") || path.startsWith("sys/devices/ap/")) {
            return devices(path.substring(Math.min(path.length(), "sys/devices/ap/".length())));
        }
        if (path.equals("sys/devices/vfio_ap")) {
            return folder("matrix");
        }
        if (path.startsWith("sys/devices/vfio_ap/matrix")) {
            return parent(path.substring(Math.min(path.length(), "sys/devices/vfio_ap/matrix/".length())));
        }
        if (parts[0].equals("proc")) {
            return process(parts[1], parts[2]);
        }
        return path.startsWith("dev/vfio/") ? device(parts[2]) : null;
    }

    private static Folder folder(String... names) {
        return new Folder(List.of(names));
    }

    // The bus.

    private @Nullable Node bus(String path) {
        return switch (path) {
            case "" -> folder("devices", "drivers", "apmask", "aqmask", "bindings"); // and more, which nobody lists
            case "devices" ->
                new Folder(Stream.concat(
                                cards().numbers().mapToObj("card%02x"::formatted),
                                queues().stream().map(Queue::toString))
                        .toList());
            case "drivers" -> folder("cex4card", ApDriver.ZCRYPT.text, ApDriver.VFIO_AP.text);
            case "apmask", "aqmask" ->
                new Attribute(() -> refusable(kernel -> kernel.showBus(path)), text -> writeMask(path, text));
            case "ap_max_adapter_id", "ap_max_domain_id" ->
                new Attribute(() -> refusable(kernel -> kernel.showBus(path)), null);
            case "ap_adapter_mask" -> mask(configuration().adapters());
            case "ap_usage_domain_mask" -> mask(configuration().domains());
            case "ap_control_domain_mask" -> mask(configuration().controlDomains());
            case "features" -> Attribute.of("APSC APXA RC8A\n");
            case "bindings" -> Attribute.of("%1$d/%1$d (complete)\n".formatted(queues().size()));
            case "bindings_complete_count" -> new Attribute(() -> bindingsComplete.get(), null);
            default -> path.startsWith("drivers/") ? drivers(path.substring("drivers/".length())) : null;
        };
    }

    private static Attribute mask(ApMask mask) {
        return Attribute.of(mask + "\n");
    }

    private void writeMask(String mask, String text) throws Refusal {
        tell(kernel -> {
            if (mask.equals("apmask")) {
                kernel.writeApmask(text);
            } else {
                kernel.writeAqmask(text);
            }
        });
    }

    private Matrix configuration() {
        return host.ask(kernel -> kernel.bus().configuration());
    }

    private ApMask cards() {
        return host.ask(kernel -> kernel.bus().cards());
    }

    private List<Queue> queues() {
        return host.ask(kernel ->
                kernel.devices().all().stream().map(device -> device.queue).toList());
    }

    private @Nullable Node drivers(String path) {
        String[] parts = path.split("/");
        if (parts[0].equals("cex4card")) {
            return parts.length == 1
                    ? new Folder(Stream.concat(
                                    Stream.of("bind", "unbind"),
                                    cards().numbers().mapToObj("card%02x"::formatted))
                            .toList())
                    : null;
        }
        if (parts.length == 1) {
            return new Folder(Stream.concat(
                            Stream.of("bind", "unbind", "module", "uevent"),
                            queues().stream()
                                    .filter(queue -> parts[0].equals(driverOf(queue)))
                                    .map(Queue::toString))
                    .toList());
        }
        return switch (parts[1]) {
            case "bind" -> new Attribute(null, text -> tell(kernel -> kernel.bind(queue(text), parts[0])));
            case "unbind" -> new Attribute(null, text -> tell(kernel -> kernel.unbind(queue(text), parts[0])));
            default -> null;
        };
    }

    private static Queue queue(String text) throws KernelRefusal {
        if (!QUEUE.matcher(text).matches()) {
            throw Errno.ENODEV.at(text);
        }
        return Queue.parse(text);
    }

    private @Nullable String driverOf(Queue queue) {
        return host.ask(kernel -> {
            QueueDevices.@Nullable Device device = kernel.devices().find(queue);
            ApDriver driver = device == null ? null : device.driver();
            return driver == null ? null : driver.text;
        });
    }

    private @Nullable Node devices(String path) {
        if (path.isEmpty()) {
            return new Folder(cards().numbers().mapToObj("card%02x"::formatted).toList());
        }
        String[] parts = path.split("/");
        Matcher card = CARD.matcher(parts[0]);
        if (!card.matches()) {
            return null;
        }
        int adapter = Integer.parseInt(card.group(1), 16);
        if (!cards().has(adapter)) {
            return null;
        }
        if (parts.length > 1 && QUEUE.matcher(parts[1]).matches()) {
            Queue queue = Queue.parse(parts[1]);
            return queues().contains(queue) ? queue(queue, parts.length == 2 ? "" : parts[2]) : null;
        }
        return parts.length == 1
                ? new Folder(Stream.concat(
                                Stream.of("type", "uevent", "serialnr", "online", "config", "chkstop"),
                                queues().stream()
                                        .filter(queue -> queue.adapter() == adapter)
                                        .map(Queue::toString))
                        .toList())
                : card(adapter, parts[1]);
    }

    private ObservedAdapter seen(int adapter) {
        return Objects.requireNonNull(host.read().adapters()).stream()
                .filter(card -> card.adapter() == adapter)
                .findFirst()
                .orElseThrow();
    }

    private @Nullable Node card(int adapter, String attribute) {
        return switch (attribute) {
            case "type" -> Attribute.of(seen(adapter).type() + "\n");
            case "serialnr" -> Attribute.of(seen(adapter).serial() + "\n");
            case "uevent" -> {
                String mode = String.valueOf(seen(adapter).mode());
                yield Attribute.of("DEVTYPE=ap_card\nDRIVER=cex4card\nDEV_TYPE=000E\nMODALIAS=ap:t0E\nMODE="
                        + MODES.getOrDefault(mode, mode) + "\n");
            }
            case "online" -> Attribute.of("1\n");
            case "config" -> flag(seen(adapter).configured());
            case "chkstop" -> flag(seen(adapter).checkstopped());
            default -> null;
        };
    }

    private static Attribute flag(boolean on) {
        return Attribute.of(on ? "1\n" : "0\n");
    }

    private @Nullable Node queue(Queue queue, String attribute) {
        String driver = driverOf(queue);
        return switch (attribute) {
            case "" -> folder("config", "chkstop", "driver_override", "driver", "status");
            case "config" -> flag(seen(queue.adapter()).configured());
            case "chkstop" -> flag(seen(queue.adapter()).checkstopped());
            case "driver" -> driver == null ? null : new Link("../../../../bus/ap/drivers/" + driver);
            case "driver_override" ->
                new Attribute(
                        () -> {
                            String name = host.ask(kernel -> {
                                QueueDevices.@Nullable Device device =
                                        kernel.devices().find(queue);
                                return device == null ? null : device.override();
                            });
                            return (name == null ? "" : name) + "\n";
                        },
                        text -> tell(kernel -> kernel.override(queue, text)));
            case "status" ->
                ApDriver.VFIO_AP.text.equals(driver)
                        ? new Attribute(() -> refusable(kernel -> kernel.status(queue)), null)
                        : null;
            default -> null;
        };
    }

    // The mdevs.

    private List<UUID> mdevs() {
        return host.ask(kernel ->
                kernel.vfioAp().mdevs().stream().map(mdev -> mdev.uuid).toList());
    }

    private String features() {
        var features = host.read().features();
        return (features.guestMatrix() ? "guest_matrix " : "") + "hotplug" + (features.apConfig() ? " ap_config" : "");
    }

    private @Nullable Node parent(String path) {
        switch (path) {
            case "" -> {
                return new Folder(Stream.concat(
                                Stream.of("features", "mdev_supported_types"),
                                mdevs().stream().map(UUID::toString))
                        .toList());
            }
            case "features" -> {
                return Attribute.of(features() + "\n");
            }
            case "mdev_supported_types" -> {
                return folder("vfio_ap-passthrough");
            }
            case TYPE -> {
                return folder("create", "available_instances");
            }
            case TYPE + "/create" -> {
                return new Attribute(null, text -> tell(kernel -> kernel.create(text)));
            }
            default -> {
                String[] parts = path.split("/", 2);
                UUID uuid = mdevs().stream()
                        .filter(mdev -> mdev.toString().equals(parts[0]))
                        .findFirst()
                        .orElse(null);
                return uuid == null ? null : mdev(uuid, parts.length == 1 ? "" : parts[1]);
            }
        }
    }

    private @Nullable Node mdev(UUID uuid, String attribute) {
        if (attribute.isEmpty()) {
            return leaving.contains(uuid)
                    ? folder("iommu_group")
                    : folder("ap_config", "matrix", "guest_matrix", "iommu_group", "vfio-dev");
        }
        if (attribute.equals("iommu_group")) {
            return new Link("../../../../kernel/iommu_groups/" + group(uuid));
        }
        if (leaving.contains(uuid)) {
            return null;
        }
        boolean shown = host.read().features().guestMatrix() || !attribute.equals("guest_matrix");
        boolean hasConfiguration = host.read().features().apConfig();
        return switch (attribute) {
            case "vfio-dev" -> characterDevices ? folder("vfio" + group(uuid)) : null;
            case "matrix", "guest_matrix", "control_domains" ->
                shown ? new Attribute(() -> refusable(kernel -> kernel.show(uuid, attribute)), null) : null;
            case "ap_config" ->
                hasConfiguration
                        ? new Attribute(
                                () -> refusable(kernel -> kernel.show(uuid, attribute)),
                                text -> write(uuid, attribute, text))
                        : null;
            case "remove" -> new Attribute(null, text -> remove(uuid, text));
            default ->
                WRITE_ONLY.contains(attribute) ? new Attribute(null, text -> write(uuid, attribute, text)) : null;
        };
    }

    private synchronized int group(UUID uuid) {
        groups.keySet().retainAll(mdevs());
        Integer group = groups.get(uuid);
        if (group == null) {
            group = 0;
            while (groups.containsValue(group)) {
                group++;
            }
            groups.put(uuid, group);
        }
        return group;
    }

    private void write(UUID uuid, String attribute, String text) throws Refusal {
        try {
            host.writeText(uuid, attribute, text);
        } catch (KernelRefusal refused) {
            throw new Refusal(refused.errno());
        }
    }

    /** As in Linux: asks the guest to let go, and comes back when it has. This guest does nothing until it is closed. */
    private void remove(UUID uuid, String text) throws Refusal {
        if (!text.strip().equals("1")) {
            throw new Refusal("EINVAL");
        }
        leaving.add(uuid);
        try {
            while (host.guests().containsValue(uuid)) {
                LockSupport.parkNanos(1_000_000);
            }
            tell(kernel -> kernel.remove(uuid));
        } finally {
            leaving.remove(uuid);
        }
    }

    // Processes.

    /** Of each guest: its mdev, and the name, number and start time of its process. */
    private record Guest(UUID mdev, String name, String pid, String start) {}

    private List<Guest> guests() {
        List<Guest> guests = new ArrayList<>();
        if (hidesGuests) {
            return guests;
        }
        host.guests().forEach((name, mdev) -> {
            ObservedGuest guest = host.guestOf(mdev);
            if (guest != null && guest.identity() != null) {
                String[] identity = guest.identity().split(":");
                guests.add(new Guest(mdev, name, identity[1], identity[2]));
            }
        });
        return guests;
    }

    private Folder processes() {
        var names = new TreeSet<>(Set.of("1", "sys"));
        guests().forEach(guest -> names.add(guest.pid()));
        return new Folder(List.copyOf(names));
    }

    private @Nullable Node process(String pid, String path) {
        if (pid.equals("sys")) {
            return folder();
        }
        Map<String, Guest> guests = new HashMap<>();
        guests().forEach(guest -> guests.put(guest.pid(), guest));
        Guest guest = guests.get(pid);
        if (guest == null) {
            return pid.equals("1") ? first(path) : null;
        }
        return switch (path) {
            case "" -> folder("fd", "stat", "cmdline");
            case "fd" -> folder("0", "9", "17");
            case "fd/0" -> new Link("/dev/null");
            case "fd/9" -> new Link(mounted.root() + "/dev/kvm");
            case "fd/17" ->
                new Link(
                        mounted.root() + "/dev/vfio/" + (characterDevices ? "devices/vfio" : "") + group(guest.mdev()));
            // A name that is meant to be hard to read.
            case "stat" ->
                Attribute.of(pid + " (qemu) R 0 (s390x) S 1 0 0 0 -1 4718592 74 0 0 0 0 0 0 0 20 0 1 0 " + guest.start()
                        + " 2506752 385\n");
            case "cmdline" ->
                Attribute.of(String.join(
                        "\0",
                        "/usr/bin/qemu-system-s390x",
                        "-name",
                        "guest=" + guest.name().replace(",", ",,") + ",debug-threads=on",
                        "-S",
                        ""));
            default -> null;
        };
    }

    private @Nullable Node first(String path) {
        return switch (path) {
            case "" -> folder("fd");
            case "fd" -> folder("0");
            case "fd/0" -> hidesAProcess ? new HiddenLink() : new Link("/dev/null");
            default -> null;
        };
    }

    private Folder vfio() {
        Set<String> names = new HashSet<>(Set.of("vfio", "devices"));
        if (!characterDevices) {
            mdevs().forEach(uuid -> names.add(Integer.toString(group(uuid))));
        }
        return new Folder(List.copyOf(names));
    }

    private @Nullable Node device(String path) {
        String number = path.replace("devices/vfio", "");
        if (path.equals("devices")) {
            return folder();
        }
        return mdevs().stream().anyMatch(uuid -> Integer.toString(group(uuid)).equals(number))
                ? Attribute.of("")
                : null;
    }

    // The simulator.

    private interface Question<T> {
        T of(SimulatedKernel kernel) throws KernelRefusal;
    }

    private String refusable(Question<String> question) throws Refusal {
        var refused = new ArrayList<KernelRefusal>();
        String answer = host.ask(kernel -> {
            try {
                return question.of(kernel);
            } catch (KernelRefusal refusal) {
                refused.add(refusal);
                return "";
            }
        });
        if (!refused.isEmpty()) {
            throw new Refusal(refused.getFirst().errno());
        }
        return answer;
    }

    private void tell(SimulatedHost.TextWrite write) throws Refusal {
        try {
            host.writeText(write);
        } catch (KernelRefusal refused) {
            throw new Refusal(refused.errno());
        }
    }
}
