package io.apportion.agent.sysfs;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.Reservation;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Features;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedGuest;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the whole inventory. Nothing stands still meanwhile: what goes away while it is read was not there, what comes is
 * seen by the next look, which its uevent asks for.
 *
 * <p>Not for two threads at once.
 */
final class HostReader {

    private static final Logger LOG = LoggerFactory.getLogger(HostReader.class);

    private static final Pattern CARD = Pattern.compile("card(\\p{XDigit}{2})");
    private static final Pattern QUEUE = Pattern.compile("\\p{XDigit}{2}\\.00\\p{XDigit}{2}");
    private static final Pattern MDEV =
            Pattern.compile("\\p{XDigit}{8}-\\p{XDigit}{4}-\\p{XDigit}{4}-\\p{XDigit}{4}-\\p{XDigit}{12}");

    private static final String IN_USE = "in use";

    /** What lszcrypt calls the modes. */
    private static final Map<String, String> MODES =
            Map.of("accel", "Accelerator", "cca", "CCA-Coproc", "ep11", "EP11-Coproc");

    private final Tree tree;
    private final Holders holders;
    private final Definitions definitions;
    private final String kernelRelease;

    /** What could not be read is said once, and again when it is something else. */
    private final Map<String, String> complaints = new HashMap<>();

    private Features features = new Features(false, false, false);

    /** All processes were looked at since this look began. */
    private boolean scanned;

    HostReader(Tree tree, Holders holders, Definitions definitions, String kernelRelease) {
        this.tree = tree;
        this.holders = holders;
        this.definitions = definitions;
        this.kernelRelease = kernelRelease;
    }

    private interface Part<T extends @Nullable Object> {
        T read() throws IOException;
    }

    private <T extends @Nullable Object> @Nullable T orUnknown(String what, Part<T> part) {
        try {
            T read = part.read();
            complaints.remove(what);
            return read;
        } catch (IOException failure) {
            String words = String.valueOf(failure.getMessage());
            if (!words.equals(complaints.put(what, words))) {
                LOG.warn("{} cannot be read: {}", what, words);
            }
            return null;
        }
    }

    ObservedHost read() {
        Matrix hostConfiguration = orUnknown("the host configuration", this::hostConfiguration);
        Reservation masks = orUnknown("the masks", this::masks);
        // While a queue may be free by the masks, the kernel takes no override, and no mask while there is one.
        boolean mayBeOverridden = masks == null || masks.equals(Reservation.EVERYTHING);
        List<ObservedAdapter> adapters = orUnknown("the adapters", () -> adapters(mayBeOverridden));
        // Whoever does not know how its mdevs are written to knows too little of them.
        List<ObservedMdev> mdevs = orUnknown("the mdevs", () -> {
            features = features();
            return mdevs();
        });
        return new ObservedHost(
                kernelRelease,
                new Features(features.guestMatrix(), features.apConfig(), holders.seesAll()),
                highest("ap_max_adapter_id"),
                highest("ap_max_domain_id"),
                hostConfiguration,
                masks,
                Keep.NOTHING,
                adapters,
                mdevs,
                orUnknown("mdevctl's definitions", definitions::read),
                null);
    }

    // The bus.

    private @Nullable Reservation masks() throws IOException {
        ApMask apmask = mask("apmask");
        ApMask aqmask = mask("aqmask");
        return apmask == null || aqmask == null ? null : new Reservation(apmask, aqmask);
    }

    private @Nullable Matrix hostConfiguration() throws IOException {
        ApMask adapters = mask("ap_adapter_mask");
        ApMask domains = mask("ap_usage_domain_mask");
        ApMask controlDomains = mask("ap_control_domain_mask");
        return adapters == null || domains == null || controlDomains == null
                ? null
                : new Matrix(adapters, domains, controlDomains);
    }

    private @Nullable ApMask mask(String attribute) throws IOException {
        String text = HostFiles.text(tree.bus(attribute));
        return text == null ? null : SysfsText.mask(text);
    }

    /** Where the machine does not tell, there is no limit but that of the masks: the kernel refuses what is above its own. */
    private int highest(String attribute) {
        String text = orUnknown(attribute, () -> HostFiles.text(tree.bus(attribute)));
        try {
            return text == null ? ApMask.BITS - 1 : Math.clamp(Long.parseLong(text.strip()), 0, ApMask.BITS - 1);
        } catch (NumberFormatException otherwise) {
            return ApMask.BITS - 1;
        }
    }

