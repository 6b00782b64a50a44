package io.apportion.ap;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** One scenario that the review of patch v11 talked through. */
public record ThreadScenario(
        String name, Matrix hostConfiguration, List<Queue> bound, Matrix assigned, List<Step> steps) {

    private static final Path SCENARIOS = Path.of("src/test/resources/conformance/thread-scenarios.json");

    /**
     * @param arg empty for steps that name nothing
     * @param guestQueues of the attached guest, after this step
     */
    public record Step(String op, String arg, Map<GuestFilter, List<Queue>> guestQueues) {

        public int number() {
            return Integer.decode(arg);
        }

        public Queue queue() {
            return Queue.parse(arg);
        }

        @Override
        public String toString() {
            return op + " " + arg;
        }
    }

    public static List<ThreadScenario> all() throws IOException {
        List<ThreadScenario> all = new JsonMapper()
                .readTree(Files.readString(SCENARIOS))
                .valueStream()
                .map(ThreadScenario::of)
                .toList();
        if (all.size() != 9) {
            throw new IOException(all.size() + " scenarios instead of 9 in " + SCENARIOS);
        }
        return all;
    }

    private static ThreadScenario of(JsonNode json) {
        return new ThreadScenario(
                json.get("name").asString(),
                rectangle(json.get("hostConfiguration")),
                queues(json.get("bound")),
                rectangle(json.get("assigned")),
                json.get("steps").valueStream().map(ThreadScenario::step).toList());
    }

    private static Step step(JsonNode json) {
        return new Step(
                json.get("op").asString(),
                json.path("arg").asString(""),
                Stream.of(GuestFilter.values())
                        .collect(Collectors.toMap(
                                filter -> filter,
                                filter -> queues(json.get("guestQueues").get(filter.toString())))));
    }

    private static Matrix rectangle(JsonNode matrix) {
        return new Matrix(mask(matrix.get("adapters")), mask(matrix.get("domains")), ApMask.NONE);
    }

    private static ApMask mask(JsonNode numbers) {
        return ApMask.of(numbers.valueStream()
                .map(JsonNode::asString)
                .map(Integer::decode)
                .toList());
    }

    private static List<Queue> queues(JsonNode queues) {
        return queues.valueStream().map(JsonNode::asString).map(Queue::parse).toList();
    }

    @Override
    public String toString() {
        return name;
    }
}
