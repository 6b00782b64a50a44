package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.agent.HostKernel;
import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.GuestFilter;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueSet;
import io.apportion.ap.ThreadScenario;
import io.apportion.ap.ThreadScenario.Step;
import io.apportion.endtoend.LiveServer.RunningHost;
import io.apportion.simulator.Card;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedSysfs;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.beans.factory.annotation.Autowired;
import tools.jackson.databind.JsonNode;

/** The scenarios of the review through HTTP, an agent and the simulated kernel, measured at both ends. */
@LiveServer.Tried
class ScenariosOverHttpTests {

    @Autowired
    LiveServer server;

    static Stream<Arguments> scenarios() throws IOException {
        return ThreadScenario.all().stream()
                .flatMap(scenario -> Stream.of(GuestFilter.values()).map(filter -> Arguments.of(scenario, filter)));
    }

    @ParameterizedTest(name = "{0}, {1}")
    @MethodSource("scenarios")
    void guestHasTheQueuesThatTheReviewSays(ThreadScenario scenario, GuestFilter filter) throws Exception {
        String name = server.newHost("{\"filter\":\"" + filter + "\"}");
        try (RunningHost host = server.run(name, machine(scenario))) {
            replay(scenario, filter, host);
        }
    }

    @ParameterizedTest(name = "{0}, {1}")
    @MethodSource("scenarios")
    void guestHasThemWhereTheKernelIsWrittenToThroughFiles(
            ThreadScenario scenario, GuestFilter filter, @TempDir Path locks) throws Exception {
        SimulatedHost machine = machine(scenario);
        String name = server.newHost("{\"filter\":\"" + filter + "\"}");
        try (var files = new SimulatedSysfs(machine);
                HostKernel kernel = files.open(locks);
                RunningHost host = server.run(name, machine, kernel)) {
            replay(scenario, filter, host);
            assertThat(files.writes).anyMatch(write -> write.contains("/ap_config 0x"));
        }
    }

    private void replay(ThreadScenario scenario, GuestFilter filter, RunningHost host) throws Exception {
        var replay = new Replay(scenario, host, host.newMdev(scenario.assigned()));
        List<String> expected = new ArrayList<>();
        List<String> computed = new ArrayList<>();
        List<String> guest = new ArrayList<>();
        for (Step step : scenario.steps()) {
            replay.take(step);
            host.awaitSettled();
            expected.add(step + ": " + step.guestQueues().get(filter));
            computed.add(step + ": " + replay.computedQueues());
            guest.add(step + ": " + replay.queuesOfTheGuest());
        }
        assertThat(computed).as("GET guest-matrix").isNotEmpty().isEqualTo(expected);
        assertThat(guest).as("the guest's masks in the kernel").isEqualTo(expected);
    }

    private static SimulatedHost machine(ThreadScenario scenario) {
        QueueSet unbound = scenario.hostConfiguration().queues().minus(QueueSet.of(scenario.bound()));
        return SimulatedHost.builder()
                .cards(scenario.hostConfiguration().adapters().numbers().toArray())
                .domains(scenario.hostConfiguration().domains().numbers().toArray())
                .allForGuests()
                .holes(unbound.queues().toArray(Queue[]::new))
                .build();
    }

    private final class Replay {

        private final RunningHost host;
        private final UUID mdev;
        private final QueueSet everything;

        /** By the scenario, which knows bound queues of domains that are not there. */
        private final Set<Queue> bound;

        /** Not there though their card and their domain are. */
        private final Set<Queue> absent = new HashSet<>();

        Replay(ThreadScenario scenario, RunningHost host, UUID mdev) {
            this.host = host;
            this.mdev = mdev;
            this.everything = scenario.hostConfiguration().queues();
            this.bound = new HashSet<>(scenario.bound());
            host.awaitSettled();
        }

        void take(Step step) throws Exception {
            SimulatedHost machine = host.machine;
            String path = "/api/v1/mdevs/" + mdev;
            switch (step.op()) {
                case "attach" -> machine.openGuest("vm17", mdev);
                case "release" -> machine.closeGuest("vm17");
                case "assignAdapter" -> server.change("PUT", path + "/adapters/" + step.arg(), null);
                case "unassignAdapter" -> server.change("DELETE", path + "/adapters/" + step.arg(), null);
                case "assignDomain" -> server.change("PUT", path + "/domains/" + step.number(), null);
                case "unassignDomain" -> server.change("DELETE", path + "/domains/" + step.number(), null);
                case "bind" -> bind(step.queue());
                case "unbind" -> unbind(step.queue());
                case "hostWithAdapter" -> {
                    keepAway(ApMask.of(step.number()), ApMask.ALL);
                    machine.addCard(new Card(step.number(), "CEX8P", "EP11-Coproc", "93AADH01"));
                }
                case "hostWithoutAdapter" -> machine.removeCard(step.number());
                case "hostWithDomain" -> {
                    keepAway(ApMask.ALL, ApMask.of(step.number()));
                    machine.addDomain(step.number());
                }
                case "hostWithoutDomain" -> machine.removeDomain(step.number());
                default -> throw new AssertionError("unknown step " + step);
            }
        }

        /** The bus binds whatever appears: queues that the scenario binds later must not appear with the card. */
        private void keepAway(ApMask adapters, ApMask domains) {
            everything
                    .queues()
                    .filter(queue -> adapters.has(queue.adapter()) && domains.has(queue.domain()))
                    .filter(queue -> !bound.contains(queue))
                    .forEach(queue -> {
                        absent.add(queue);
                        host.machine.removeQueue(queue);
                    });
        }

        private boolean isThere(Queue queue) {
            return host.machine.read().adapters().stream()
                    .anyMatch(card ->
                            card.adapter() == queue.adapter() && card.devices().has(queue.domain()));
        }

        private void bind(Queue queue) throws KernelRefusal {
            bound.add(queue);
            if (absent.remove(queue)) {
                host.machine.restoreQueue(queue);
            } else if (isThere(queue)) {
                host.machine.bind(queue, true);
            }
        }

        private void unbind(Queue queue) throws KernelRefusal {
            bound.remove(queue);
            if (isThere(queue)) {
                host.machine.unbind(queue);
            }
        }

        List<Queue> computedQueues() throws IOException, InterruptedException {
            JsonNode answer = server.get("/api/v1/mdevs/" + mdev + "/guest-matrix");
            assertThat(answer.get("drifted").asBoolean()).as("%s", answer).isFalse();
            return answer.get("preview").asBoolean()
                    ? List.of()
                    : LiveServer.queues(answer.get("computed").get("queues"));
        }

        List<Queue> queuesOfTheGuest() {
            return host.machine.guestMatrix(mdev).queues().queues().toList();
        }
    }
}