    private static final class Drivers {
        private final ApMask[] vfioAp = rows();
        private final ApMask[] hosts = rows();
    }

    private static ApMask[] rows() {
        ApMask[] rows = new ApMask[ApMask.BITS];
        Arrays.fill(rows, ApMask.NONE);
        return rows;
    }

    private @Nullable List<ObservedAdapter> adapters(boolean mayBeOverridden) throws IOException {
        List<String> names = HostFiles.names(tree.bus("devices"));
        if (names == null) {
            return null;
        }
        ApMask[] queues = queues(names);
        Drivers drivers = drivers();
        List<ObservedAdapter> adapters = new ArrayList<>();
        for (String name : names.stream().sorted().toList()) {
            Matcher card = CARD.matcher(name);
            if (card.matches()) {
                int adapter = Integer.parseInt(card.group(1), 16);
                ObservedAdapter read = adapter(adapter, queues[adapter], drivers, mayBeOverridden);
                if (read != null) {
                    adapters.add(read);
                }
            }
        }
        return adapters;
    }

    private static ApMask[] queues(List<String> names) {
        ApMask[] rows = rows();
        for (String name : names) {
            if (QUEUE.matcher(name).matches()) {
                Queue queue = Queue.parse(name);
                rows[queue.adapter()] = rows[queue.adapter()].with(queue.domain());
            }
        }
        return rows;
    }

    /** By what each driver lists: a host has a hundred times as many queues as drivers. */
    private Drivers drivers() throws IOException {
        Drivers drivers = new Drivers();
        for (String driver : Objects.requireNonNullElse(HostFiles.names(tree.bus("drivers")), List.<String>of())) {
            List<String> names = HostFiles.names(tree.bus("drivers").resolve(driver));
            ApMask[] served = queues(Objects.requireNonNullElse(names, List.of()));
            ApMask[] rows = driver.equals(Tree.VFIO_AP) ? drivers.vfioAp : drivers.hosts;
            for (int adapter = 0; adapter < rows.length; adapter++) {
                rows[adapter] = rows[adapter].or(served[adapter]);
            }
        }
        return drivers;
    }

    /** Null when the card went away meanwhile. */
    private @Nullable ObservedAdapter adapter(int adapter, ApMask queues, Drivers drivers, boolean mayBeOverridden)
            throws IOException {
        Path folder = tree.card(adapter);
        String type = HostFiles.text(folder.resolve("type"));
        String mode = mode(HostFiles.text(folder.resolve("uevent")));
        String serial = HostFiles.text(folder.resolve("serialnr"));
        boolean online = !"0".equals(word(HostFiles.text(folder.resolve("online"))));
        boolean configured = !"0".equals(word(HostFiles.text(folder.resolve("config"))));
        boolean checkstopped = "1".equals(word(HostFiles.text(folder.resolve("chkstop"))));
        ApMask devices = queues;
        ApMask bound = drivers.vfioAp[adapter];
        ApMask byHost = drivers.hosts[adapter];
        ApMask overridden = ApMask.NONE;
        ApMask impaired = ApMask.NONE;
        for (int domain = queues.next(0); domain >= 0; domain = queues.next(domain + 1)) {
            Path queue = folder.resolve(new Queue(adapter, domain).toString());
            String config = word(HostFiles.text(queue.resolve("config")));
            String chkstop = word(HostFiles.text(queue.resolve("chkstop")));
            String override = mayBeOverridden ? word(HostFiles.text(queue.resolve("driver_override"))) : null;
            if (config == null && !HostFiles.exists(queue)) {
                devices = devices.without(domain);
                continue;
            }
            if ("0".equals(config) || "1".equals(chkstop)) {
                impaired = impaired.with(domain);
            }
            if (override != null) {
                overridden = overridden.with(domain);
            }
            if (bound.has(domain) == byHost.has(domain)) {
                // It has none, or came from one list to the other between the two.
                String driver = HostFiles.link(queue.resolve("driver"));
                boolean isVfioAp = Tree.VFIO_AP.equals(driver);
                bound = isVfioAp ? bound.with(domain) : bound.without(domain);
                byHost = driver != null && !isVfioAp ? byHost.with(domain) : byHost.without(domain);
            }
        }
        if (!HostFiles.exists(folder)) {
            return null;
        }
        return new ObservedAdapter(
                adapter,
                word(type),
                mode,
                word(serial),
                online,
                configured,
                checkstopped,
                devices,
                bound.and(devices),
                byHost.and(devices),
                overridden,
                impaired);
    }

