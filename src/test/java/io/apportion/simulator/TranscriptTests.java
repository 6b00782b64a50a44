package io.apportion.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.apportion.agent.KernelRefusal;
import io.apportion.agent.sysfs.SysfsKernel;
import io.apportion.agent.sysfs.SysfsSettings;
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
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What was recorded on a real kernel is read as it was meant, and the agent's writes are those that it took. */
class TranscriptTests {

    private static final JsonMapper JSON = JsonMapper.shared();
    private static final Logger LOG = (Logger) LoggerFactory.getLogger("io.apportion.agent.sysfs");

    private static final Pattern TREE_LINE =
            Pattern.compile("\\d{6} ([dfl]) (\\S+?)/?(?: size=\\d+)?(?: -> (\\S+)|  = (\".*\"))?");

    private static final String BOOT = "5cb1c5d7-0000-4000-8000-aaaaaaaaaaaa";
    private static final UUID MDEV = UUID.fromString("11111111-1111-1111-1111-111111111111");
    private static final ApMask DOMAINS = ApMask.of(0x04, 0x47, 0x54, 0x55);

    @TempDir
    Path root;

    @BeforeAll
    static void logLess() {
        LOG.setLevel(Level.OFF);
    }

    @AfterAll
    static void logAsBefore() {
        LOG.setLevel(null);
    }

    // The file tree.

    @Test
    void readsATreeAfterBoot() throws IOException {
        plant(1);
        assertThat(read())
                .isEqualTo(host(
                        Reservation.EVERYTHING,
                        List.of(
                                card(4, "CEX8P", "EP11-Coproc", false),
                                card(5, "CEX8C", "CCA-Coproc", false),
                                card(6, "CEX8A", "Accelerator", false)),
                        List.of()));
    }

    @Test
    void readsATreeWithAnMdev() throws IOException {
        plant(2);
        assertThat(read()).isEqualTo(withMdev(ObservedGuest.NONE));
    }

    @Test
    void readsATreeWhileAGuestHasTheMdev() throws IOException {
        plant(2);
        plant(3);
        Path process = root.resolve("proc/144");
        Files.createDirectories(process.resolve("fd"));
        Files.createDirectories(root.resolve("dev/vfio"));
        Files.createFile(root.resolve("dev/vfio/0"));
        Files.createSymbolicLink(process.resolve("fd/5"), root.resolve("dev/kvm"));
        Files.createSymbolicLink(process.resolve("fd/7"), root.resolve("dev/vfio/0"));
        // As it was recorded of another process.
        Files.writeString(
                process.resolve("stat"),
                "144 (fakevm) S 1 0 0 0 -1 4718592 74 0 0 0 0 0 0 0 20 0 1 0 1467 2506752 385 18446744073709551615\n");
        Files.writeString(process.resolve("cmdline"), "fakevm\0" + MDEV + "\0-r\0");

        assertThat(read()).isEqualTo(withMdev(new ObservedGuest(BOOT + ":144:1467", null, null)));
    }

    private static ObservedHost withMdev(ObservedGuest guest) {
        Matrix matrix = new Matrix(ApMask.of(5, 6), ApMask.of(0x47, 0x54), ApMask.of(0x47, 0x54));
        return host(
                new Reservation(ApMask.ALL.without(5).without(6), ApMask.ALL),
                List.of(
                        card(4, "CEX8P", "EP11-Coproc", false),
                        card(5, "CEX8C", "CCA-Coproc", true),
                        card(6, "CEX8A", "Accelerator", true)),
                List.of(new ObservedMdev(
                        MDEV, false, matrix, new Matrix(matrix.adapters(), matrix.domains(), ApMask.NONE), guest)));
    }

    private static ObservedHost host(Reservation masks, List<ObservedAdapter> adapters, List<ObservedMdev> mdevs) {
        return new ObservedHost(
                "7.2.13+deb14-s390x",
                new Features(true, true, true),
                255,
                255,
                new Matrix(ApMask.of(4, 5, 6), DOMAINS, DOMAINS),
                masks,
                Keep.NOTHING,
                adapters,
                mdevs,
                List.of(),
                null);
    }

