package io.apportion.ap;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The scenarios that the review of patch v11 talked through, step by step, under both filters. */
class ThreadScenariosTests {

    static Stream<Arguments> scenarios() throws IOException {
        return ThreadScenario.all().stream()
                .flatMap(scenario -> Stream.of(GuestFilter.values()).map(filter -> Arguments.of(scenario, filter)));
    }

    @ParameterizedTest(name = "{0}, {1}")
    @MethodSource("scenarios")
    void guestHasTheQueuesThatTheReviewSays(ThreadScenario scenario, GuestFilter filter) {
        var replay = new Replay(scenario, filter);
        List<String> expected = new ArrayList<>();
        List<String> actual = new ArrayList<>();
        for (ThreadScenario.Step step : scenario.steps()) {
            expected.add(step + ": " + step.guestQueues().get(filter));
            actual.add(step + ": " + replay.guestQueuesAfter(step).queues().toList());
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

        Replay(ThreadScenario scenario, GuestFilter filter) {
            this.filter = filter;
            this.hostConfiguration = scenario.hostConfiguration();
            this.assigned = scenario.assigned();
            this.bound = QueueSet.of(scenario.bound());
        }

        QueueSet guestQueuesAfter(ThreadScenario.Step step) {
            switch (step.op()) {
                case "attach" -> {
                    attached = true;
                    guest = Matrix.EMPTY;
                }
                case "release" -> attached = false;
                case "bind" -> bound = bound.with(step.queue());
                case "unbind" -> bound = bound.without(step.queue());
                case "assignAdapter" -> assigned = assigned.or(adapter(step.number()));
                case "unassignAdapter" -> assigned = assigned.minus(adapter(step.number()));
                case "assignDomain" -> assigned = assigned.or(domain(step.number()));
                case "unassignDomain" -> assigned = assigned.minus(domain(step.number()));
                case "hostWithAdapter" -> hostConfiguration = hostConfiguration.or(adapter(step.number()));
                case "hostWithoutAdapter" -> hostConfiguration = hostConfiguration.minus(adapter(step.number()));
                case "hostWithDomain" -> hostConfiguration = hostConfiguration.or(domain(step.number()));
                case "hostWithoutDomain" -> hostConfiguration = hostConfiguration.minus(domain(step.number()));
                default -> throw new AssertionError("unknown step " + step);
            }
            if (!attached) {
                return QueueSet.NONE;
            }
            guest = filter.apply(guest.domains(), assigned, hostConfiguration, bound);
            return guest.queues();
        }

        private static Matrix adapter(int number) {
            return new Matrix(ApMask.of(number), ApMask.NONE, ApMask.NONE);
        }

        private static Matrix domain(int number) {
            return new Matrix(ApMask.NONE, ApMask.of(number), ApMask.NONE);
        }
    }
}
