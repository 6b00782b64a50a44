package io.apportion.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Replays recordings of the real driver through the simulated kernel: each step must be answered as Linux 7.2.13 did.
 *
 * <p>Other recordings of the same format: {@code ./mvnw test -Dtest=LinuxConformanceTests
 * -Dapportion.conformance=FILE_OR_FOLDER}.
 */
class LinuxConformanceTests {

    private static final String POLICY = "linux-7.2";

    private static final JsonMapper JSON = new JsonMapper();

    @Test
    void answersEachRecordedStepAsLinuxDid() throws IOException {
        var tally = new Tally();
        for (Path file : recordings()) {
            try (Stream<String> lines = lines(file)) {
                lines.filter(line -> !line.isBlank()).map(JSON::readTree).forEach(tally::replay);
            }
        }
        System.out.println(tally);
        assertThat(tally.scenarios).as("scenarios of " + POLICY).isPositive();
        assertThat(tally.mismatches).as(tally.toString()).isZero();
    }

    private static List<Path> recordings() throws IOException {
        @Nullable String elsewhere = System.getProperty("apportion.conformance");
        if (elsewhere == null) {
            Path here = Path.of("src/test/resources/conformance");
            return List.of(here.resolve("linux-7.2.jsonl.gz"), here.resolve("linux-7.2-named.jsonl.gz"));
        }
        Path path = Path.of(elsewhere);
        if (!Files.isDirectory(path)) {
            return List.of(path);
        }
        try (Stream<Path> files = Files.walk(path)) {
            return files.filter(file -> file.toString().matches(".*\\.jsonl(\\.gz)?"))
                    .sorted()
                    .toList();
        }
    }