    private static ObservedAdapter card(int adapter, String type, String mode, boolean forGuests) {
        return new ObservedAdapter(
                adapter,
                type,
                mode,
                null,
                true,
                true,
                false,
                DOMAINS,
                forGuests ? DOMAINS : ApMask.NONE,
                forGuests ? ApMask.NONE : DOMAINS,
                ApMask.NONE,
                ApMask.NONE);
    }

    private ObservedHost read() throws IOException {
        try (SysfsKernel kernel = SysfsKernel.openToRead(settings())) {
            return kernel.read();
        }
    }

    private SysfsSettings settings() throws IOException {
        write("proc/sys/kernel/osrelease", "7.2.13+deb14-s390x\n");
        write("proc/sys/kernel/random/boot_id", BOOT + "\n");
        write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        Files.createDirectories(root.resolve("proc/1/fd"));
        return new SysfsSettings(
                root.resolve("sys"),
                root.resolve("proc"),
                root.resolve("dev"),
                root.resolve("etc/machine-id"),
                root.resolve("etc/mdevctl.d/matrix"),
                root.resolve("s390apconfig.lock"),
                root.resolve("apportion-agent.lock"),
                SysfsSettings.Timings.DEFAULT);
    }

    private void write(String path, String text) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    /** Makes the tree of one moment below the root, over what is there. */
    private void plant(int moment) throws IOException {
        boolean wanted = false;
        for (String line : new String(resource("sysfs-tree.txt").readAllBytes(), StandardCharsets.UTF_8)
                .lines()
                .toList()) {
            Matcher matcher = TREE_LINE.matcher(line);
            if (line.startsWith("### ")) {
                wanted = line.startsWith("### " + moment + ".");
            } else if (wanted && matcher.matches()) {
                Path file = root.resolve(matcher.group(2).substring(1));
                switch (matcher.group(1)) {
                    case "d" -> Files.createDirectories(file);
                    case "l" -> {
                        Files.createDirectories(file.getParent());
                        Files.deleteIfExists(file);
                        Files.createSymbolicLink(file, Path.of(matcher.group(3)));
                    }
                    default -> {
                        String text = matcher.group(4);
                        write(root.relativize(file).toString(), text == null ? "" : JSON.readValue(text, String.class));
                    }
                }
            }
        }
    }

    private static InputStream resource(String name) {
        return Objects.requireNonNull(TranscriptTests.class.getResourceAsStream("/kernel/" + name));
    }

