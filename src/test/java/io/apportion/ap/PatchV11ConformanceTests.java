package io.apportion.ap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

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
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Replays recordings of the functions of patch v11 08/14: after each step an attached guest must have the queues that
 * {@link GuestFilter#RECOMPUTE} gives it. Queues, not masks: the patch leaves domains without adapters behind.
 *
 * <p>What is assigned is taken from the recording (the filter's input); what is bound is followed from its steps.
 *
 * <p>Other recordings of the same format: {@code ./mvnw test -Dtest=PatchV11ConformanceTests
 * -Dapportion.conformance=FILE_OR_FOLDER}.
 */
class PatchV11ConformanceTests {

    private static final String POLICY = "v11";

    /** The one scenario where the review corrected the patch: a queue outside the guest matrix unplugged its adapter. */
    private static final String CORRECTED = "v11/unbind-not-in-shadow-aqm";

    private static final JsonMapper JSON = new JsonMapper();

    @Test
    void recomputeGivesAnAttachedGuestTheQueuesOfPatchV11() throws IOException {
        boolean elsewhere = System.getProperty("apportion.conformance") != null;
        int scenarios = 0;
        int steps = 0;
        List<String> mismatches = new ArrayList<>();
        List<String> corrected = new ArrayList<>();
        for (Path file : recordings()) {
            try (Stream<String> lines = lines(file)) {
                for (String line : (Iterable<String>) lines.filter(l -> !l.isBlank())::iterator) {
                    JsonNode scenario = JSON.readTree(line);
                    if (!scenario.get("policy").asString().equals(POLICY)) {
                        continue;
                    }
                    scenarios++;
                    steps += scenario.get("steps").size();
                    boolean known = scenario.get("id").asString().equals(CORRECTED);
                    (known ? corrected : mismatches).addAll(new Replay(scenario).mismatches());
                }
            }
        }
        System.out.printf("scenarios %d, steps %d, mismatches %d%n", scenarios, steps, mismatches.size());
        if (elsewhere) {
            assumeTrue(scenarios > 0, "no scenario of " + POLICY + " there");
        } else {
            assertThat(scenarios).isEqualTo(515);
            assertThat(corrected).as(CORRECTED).containsExactly(CORRECTED + ", step 7 (unbind 04.0047)");
        }
        assertThat(mismatches).isEmpty();
    }

    private static List<Path> recordings() throws IOException {
        @Nullable String elsewhere = System.getProperty("apportion.conformance");
        if (elsewhere == null) {
            Path here = Path.of("src/test/resources/conformance");
            return List.of(here.resolve("patch-v11.jsonl.gz"), here.resolve("patch-v11-named.jsonl.gz"));
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

    private static final class Replay {

        private final JsonNode scenario;
        private final Map<String, JsonNode> mdevs = new HashMap<>();
        private final Set<String> attached = new HashSet<>();
        private Matrix hostConfiguration;
        private QueueSet bound;

        Replay(JsonNode scenario) {
            this.scenario = scenario;
            JsonNode init = scenario.get("init");
            hostConfiguration = masks(init, "");
            bound = QueueSet.of(init.get("bound")
                    .valueStream()
                    .map(queue -> Queue.parse(queue.asString()))
                    .toList());
        }

        /** Each step after which at least one attached guest has other queues than recorded. */
        List<String> mismatches() {
            List<String> mismatches = new ArrayList<>();
            int number = 0;
            for (JsonNode step : scenario.get("steps")) {
                if (step.get("rc").asString().equals("OK")) {
                    follow(step);
                }
                step.get("state").properties().forEach(mdev -> mdevs.put(mdev.getKey(), mdev.getValue()));
                if (mdevs.entrySet().stream().anyMatch(mdev -> differs(mdev.getKey(), mdev.getValue()))) {
                    mismatches.add(scenario.get("id").asString() + ", step " + number + " ("
                            + step.get("op").asString() + " "
                            + step.get("args").path(0).asString("") + ")");
                }
                number++;
            }
            return mismatches;
        }

        private void follow(JsonNode step) {
            String arg = step.get("args").path(0).asString("");
            switch (step.get("op").asString()) {
                case "probe" -> bound = bound.with(Queue.parse(arg));
                case "unbind" -> bound = bound.without(Queue.parse(arg));
                case "open" -> attached.add(arg);
                case "close" -> attached.remove(arg);
                case "remove" -> mdevs.remove(arg);
                case "host_config" ->
                    hostConfiguration = new Matrix(
                            ApMask.parse(arg),
                            ApMask.parse(step.get("args").get(1).asString()),
                            ApMask.parse(step.get("args").get(2).asString()));
                case "create",
                        "assign_adapter",
                        "assign_domain",
                        "assign_control_domain",
                        "unassign_adapter",
                        "unassign_domain",
                        "unassign_control_domain" -> {} // the recorded state says what they did
                default -> throw new AssertionError("unknown step " + step);
            }
        }

        private boolean differs(String uuid, JsonNode mdev) {
            // Without a guest ours is a preview; the patch had none.
            QueueSet ours = attached.contains(uuid)
                    ? GuestFilter.RECOMPUTE
                            .apply(ApMask.NONE, masks(mdev, ""), hostConfiguration, bound)
                            .queues()
                    : QueueSet.NONE;
            return !ours.equals(masks(mdev, "guest_").queues());
        }

        private static Matrix masks(JsonNode node, String prefix) {
            return new Matrix(
                    ApMask.parse(node.get(prefix + "apm").asString()),
                    ApMask.parse(node.get(prefix + "aqm").asString()),
                    ApMask.parse(node.get(prefix + "adm").asString()));
        }
    }
}
