package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.Reservation;
import io.apportion.endtoend.LiveServer.RunningHost;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.awaitility.core.ThrowingRunnable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import tools.jackson.databind.JsonNode;

/** What the host shows is not what was applied: shown, counted, told, repaired, given up. */
@LiveServer.Tried
class DriftTests {

    private static final ApMask CARDS = ApMask.of(4, 5);
    private static final ApMask DOMAINS = ApMask.of(0x04, 0x47);
    private static final Matrix WANTED = new Matrix(CARDS, DOMAINS, ApMask.NONE);
    private static final Matrix BY_HAND = new Matrix(ApMask.of(4), ApMask.of(0x04), ApMask.NONE);

    @Autowired
    LiveServer server;

    private RunningHost host;
    private UUID mdev;

    private void start(String policy) throws IOException, InterruptedException {
        String name = server.newHost("{\"policy\":\"" + policy + "\"}");
        SimulatedHost machine = SimulatedHost.builder()
                .cards(CARDS.numbers().toArray())
                .domains(DOMAINS.with(0x54).numbers().toArray())
                .allForGuests()
                .build();
        host = server.run(name, machine);
        mdev = host.newMdev(WANTED);
        host.awaitSettled();
        assertThat(drifted()).isFalse();
    }

    @AfterEach
    void stop() {
        host.close();
    }