    private static @Nullable String mode(@Nullable String uevent) {
        return uevent == null
                ? null
                : uevent.lines()
                        .filter(line -> line.startsWith("MODE="))
                        .map(line -> line.substring("MODE=".length()))
                        .map(mode -> MODES.getOrDefault(mode, mode))
                        .findFirst()
                        .orElse(null);
    }

    /** Without its newline; null for an empty line too. A driver_override may be a space, which is a name to the kernel. */
    private static @Nullable String word(@Nullable String text) {
        String line = text == null ? "" : text.lines().findFirst().orElse("");
        return line.isEmpty() ? null : line;
    }

    // The mdevs.

    /**
     * @param guestMatrix null where the kernel shows none, or cut it
     * @param cut what it shows of one that it cut
     */
    private record Masks(
            @Nullable Matrix assigned, @Nullable Matrix guestMatrix, SysfsText.@Nullable Rectangle cut) {}

    private @Nullable List<UUID> uuids() throws IOException {
        List<String> names = HostFiles.names(tree.parent());
        if (names == null) {
            // Without the driver there are no mdevs; without the bus there is nothing that could be read.
            return HostFiles.exists(tree.bus("devices")) ? List.of() : null;
        }
        return names.stream()
                .filter(name -> MDEV.matcher(name).matches())
                .map(UUID::fromString)
                .sorted()
                .toList();
    }

    /** But for whether guests can be seen. */
    private Features features() throws IOException {
        String text = HostFiles.text(tree.parent().resolve("features"));
        if (text != null) {
            List<String> words = List.of(text.strip().split("\\s+"));
            return new Features(words.contains("guest_matrix"), words.contains("ap_config"), false);
        }
        // Kernels before 6.10 have no such list; what an mdev has, they all have.
        List<UUID> uuids = Objects.requireNonNullElse(uuids(), List.of());
        return new Features(
                uuids.stream().anyMatch(uuid -> HostFiles.exists(tree.mdev(uuid).resolve("guest_matrix"))),
                uuids.stream().anyMatch(uuid -> HostFiles.exists(tree.mdev(uuid).resolve("ap_config"))),
                false);
    }

    private @Nullable List<ObservedMdev> mdevs() throws IOException {
        List<UUID> uuids = uuids();
        if (uuids == null) {
            return null;
        }
        Map<UUID, Masks> masks = new HashMap<>();
        for (UUID uuid : uuids) {
            Masks read = orUnknown("mdev " + uuid, () -> masks(uuid));
            masks.put(uuid, read == null ? new Masks(null, null, null) : read);
        }
        boolean looked = lookForHolders(false);
        List<ObservedMdev> mdevs = new ArrayList<>();
        for (UUID uuid : uuids) {
            Masks read = Objects.requireNonNull(masks.get(uuid));
            ObservedGuest guest = looked ? guest(uuid, read) : null;
            Matrix guestMatrix = read.cut() == null || guest == null
                    ? read.guestMatrix()
                    : orUnknown("guest_matrix of mdev " + uuid, () -> uncut(uuid, read));
            if (HostFiles.exists(tree.mdev(uuid))) {
                mdevs.add(new ObservedMdev(uuid, false, read.assigned(), guestMatrix, guest));
            }
        }
        return mdevs;
    }

    /** All unknown for one that is being removed: its folder stays as long as somebody has it open, empty. */
    private Masks masks(UUID uuid) throws IOException {
        Path folder = tree.mdev(uuid);
        String guestText = HostFiles.text(folder.resolve("guest_matrix"));
        SysfsText.Rectangle guest = guestText == null ? null : SysfsText.rectangle(guestText);
        Matrix guestMatrix =
                guest == null || guest.cut() ? null : new Matrix(guest.adapters(), guest.domains(), ApMask.NONE);
        return new Masks(assigned(folder), guestMatrix, guest != null && guest.cut() ? guest : null);
    }

    private static @Nullable Matrix assigned(Path folder) throws IOException {
        String configuration = HostFiles.text(folder.resolve("ap_config"));
        if (configuration != null) {
            return SysfsText.configuration(configuration);
        }
        String matrix = HostFiles.text(folder.resolve("matrix"));
        String control = HostFiles.text(folder.resolve("control_domains"));
        SysfsText.Rectangle rectangle = matrix == null ? null : SysfsText.rectangle(matrix);
        ApMask controlDomains = control == null ? null : SysfsText.controlDomains(control);
        return rectangle == null || rectangle.cut() || controlDomains == null
                ? null
                : new Matrix(rectangle.adapters(), rectangle.domains(), controlDomains);
    }

