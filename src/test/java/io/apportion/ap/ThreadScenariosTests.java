package io.apportion.ap;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The scenarios that the review of patch v11 talked through, step by step, under both filters. */
class ThreadScenariosTests {

    private static final Path SCENARIOS = Path.of("src/test/resources/conformance/thread-scenarios.json");

    static Stream<Arguments> scenarios() throws IOException {
        JsonNode scenarios = new JsonMapper().readTree(Files.readString(SCENARIOS));
        assertThat(scenarios.size()).isEqualTo(9);
        return scenarios
                .valueStream()
                .flatMap(scenario -> Stream.of(GuestFilter.values())
                        .map(filter -> Arguments.of(scenario.get("name").asString(), filter, scenario)));
    }

    @ParameterizedTest(name = "{0}, {1}")
    @MethodSource("scenarios")
    void guestHasTheQueuesThatTheReviewSays(String name, GuestFilter filter, JsonNode scenario) {
        var replay = new Replay(filter, scenario);
        List<String> expected = new ArrayList<>();
        List<String> actual = new ArrayList<>();
        for (JsonNode step : scenario.get("steps")) {
            String label = step.get("op").asString() + " " + step.path("arg").asString("") + ": ";
            expected.add(label
                    + texts(step.get("guestQueues").get(filter.toString())).toList());
            actual.add(label + replay.guestQueuesAfter(step).queues().toList());
        }
        assertThat(actual).isNotEmpty().isEqualTo(expected);
    }

    private static final class Replay {

        private final GuestFilter filter;
        private Matrix hostConfiguration;
        private Matrix assigned;
        private QueueSet bound;
        private boolean attached;
        private Matrix guest = Matrix.EMPTY;

        Replay(GuestFilter filter, JsonNode scenario) {
            this.filter = filter;
            this.hostConfiguration = rectangle(scenario.get("hostConfiguration"));
            this.assigned = rectangle(scenario.get("assigned"));
            this.bound =
                    QueueSet.of(texts(scenario.get("bound")).map(Queue::parse).toList());
        }

        QueueSet guestQueuesAfter(JsonNode step) {
            String op = step.get("op").asString();
            String arg = step.path("arg").asString("");
            switch (op) {
                case "attach" -> {
                    attached = true;
                    guest = Matrix.EMPTY;
                }
                case "release" -> attached = false;
                case "bind" -> bound = bound.with(Queue.parse(arg));
                case "unbind" -> bound = bound.without(Queue.parse(arg));
                case "assignAdapter" -> assigned = assigned.or(adapter(arg));
                case "unassignAdapter" -> assigned = assigned.minus(adapter(arg));
                case "assignDomain" -> assigned = assigned.or(domain(arg));
                case "unassignDomain" -> assigned = assigned.minus(domain(arg));
                case "hostWithAdapter" -> hostConfiguration = hostConfiguration.or(adapter(arg));
                case "hostWithoutAdapter" -> hostConfiguration = hostConfiguration.minus(adapter(arg));
                case "hostWithDomain" -> hostConfiguration = hostConfiguration.or(domain(arg));
                case "hostWithoutDomain" -> hostConfiguration = hostConfiguration.minus(domain(arg));
                default -> throw new AssertionError("unknown step " + op);
            }
            if (!attached) {
                return QueueSet.NONE;
            }
            guest = filter.apply(guest.domains(), assigned, hostConfiguration, bound);
            return guest.queues();
        }

        private static Matrix rectangle(JsonNode matrix) {
            return new Matrix(mask(matrix.get("adapters")), mask(matrix.get("domains")), ApMask.NONE);
        }

        private static ApMask mask(JsonNode numbers) {
            return ApMask.of(texts(numbers).map(Integer::decode).toList());
        }

        private static Matrix adapter(String number) {
            return new Matrix(ApMask.of(Integer.decode(number)), ApMask.NONE, ApMask.NONE);
        }

        private static Matrix domain(String number) {
            return new Matrix(ApMask.NONE, ApMask.of(Integer.decode(number)), ApMask.NONE);
        }
    }

    private static Stream<String> texts(JsonNode array) {
        return array.valueStream().map(JsonNode::asString);
    }
}
