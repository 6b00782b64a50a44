package io.apportion.ap;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The scenarios of the review as a host's matrix lives them: every step is a change that is planned. */
class PlanningScenariosTests {

    private static final UUID MDEV = new UUID(0, 1);

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
            replay.take(step);
            expected.add(step + ": " + step.guestQueues().get(filter));
            actual.add(step + ": " + replay.guestQueues().queues().toList());
        }
        assertThat(actual).isNotEmpty().isEqualTo(expected);
    }

    private static final class Replay {

        private HostMatrix host;
        private Matrix configuration;
        private QueueSet bound;
        private boolean attached;

        /** The sum of all effects: what the guest must hold. */
        private Matrix plugged = Matrix.EMPTY;

        Replay(ThreadScenario scenario, GuestFilter filter) {
            host = new HostMatrix(filter, null, Inventory.NEVER_REPORTED, null, Map.of(), Map.of());
            configuration = scenario.hostConfiguration();
            bound = QueueSet.of(scenario.bound());
            report();
            plan(new Change.Create(MDEV, scenario.assigned()));
        }

        void take(ThreadScenario.Step step) {
            switch (step.op()) {
                case "assignAdapter" -> plan(new Change.Assign(MDEV, adapter(step.number())));
                case "unassignAdapter" -> plan(new Change.Unassign(MDEV, adapter(step.number())));
                case "assignDomain" -> plan(new Change.Assign(MDEV, domain(step.number())));
                case "unassignDomain" -> plan(new Change.Unassign(MDEV, domain(step.number())));
                default -> {
                    switch (step.op()) {
                        case "attach" -> attached = true;
                        case "release" -> attached = false;
                        case "bind" -> bound = bound.with(step.queue());
                        case "unbind" -> bound = bound.without(step.queue());
                        case "hostWithAdapter" -> configuration = configuration.or(adapter(step.number()));
                        case "hostWithoutAdapter" -> configuration = configuration.minus(adapter(step.number()));
                        case "hostWithDomain" -> configuration = configuration.or(domain(step.number()));
                        case "hostWithoutDomain" -> configuration = configuration.minus(domain(step.number()));
                        default -> throw new AssertionError("unknown step " + step);
                    }
                    report();
                }
            }
        }

        private static Matrix adapter(int number) {
            return new Matrix(ApMask.of(number), ApMask.NONE, ApMask.NONE);
        }

        private static Matrix domain(int number) {
            return new Matrix(ApMask.NONE, ApMask.of(number), ApMask.NONE);
        }

        private void report() {
            Inventory never = Inventory.NEVER_REPORTED;
            Inventory inventory = new Inventory(
                    true,
                    true,
                    true,
                    255,
                    255,
                    configuration,
                    never.masks(),
                    never.keep(),
                    bound,
                    bound,
                    QueueSet.NONE,
                    QueueSet.NONE,
                    QueueSet.NONE,
                    Map.of());
            Mdev mdev = host.mdevs().get(MDEV);
            Map<UUID, Change.Observe.Seen> seen = mdev == null
                    ? Map.of()
                    : Map.of(
                            MDEV,
                            new Change.Observe.Seen(
                                    host.claim(mdev),
                                    mdev.guestMatrix(),
                                    true,
                                    attached ? new Guest("boot/1/1", "vm17") : null));
            plan(new Change.Observe(inventory, false, seen));
        }

        private void plan(Change change) {
            Plan plan = (Plan) host.plan(change);
            host = plan.after();
            plan.effects()
                    .forEach(effect -> plugged = plugged.or(effect.plugged()).minus(effect.unplugged()));
        }

        QueueSet guestQueues() {
            Mdev mdev = host.mdevs().get(MDEV);
            Matrix has = mdev.guest() == null ? Matrix.EMPTY : mdev.guestMatrix();
            assertThat(plugged).as("the sum of the effects").isEqualTo(has);
            return has.queues();
        }
    }
}