    /**
     * The guest matrix of which the kernel cut the end: the status of its queues tells the rest, but only while a guest has
     * them.
     */
    private @Nullable Matrix uncut(UUID uuid, Masks masks) throws IOException {
        SysfsText.Rectangle shown = Objects.requireNonNull(masks.cut());
        Matrix assigned = masks.assigned();
        int domain = shown.domains().next(0);
        if (assigned == null || !isInUse(shown.adapters().next(0), domain)) {
            return null;
        }
        ApMask adapters = shown.adapters();
        ApMask unseen = assigned.adapters().minus(ApMask.upTo(last(adapters)));
        for (int adapter = unseen.next(0); adapter >= 0; adapter = unseen.next(adapter + 1)) {
            if (isInUse(adapter, domain)) {
                adapters = adapters.with(adapter);
            }
        }
        boolean sameAsBefore = shown.equals(masks(uuid).cut());
        return sameAsBefore ? new Matrix(adapters, shown.domains(), ApMask.NONE) : null;
    }

    private static int last(ApMask mask) {
        return mask.numbers().max().orElse(-1);
    }

    private boolean isInUse(int adapter, int domain) throws IOException {
        return IN_USE.equals(
                word(HostFiles.text(tree.queue(new Queue(adapter, domain)).resolve("status"))));
    }

    // Guests.

    /**
     * Who has that mdev open now.
     *
     * @param surely look at every process
     * @return null where that cannot be told
     */
    @Nullable
    ObservedGuest guestOf(UUID uuid, boolean surely) {
        if (!HostFiles.exists(tree.mdev(uuid))) {
            return ObservedGuest.NONE;
        }
        if (!lookForHolders(surely)) {
            return null;
        }
        Masks masks = orUnknown("mdev " + uuid, () -> masks(uuid));
        return masks == null ? null : guest(uuid, masks);
    }

    /** Whether nobody has it open; where open files cannot be seen, whether the kernel shows no queue of it in use. */
    boolean isFree(UUID uuid) {
        ObservedGuest guest = guestOf(uuid, true);
        if (guest != null || holders.seesAll()) {
            return ObservedGuest.NONE.equals(guest);
        }
        Boolean held = orUnknown("mdev " + uuid, () -> mayBeHeld(masks(uuid)));
        return held != null && !held;
    }

    private boolean lookForHolders(boolean all) {
        Boolean looked = orUnknown("the open files of processes", () -> {
            holders.look(all);
            scanned = all;
            return true;
        });
        return looked != null;
    }

    /** As of the last look at the open files. Where the kernel says that a guest has a queue, somebody is to be found. */
    private @Nullable ObservedGuest guest(UUID uuid, Masks masks) {
        return orUnknown("the guest of mdev " + uuid, () -> {
            ObservedGuest guest = holders.holder(nodes(uuid));
            if (guest != null && guest.identity() == null && mayBeHeld(masks)) {
                if (!scanned) {
                    holders.look(true);
                    scanned = true;
                    guest = holders.holder(nodes(uuid));
                }
                return guest != null && guest.identity() == null ? null : guest;
            }
            return guest;
        });
    }

    private boolean mayBeHeld(Masks masks) throws IOException {
        Matrix guestMatrix = masks.guestMatrix();
        SysfsText.Rectangle cut = masks.cut();
        if (cut != null) {
            return isInUse(cut.adapters().next(0), cut.domains().next(0));
        }
        if (guestMatrix != null && guestMatrix.queueCount() > 0) {
            return isInUse(guestMatrix.adapters().next(0), guestMatrix.domains().next(0));
        }
        // One that has no attributes any more is being removed, which waits for whoever has it.
        return guestMatrix == null && masks.assigned() == null;
    }

    /** The files by which the mdev is opened: of its group, and its own. */
    private List<Path> nodes(UUID uuid) throws IOException {
        List<Path> nodes = new ArrayList<>();
        String group = HostFiles.link(tree.mdev(uuid).resolve("iommu_group"));
        if (group != null) {
            nodes.add(tree.vfio(group));
        }
        for (String device :
                Objects.requireNonNullElse(HostFiles.names(tree.mdev(uuid).resolve("vfio-dev")), List.<String>of())) {
            nodes.add(tree.vfio("devices").resolve(device));
        }
        return nodes;
    }
}