    private static void eventually(ThrowingRunnable holds) {
        await().atMost(Duration.ofMinutes(1))
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(10))
                .untilAsserted(holds);
    }

    private JsonNode shown() throws IOException, InterruptedException {
        return server.get("/api/v1/mdevs/" + mdev);
    }

    private boolean drifted() throws IOException, InterruptedException {
        return shown().get("drifted").asBoolean();
    }

    private List<String> told() throws IOException, InterruptedException {
        return server.get("/api/v1/events?limit=1000&host=" + host.name)
                .get("items")
                .valueStream()
                .map(event -> event.get("type").asString())
                .filter(type -> type.startsWith("drift."))
                .toList();
    }

    private void eventuallyTold(String... types) {
        eventually(() -> assertThat(told()).containsExactly(types));
    }

    private double measured(String gauge) throws IOException, InterruptedException {
        String wanted = gauge + "{host=\"" + host.name + "\"} ";
        return server.text("/actuator/prometheus")
                .lines()
                .filter(line -> line.startsWith(wanted))
                .mapToDouble(line -> Double.parseDouble(line.substring(wanted.length())))
                .findFirst()
                .orElseThrow();
    }

    private List<UUID> listedAsDrifted() throws IOException, InterruptedException {
        return server.get("/api/v1/mdevs?drifted=true&host=" + host.name)
                .get("items")
                .valueStream()
                .map(item -> UUID.fromString(item.get("uuid").asString()))
                .toList();
    }

    private Matrix inTheKernel() {
        return Objects.requireNonNull(host.machine.read().mdevs()).stream()
                .filter(seen -> seen.uuid().equals(mdev))
                .findFirst()
                .orElseThrow()
                .assigned();
    }

    /** Of the same host: its agent is pushed a new state of everything, and applies it. */
    private void changeSomethingElse() throws IOException, InterruptedException {
        UUID other = host.newMdev(new Matrix(ApMask.of(4), ApMask.of(0x54), ApMask.NONE));
        host.awaitSettled();
        assertThat(host.machine.guestMatrix(other)).isEqualTo(Matrix.EMPTY);
        assertThat(Objects.requireNonNull(host.machine.read().mdevs()))
                .anyMatch(seen -> seen.uuid().equals(other));
    }

    private void requireShownAndCounted() throws IOException, InterruptedException {
        assertThat(drifted()).isTrue();
        assertThat(server.get("/api/v1/mdevs/" + mdev + "/guest-matrix")
                        .get("drifted")
                        .asBoolean())
                .isTrue();
        assertThat(listedAsDrifted()).containsExactly(mdev);
        assertThat(measured("apportion_mdevs_drifted")).isEqualTo(1);
    }

    @Test
    void repairsAMatrixThatWasEditedByHand() throws Exception {
        start("repair");
        long before = host.state().generation();

        host.machine.edit(mdev, BY_HAND);

        eventuallyTold("drift.found", "drift.repair.ordered", "drift.ended");
        assertThat(inTheKernel()).isEqualTo(WANTED);
        assertThat(drifted()).isFalse();
        assertThat(measured("apportion_mdevs_drifted")).isZero();
        assertThat(host.state().generation()).isEqualTo(before + 1);
        assertThat(shown().get("version").asLong()).isEqualTo(1);
    }

    @Test
    void makesAnMdevAnewThatWasRemovedByHand() throws Exception {
        start("repair");

        host.machine.remove(mdev);

        eventuallyTold("drift.found", "drift.repair.ordered", "drift.ended");
        assertThat(inTheKernel()).isEqualTo(WANTED);
        assertThat(drifted()).isFalse();
    }

    @Test
    void writesTheSameMasksAgainWhereTheKernelGivesTheGuestLess() throws Exception {
        start("repair");
        host.machine.openGuest("vm17", mdev);
        host.awaitSettled();
        Queue queue = new Queue(5, 0x47);
        // The reset at unplugging the domain fails; the one that the kernel's own filter does later ends well.
        host.machine.failResets(queue);
        server.change("DELETE", "/api/v1/mdevs/" + mdev + "/domains/0x47", null);
        host.awaitSettled();
        assertThat(host.machine.guestMatrix(mdev).adapters()).isEqualTo(CARDS);
        host.machine.repairResets(queue);

        server.change("PUT", "/api/v1/mdevs/" + mdev + "/domains/0x47", null);

        eventuallyTold("drift.found", "drift.repair.ordered", "drift.ended");
        assertThat(host.machine.guestMatrix(mdev)).isEqualTo(WANTED);
        assertThat(inTheKernel()).isEqualTo(WANTED);
        assertThat(drifted()).isFalse();
        assertThat(shown().get("filtered")).isEmpty();
    }

    @Test
    void endsAfterThreeTriesWithKernelFilteredAndWritesNoMore() throws Exception {
        start("repair");
        host.machine.openGuest("vm17", mdev);
        host.awaitSettled();
        Queue queue = new Queue(5, 0x47);
        host.machine.failResets(queue);
        server.change("DELETE", "/api/v1/mdevs/" + mdev + "/domains/0x47", null);
        host.awaitSettled();

        long before = server.change("PUT", "/api/v1/mdevs/" + mdev + "/domains/0x47", null)
                .get("commit")
                .get("generation")
                .asLong();

        String[] told = {
            "drift.found", "drift.repair.ordered", "drift.repair.ordered", "drift.repair.ordered", "drift.given-up"
        };
        eventuallyTold(told);
        requireShownAndCounted();
        JsonNode filtered = shown().get("filtered");
        assertThat(filtered).hasSize(1);
        assertThat(filtered.get(0).get("adapter").asString()).isEqualTo("0x05");
        assertThat(filtered.get(0).get("reason").asString()).isEqualTo("KERNEL_FILTERED");
        assertThat(LiveServer.queues(filtered.get(0).get("queues"))).contains(queue);
        assertThat(host.machine.guestMatrix(mdev).adapters()).isEqualTo(ApMask.of(4));
        // Reports that show it as before order nothing: only what changes the host's queues does.
        host.machine.createForeign(UUID.randomUUID(), Matrix.EMPTY);
        eventually(() -> assertThat(host.state().matrix().inventory().foreign()).hasSize(1));
        assertThat(host.state().generation()).isEqualTo(before + 3);
        assertThat(told()).containsExactly(told);
        assertThat(server.get("/api/v1/mdevs?filtered=true&host=" + host.name).get("items"))
                .hasSize(1);

        host.machine.repairResets(queue);
        host.machine.unbind(queue);
        host.awaitSettled();
        host.machine.bind(queue, true);
        eventually(() -> assertThat(shown().get("filtered")).isEmpty());
        eventually(() -> assertThat(drifted()).isFalse());
        assertThat(host.machine.guestMatrix(mdev)).isEqualTo(WANTED);
    }

    @Test
    void underReportItIsShownAndNothingIsWritten() throws Exception {
        start("report");
        long before = host.state().generation();

        host.machine.edit(mdev, BY_HAND);

        eventuallyTold("drift.found");
        requireShownAndCounted();
        host.machine.addControlDomain(0x99);
        host.awaitSettled();
        assertThat(host.state().generation()).isEqualTo(before);
        assertThat(inTheKernel()).isEqualTo(BY_HAND);

        changeSomethingElse();
        assertThat(inTheKernel()).isEqualTo(BY_HAND);
        requireShownAndCounted();

        host.machine.edit(mdev, WANTED);
        eventuallyTold("drift.found", "drift.ended");
        assertThat(measured("apportion_mdevs_drifted")).isZero();
    }

    @Test
    void underReportWhatIsFoundIsRepairedOnceThePolicySaysSo() throws Exception {
        start("report");
        host.machine.edit(mdev, BY_HAND);
        eventuallyTold("drift.found");

        server.change("PUT", "/api/v1/hosts/" + host.name, "{\"policy\":\"repair\"}");

        eventually(() -> assertThat(inTheKernel()).isEqualTo(WANTED));
        eventuallyTold("drift.found", "drift.repair.ordered", "drift.ended");
    }

    @Test
    void whilePausedNothingIsPushedAndEveryAnswerSaysSo() throws Exception {
        start("repair");
        server.change("PUT", "/api/v1/hosts/" + host.name, "{\"policy\":\"paused\"}");

        host.machine.edit(mdev, BY_HAND);
        JsonNode answer = server.change("DELETE", "/api/v1/mdevs/" + mdev + "/adapters/0x05", null);
        assertThat(answer.get("paused").asBoolean()).isTrue();
        host.machine.addControlDomain(0x99);
        eventually(() -> assertThat(
                        host.state().matrix().inventory().hostConfiguration().controlDomains())
                .isEqualTo(DOMAINS.with(0x54).with(0x99)));
        assertThat(inTheKernel()).isEqualTo(BY_HAND);
        assertThat(shown().get("paused").asBoolean()).isTrue();
        assertThat(shown().get("commit").get("state").asString()).isEqualTo("pending");

        server.change("PUT", "/api/v1/hosts/" + host.name, "{\"policy\":\"repair\"}");
        host.awaitSettled();
        assertThat(inTheKernel()).isEqualTo(new Matrix(ApMask.of(4), DOMAINS, ApMask.NONE));
    }

    // ---- the host's own drift

    private JsonNode hostShown() throws IOException, InterruptedException {
        return server.get("/api/v1/hosts/" + host.name);
    }

    private void reserve() throws IOException, InterruptedException {
        server.change("PUT", "/api/v1/hosts/" + host.name + "/reservation", "{\"adapters\":[32],\"domains\":[153]}");
        host.awaitSettled();
        assertThat(masks()).isEqualTo(new Reservation(ApMask.of(32), ApMask.of(0x99)));
    }

    private Reservation masks() {
        return Objects.requireNonNull(host.machine.read().masks());
    }

    @Test
    void masksChangedByHandAreOnlyReported() throws Exception {
        start("repair");
        reserve();
        long before = host.state().generation();

        host.machine.writeApmask("+33");

        eventuallyTold("drift.found");
        assertThat(server.get("/api/v1/hosts/" + host.name + "/reservation")
                        .get("drifted")
                        .asBoolean())
                .isTrue();
        assertThat(hostShown().get("drift").get("reservation").asBoolean()).isTrue();
        host.machine.addControlDomain(0x99);
        host.awaitSettled();
        assertThat(host.state().generation()).isEqualTo(before);
        assertThat(masks().apmask()).isEqualTo(ApMask.of(32, 33));

        changeSomethingElse();
        assertThat(masks().apmask()).isEqualTo(ApMask.of(32, 33));
        assertThat(hostShown().get("drift").get("reservation").asBoolean()).isTrue();
    }

    @Test
    void masksChangedByHandAreRepairedUnderRepairAll() throws Exception {
        start("repair-all");
        reserve();

        host.machine.writeApmask("+33");

        eventuallyTold("drift.found", "drift.repair.ordered", "drift.ended");
        assertThat(masks()).isEqualTo(new Reservation(ApMask.of(32), ApMask.of(0x99)));
        assertThat(hostShown().get("drift").get("reservation").asBoolean()).isFalse();
    }

    @Test
    void repairsAManagedDriverThatWasChangedByHand() throws Exception {
        start("repair");
        Queue queue = new Queue(5, 0x54);
        manage(queue);

        host.machine.unbind(queue);

        eventuallyTold("drift.found", "drift.repair.ordered", "drift.ended");
        assertThat(server.get(driverOf(queue)).get("driver").asString()).isEqualTo("vfio_ap");
        assertThat(isBound(queue)).isTrue();
    }

    @Test
    void repairsADriverEachTimeWhileMasksThatWereChangedByHandAreOnlyShown() throws Exception {
        start("repair");
        reserve();
        Queue queue = new Queue(5, 0x54);
        manage(queue);
        host.machine.writeApmask("+33");
        eventuallyTold("drift.found");

        for (int time = 1; time <= 4; time++) {
            host.machine.unbind(queue);
            List<String> told = new ArrayList<>(List.of("drift.found"));
            told.addAll(Collections.nCopies(time, "drift.repair.ordered"));
            eventuallyTold(told.toArray(String[]::new));
            eventually(() -> assertThat(isBound(queue)).isTrue());
            host.awaitSettled();
        }
        assertThat(masks().apmask()).isEqualTo(ApMask.of(32, 33));
    }

    @Test
    void underReportAManagedDriverThatWasChangedByHandIsShownAndNothingIsWritten() throws Exception {
        start("report");
        Queue queue = new Queue(5, 0x54);
        manage(queue);

        host.machine.unbind(queue);

        eventuallyTold("drift.found");
        assertThat(server.get(driverOf(queue)).get("drifted").asBoolean()).isTrue();
        assertThat(hostShown().get("drift").get("drivers").get(0).asString()).isEqualTo("05.0054");
        assertThat(isBound(queue)).isFalse();

        changeSomethingElse();
        assertThat(isBound(queue)).isFalse();
        assertThat(server.get(driverOf(queue)).get("drifted").asBoolean()).isTrue();
    }

    /** What the guest loses by it is another generation first; the driver is found drifted once that is applied. */
    @Test
    void aManagedQueueThatWasTakenFromAGuestByHandComesBack() throws Exception {
        start("repair");
        Queue queue = new Queue(5, 0x47);
        manage(queue);
        host.machine.openGuest("vm17", mdev);
        host.awaitSettled();

        host.machine.unbind(queue);

        eventually(() -> assertThat(host.machine.guestMatrix(mdev)).isEqualTo(WANTED));
        eventually(() -> assertThat(shown().get("filtered")).isEmpty());
        assertThat(isBound(queue)).isTrue();
        eventuallyTold("drift.found", "drift.repair.ordered", "drift.ended");
    }

    private String driverOf(Queue queue) {
        return "/api/v1/hosts/" + host.name + "/queues/" + queue + "/driver";
    }

    private void manage(Queue queue) throws IOException, InterruptedException {
        server.change("PUT", driverOf(queue), "{\"driver\":\"vfio_ap\"}");
        host.awaitSettled();
    }

    private boolean isBound(Queue queue) {
        return Objects.requireNonNull(host.machine.read().adapters()).stream()
                .filter(card -> card.adapter() == queue.adapter())
                .map(ObservedAdapter::bound)
                .anyMatch(bound -> bound.has(queue.domain()));
    }

    @Test
    void aQueueThatNobodyManagesIsNoDrift() throws Exception {
        start("repair-all");
        Queue queue = new Queue(5, 0x47);
        long before = host.state().generation();

        host.machine.unbind(queue);
        host.awaitSettled();

        assertThat(told()).isEmpty();
        assertThat(isBound(queue)).isFalse();
        assertThat(shown().get("filtered").get(0).get("reason").asString()).isEqualTo("QUEUE_NOT_BOUND");
        assertThat(host.state().generation()).isGreaterThan(before);
    }
}