    private static Stream<String> lines(Path file) throws IOException {
        InputStream bytes = Files.newInputStream(file);
        InputStream text = file.toString().endsWith(".gz") ? new GZIPInputStream(bytes) : bytes;
        var reader = new BufferedReader(new InputStreamReader(text, StandardCharsets.UTF_8));
        return reader.lines().onClose(() -> {
            try {
                reader.close();
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
        });
    }

    /** What one step did, or what it should have done. Lists are in order, except for the resets, which are sorted. */
    private record Outcome(
            String rc,
            Map<String, JsonNode> changed,
            List<String> commits,
            List<String> resets,
            List<String> bus,
            String out,
            boolean warned) {

        static Outcome expected(JsonNode step) {
            var changed = new TreeMap<String, JsonNode>();
            step.get("state").properties().forEach(mdev -> changed.put(mdev.getKey(), mdev.getValue()));
            List<String> commits = new ArrayList<>();
            step.get("commits")
                    .forEach(commit -> commits.add(commit.get("mdev").asString()
                            + (commit.has("clear")
                                    ? " clear"
                                    : " " + commit.get("apm").asString() + " "
                                            + commit.get("aqm").asString() + " "
                                            + commit.get("adm").asString())));
            return new Outcome(
                    step.get("rc").asString(),
                    changed,
                    commits,
                    texts(step.get("resets")),
                    texts(step.path("bus")),
                    step.path("out").asString(""),
                    step.has("warn"));
        }

        private static List<String> texts(JsonNode array) {
            return array.valueStream().map(JsonNode::asString).toList();
        }
    }

    /** Counts over all scenarios, and keeps the first mismatch. */
    private static final class Tally {

        int scenarios;
        int mismatches;
        private int steps;
        private int ofOtherPolicies;
        private int undefined;
        private int undefinedMismatches;
        private int nullDriver;
        private int nullDriverMismatches;
        private @Nullable String first;

        void replay(JsonNode scenario) {
            if (!scenario.get("policy").asString().equals(POLICY)) {
                ofOtherPolicies++;
                return;
            }
            scenarios++;
            var replay = new Replay(scenario.get("init"));
            compare(
                    scenario,
                    "after boot, bound",
                    scenario.get("init").get("bound").toString(),
                    replay.bound());
            int index = 0;
            for (JsonNode step : scenario.get("steps")) {
                count(scenario, index++, step, Outcome.expected(step), replay.run(step));
            }
            compare(scenario, "final", scenario.get("final").toString(), replay.end());
        }

        private void count(JsonNode scenario, int index, JsonNode step, Outcome expected, Outcome actual) {
            steps++;
            boolean equal = actual.equals(expected);
            if (step.has("ub")) {
                undefined++;
                undefinedMismatches += equal ? 0 : 1;
            } else if (step.has("nulldrv")) {
                nullDriver++;
                nullDriverMismatches += equal ? 0 : 1;
            } else if (!equal) {
                var call = step.get("op").asString() + " " + step.get("args");
                mismatch(scenario, "step " + index + ": " + call, expected.toString(), actual.toString());
            }
        }

        private void compare(JsonNode scenario, String what, String expected, JsonNode actual) {
            if (!JSON.readTree(expected).equals(actual)) {
                mismatch(scenario, what, expected, actual.toString());
            }
        }

        private void mismatch(JsonNode scenario, String where, String expected, String actual) {
            mismatches++;
            if (first == null) {
                first = "%nfirst mismatch: scenario %s, %s%n  expected %s%n  got      %s"
                        .formatted(scenario.get("id").asString(), where, expected, actual);
            }
        }

        @Override
        public String toString() {
            return "scenarios %d, steps %d, mismatches %d (not binding: ub %d, of them different %d; nulldrv %d, of them different %d; scenarios of other policies %d)%s"
                    .formatted(
                            scenarios,
                            steps,
                            mismatches,
                            undefined,
                            undefinedMismatches,
                            nullDriver,
                            nullDriverMismatches,
                            ofOtherPolicies,
                            first == null ? "" : first);
        }
    }

    /** One scenario on one kernel. */
    private static final class Replay implements KernelEffects {

        private final ApHardware hardware;
        private final SimulatedKernel kernel;
        private final Map<String, Kvm> guests = new HashMap<>();
        private Map<String, JsonNode> state = Map.of();

        private final List<String> commits = new ArrayList<>();
        private final List<String> resets = new ArrayList<>();
        private final List<String> bus = new ArrayList<>();
        private boolean warned;

        Replay(JsonNode init) {
            hardware = new ApHardware(
                    init.get("apxa").asInt() == 1,
                    init.get("na").asInt(),
                    init.get("nd").asInt(),
                    matrix(init.get("apm"), init.get("aqm"), init.get("adm")));
            kernel = new SimulatedKernel(hardware, mask(init.get("apmask")), mask(init.get("aqmask")), this);
        }

        private static Matrix matrix(JsonNode apm, JsonNode aqm, JsonNode adm) {
            return new Matrix(mask(apm), mask(aqm), mask(adm));
        }

        private static ApMask mask(JsonNode text) {
            return ApMask.parse(text.asString());
        }

        Outcome run(JsonNode step) {
            commits.clear();
            resets.clear();
            bus.clear();
            warned = false;
            String rc = "OK";
            String out = "";
            try {
                out = call(step.get("op").asString(), step.get("args"));
            } catch (KernelRefusal refusal) {
                rc = refusal.errno();
            }
            Map<String, JsonNode> before = state;
            state = state();
            var changed = new TreeMap<>(state);
            changed.entrySet().removeIf(mdev -> mdev.getValue().equals(before.get(mdev.getKey())));
            return new Outcome(
                    rc,
                    changed,
                    List.copyOf(commits),
                    resets.stream().sorted().toList(),
                    List.copyOf(bus),
                    out,
                    warned);
        }

        /** @return the text read, if any */
        private String call(String operation, JsonNode args) throws KernelRefusal {
            switch (operation) {
                case "create" -> kernel.create(text(args, 0));
                case "remove" -> kernel.remove(uuid(args));
                case "open" -> kernel.open(uuid(args), guest(text(args, 1)));
                case "close" -> kernel.close(uuid(args));
                case "reset" -> kernel.reset(uuid(args));
                case "assign_adapter",
                        "assign_domain",
                        "assign_control_domain",
                        "unassign_adapter",
                        "unassign_domain",
                        "unassign_control_domain",
                        "ap_config" -> kernel.write(uuid(args), operation, text(args, 1));
                case "show" -> {
                    return kernel.show(uuid(args), text(args, 1));
                }
                case "status" -> {
                    return kernel.status(queue(args));
                }
                case "bus_show" -> {
                    return kernel.showBus(text(args, 0));
                }
                case "features" -> {
                    return kernel.features();
                }
                case "probe" -> kernel.bind(queue(args), driver(args));
                case "unbind" -> kernel.unbind(queue(args), driver(args));
                case "driver_override" -> kernel.override(queue(args), text(args, 1));
                case "apmask" -> kernel.writeApmask(text(args, 0));
                case "aqmask" -> kernel.writeAqmask(text(args, 0));
                case "host_config" -> {
                    hardware.configuration(matrix(args.get(0), args.get(1), args.get(2)));
                    kernel.scan();
                }
                case "rescan" -> kernel.scan();
                case "zapq_rc" -> hardware.failResets(queue(args), number(args));
                case "zapq_once" -> hardware.failNextReset(queue(args), number(args));
                case "tapq_rc" -> hardware.failTests(queue(args), number(args));
                case "absent" -> hardware.absent(queue(args), number(args) == 1);
                case "card_type" -> hardware.type(Integer.parseInt(text(args, 0), 16), number(args));
                default -> throw new IllegalArgumentException("unknown operation: " + operation);
            }
            return "";
        }

        private static String text(JsonNode args, int index) {
            return args.get(index).asString();
        }

        private static UUID uuid(JsonNode args) {
            return UUID.fromString(text(args, 0));
        }

        private static Queue queue(JsonNode args) {
            return Queue.parse(text(args, 0));
        }

        private static String driver(JsonNode args) {
            return args.size() > 1 ? text(args, 1) : "vfio_ap";
        }

        private static int number(JsonNode args) {
            return Integer.parseInt(text(args, 1));
        }

        private @Nullable Kvm guest(String name) {
            return switch (name) {
                case "none" -> null;
                case "nocrypto" -> new Kvm(name, false);
                default -> guests.computeIfAbsent(name, kvm -> new Kvm(kvm, true));
            };
        }

        private Map<String, JsonNode> state() {
            var masks = new TreeMap<String, JsonNode>();
            for (MatrixMdev mdev : kernel.vfioAp().mdevs()) {
                masks.put(
                        mdev.uuid.toString(),
                        JSON.createObjectNode()
                                .put("apm", mdev.matrix.adapters().toHex())
                                .put("aqm", mdev.matrix.domains().toHex())
                                .put("adm", mdev.matrix.controlDomains().toHex())
                                .put("guest_apm", mdev.shadow.adapters().toHex())
                                .put("guest_aqm", mdev.shadow.domains().toHex())
                                .put("guest_adm", mdev.shadow.controlDomains().toHex()));
            }
            return masks;
        }

        JsonNode bound() {
            var bound = JSON.createArrayNode();
            for (int adapter = 0; adapter < ApMask.BITS; adapter++) {
                int a = adapter;
                kernel.vfioAp().bound().of(a).forEach(domain -> bound.add(new Queue(a, domain).toString()));
            }
            return bound;
        }

        JsonNode end() {
            var end = JSON.createObjectNode();
            end.set("state", JSON.valueToTree(state()));
            end.set("bound", bound());
            end.put("apmask", kernel.devices().apmask.toHex());
            end.put("aqmask", kernel.devices().aqmask.toHex());
            return end;
        }

        @Override
        public void committed(MatrixMdev mdev, Kvm guest, Matrix before) {
            Matrix masks = guest.controlBlock;
            commits.add(mdev.uuid + " " + masks.adapters().toHex() + " "
                    + masks.domains().toHex() + " "
                    + masks.controlDomains().toHex());
        }

        @Override
        public void cleared(MatrixMdev mdev, Kvm guest, Matrix before) {
            commits.add(mdev.uuid + " clear");
        }

        @Override
        public void reset(Queue queue) {
            resets.add(queue.toString());
        }

        @Override
        public void bound(Queue queue) {
            bus.add("+" + queue);
        }

        @Override
        public void unbound(Queue queue) {
            bus.add("-" + queue);
        }

        @Override
        public void warned() {
            warned = true;
        }

        @Override
        public void uevent() {}
    }
}