    private static List<JsonNode> transcript() throws IOException {
        List<JsonNode> operations = new ArrayList<>();
        try (var reader = new BufferedReader(
                new InputStreamReader(new GZIPInputStream(resource("transcript.jsonl.gz")), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                operations.add(JSON.readTree(line));
            }
        }
        return operations;
    }

    /** Where a recorded path is below the root. Devices are also listed by their bus. */
    private static String path(JsonNode operation) {
        return operation
                .get("path")
                .asString()
                .substring(1)
                .replaceFirst("^sys/bus/ap/devices/((\\p{XDigit}{2})\\.)", "sys/devices/ap/card$2/$1")
                .replaceFirst("^sys/bus/ap/devices/card", "sys/devices/ap/card");
    }

    // What was read.

    @Test
    void readsEachMatrixAndMaskAsItWasPrinted() throws IOException, KernelRefusal {
        plant(1);
        int matrices = 0;
        int configurations = 0;
        int masks = 0;
        try (SysfsKernel kernel = SysfsKernel.openToRead(settings())) {
            for (JsonNode operation : transcript()) {
                if (!operation.get("op").asString().equals("read") || !operation.has("data")) {
                    continue;
                }
                String path = path(operation);
                String text = operation.get("data").asString();
                String folder = path.substring(0, path.lastIndexOf('/'));
                switch (path.substring(folder.length() + 1)) {
                    case "matrix" -> {
                        Files.deleteIfExists(root.resolve(folder, "ap_config"));
                        write(folder + "/control_domains", "0047\n");
                        write(path, text);
                        Matrix assigned = mdev(kernel, folder).assigned();
                        // Nobody may guess what is missing of a text that was cut.
                        assertThat(assigned == null).as(text).isEqualTo(text.length() == 4095);
                        if (assigned != null) {
                            assertThat(KernelText.queues(assigned)).isEqualTo(text);
                            assertThat(assigned.controlDomains()).isEqualTo(ApMask.of(0x47));
                        }
                        matrices++;
                    }
                    case "guest_matrix" -> {
                        write(path, text);
                        Matrix guest = mdev(kernel, folder).guestMatrix();
                        assertThat(guest == null).as(text).isEqualTo(text.length() == 4095);
                        if (guest != null) {
                            assertThat(KernelText.queues(guest)).isEqualTo(text);
                        }
                        matrices++;
                    }
                    case "control_domains" -> {
                        write(path, text);
                        Matrix assigned = mdev(kernel, folder).assigned();
                        if (assigned != null) {
                            assertThat(KernelText.domains(assigned.controlDomains()))
                                    .isEqualTo(text);
                        }
                    }
                    case "ap_config" -> {
                        write(path, text);
                        Matrix assigned =
                                Objects.requireNonNull(mdev(kernel, folder).assigned());
                        assertThat(KernelText.configuration(assigned)).isEqualTo(text);
                        // A matrix was recorded just before, of the same state.
                        if (Files.exists(root.resolve(folder, "matrix"))) {
                            assertThat(KernelText.queues(assigned))
                                    .isEqualTo(Files.readString(root.resolve(folder, "matrix")));
                        }
                        configurations++;
                    }
                    case "apmask", "aqmask" -> {
                        write(path, text);
                        Reservation read = Objects.requireNonNull(kernel.read().masks());
                        ApMask mask = path.endsWith("apmask") ? read.apmask() : read.aqmask();
                        assertThat(mask + "\n").isEqualTo(text);
                        masks++;
                    }
                    default -> {}
                }
            }
        }
        assertThat(List.of(matrices, configurations, masks)).isEqualTo(List.of(154, 16, 10));
    }

    private ObservedMdev mdev(SysfsKernel kernel, String folder) {
        UUID uuid = UUID.fromString(folder.substring(folder.lastIndexOf('/') + 1));
        return Objects.requireNonNull(kernel.read().mdevs()).stream()
                .filter(mdev -> mdev.uuid().equals(uuid))
                .findFirst()
                .orElseThrow();
    }

    // What was written.

    private interface Write {
        void to(SysfsKernel kernel) throws KernelRefusal;
    }

    /**
     * A write that the agent can be asked for, and what its text means.
     *
     * @param meaning of any text that may be written there
     */
    private record Request(Write write, Meaning meaning) {}

    private interface Meaning {
        Object of(String text) throws KernelRefusal;
    }

    @Test
    void writesWhatTheKernelTook() throws IOException, KernelRefusal {
        Map<String, Integer> compared = new TreeMap<>();
        try (SysfsKernel kernel = SysfsKernel.open(settings())) {
            for (JsonNode operation : transcript()) {
                if (!operation.get("op").asString().equals("write")) {
                    continue;
                }
                String path = path(operation);
                String text = operation.get("data").asString();
                Request request = request(path, text);
                if (request != null) {
                    write(path, "");
                    request.write().to(kernel);
                    String written = Files.readString(root.resolve(path));
                    assertThat(request.meaning().of(written))
                            .as("%s to %s, where \"%s\" was recorded", written, path, text)
                            .isEqualTo(request.meaning().of(text));
                    compared.merge(path.substring(path.lastIndexOf('/') + 1), 1, Integer::sum);
                }
            }
        }
        assertThat(compared)
                .hasToString("{ap_config=25, apmask=21, aqmask=9, assign_adapter=24, assign_control_domain=8,"
                        + " assign_domain=15, bind=9, create=15, driver_override=9, remove=10, unassign_adapter=13,"
                        + " unassign_control_domain=3, unassign_domain=6, unbind=7}");
    }

    /** Null for what the agent never writes: what has no meaning, absolute masks, other files. */
    private @Nullable Request request(String path, String text) throws IOException {
        String folder = path.substring(0, path.lastIndexOf('/'));
        String attribute = path.substring(folder.length() + 1);
        String device = folder.substring(folder.lastIndexOf('/') + 1);
        try {
            return switch (attribute) {
                case "create" -> {
                    UUID uuid = UUID.fromString(text.strip());
                    // Upper case is made lower by the kernel.
                    yield text.length() < 36 || text.contains("junk")
                            ? null
                            : new Request(
                                    k -> k.create(uuid), any -> any.strip().toLowerCase());
                }
                case "remove" -> {
                    UUID uuid = UUID.fromString(device);
                    write(folder + "/ap_config", KernelText.configuration(Matrix.EMPTY));
                    yield text.equals("1") ? new Request(k -> k.remove(uuid), any -> any) : null;
                }
                case "ap_config" -> {
                    Matrix matrix = KernelText.parseConfiguration(text);
                    yield new Request(
                            k -> k.configure(UUID.fromString(device), matrix), KernelText::parseConfiguration);
                }
                case "apmask", "aqmask" -> mask(attribute, text);
                case "bind" -> new Request(k -> k.bind(Queue.parse(text), device.equals("vfio_ap")), any -> any);
                case "unbind" -> {
                    if (device.equals("driver")) {
                        yield null; // the same by another way
                    }
                    Path queue = root.resolve("sys/devices/ap/card" + text.substring(0, 2), text);
                    Files.createDirectories(queue);
                    Files.deleteIfExists(queue.resolve("driver"));
                    Files.createSymbolicLink(queue.resolve("driver"), Path.of("../../../../bus/ap/drivers/" + device));
                    yield new Request(k -> k.unbind(Queue.parse(text)), any -> any);
                }
                case "driver_override" -> {
                    Queue queue = Queue.parse(device);
                    String name = text.strip();
                    yield name.equals("vfio_ap") || text.equals("\n")
                            ? new Request(k -> k.override(queue, !name.isEmpty()), String::strip)
                            : null;
                }
                default -> attribute.contains("assign_") ? assignment(device, attribute, text) : null;
            };
        } catch (IllegalArgumentException | KernelRefusal meansNothing) {
            return null;
        }
    }

    private static @Nullable Request mask(String attribute, String text) throws KernelRefusal {
        boolean set = text.startsWith("+");
        if (!set && !text.startsWith("-")) {
            return null;
        }
        ApMask bits = set
                ? KernelText.changeMask(ApMask.NONE, text)
                : ApMask.ALL.minus(KernelText.changeMask(ApMask.ALL, text));
        return new Request(
                k -> {
                    if (attribute.equals("apmask")) {
                        k.changeApmask(bits, set);
                    } else {
                        k.changeAqmask(bits, set);
                    }
                },
                any -> List.of(KernelText.changeMask(ApMask.NONE, any), KernelText.changeMask(ApMask.ALL, any)));
    }

    private static @Nullable Request assignment(String device, String attribute, String text) throws KernelRefusal {
        UUID uuid = UUID.fromString(device);
        long number = KernelText.parseNumber(text);
        if (number < 0 || number > 255) {
            return null;
        }
        int n = (int) number;
        Write write = switch (attribute) {
            case "assign_adapter" -> k -> k.assignAdapter(uuid, n);
            case "assign_domain" -> k -> k.assignDomain(uuid, n);
            case "assign_control_domain" -> k -> k.assignControlDomain(uuid, n);
            case "unassign_adapter" -> k -> k.unassignAdapter(uuid, n);
            case "unassign_domain" -> k -> k.unassignDomain(uuid, n);
            default -> k -> k.unassignControlDomain(uuid, n);
        };
        return new Request(write, KernelText::parseNumber);
    }
}
