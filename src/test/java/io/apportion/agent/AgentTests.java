package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.apportion.agent.AgentSettings.Timings;
import io.apportion.agent.sysfs.StateFile;
import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.DesiredHost.DesiredMdev;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.ObservedHost.ObservedMdev;
import io.apportion.wire.Report;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** A whole agent on a simulated host, over real HTTP. */
class AgentTests {

    private static final Duration NEVER = Duration.ofHours(1);
    private static final Duration SOON = Duration.ofMillis(5);

    private static final UUID A = new UUID(0, 0xa);
    private static final UUID B = new UUID(0, 0xb);
    private static final UUID INCARNATION = new UUID(1, 1);

    private final ProtocolServer server = new ProtocolServer();
    private final SimulatedHost host =
            SimulatedHost.builder().cards(4, 5).domains(4, 5).allForGuests().build();
    private final JournalledKernel kernel = new JournalledKernel(host);
    private AgentMemory memory = AgentMemory.ofThisProcess();
    private Timings timings = new Timings(NEVER, NEVER, NEVER, SOON, SOON, SOON, NEVER);
    private @Nullable Agent agent;

    AgentTests() throws IOException {}

    @AfterEach
    void close() {
        if (agent != null) {
            agent.close();
        }
        server.close();
    }

    private void start() {
        agent = new Agent(
                new AgentSettings("lpar1", server.address(), "secret", Keep.NOTHING, timings),
                kernel.kernel(),
                memory,
                new Random(1));
        agent.start();
    }

    @Test
    void appliesWhatIsPushedAndReportsWhatTheKernelThenSays() {
        start();
        server.push(desired(1, "04"));
        await().until(() -> appliedGeneration() == 1);
        server.push(desired(2, "04,05"));
        await().until(() -> appliedGeneration() == 2);
        ObservedHost last = server.reports.getLast().observed();
        assertThat(Objects.requireNonNull(last.applied()).results()).allMatch(result -> result.errno() == null);
        ObservedMdev mdev = Objects.requireNonNull(last.mdevs()).getFirst();
        assertThat(mdev.own()).isTrue();
        assertThat(mdev.assigned()).isEqualTo(matrix("04,05"));
        assertThat(server.authorizations).containsOnly("Bearer secret");
        assertThat(server.reports.stream().map(Report::sequence).toList())
                .as("in order")
                .isSorted()
                .doesNotHaveDuplicates();
        assertThat(server.mostReportsAtOnce).hasValue(1);
    }

    @Test
    void beatsWhileNothingChanges() {
        timings = new Timings(SOON, NEVER, SOON, SOON, SOON, SOON, NEVER);
        start();
        await().until(() -> server.heartbeats.size() > 20);
        assertThat(server.reports).hasSize(1);
        Report report = server.reports.getFirst();
        assertThat(server.heartbeats)
                .allMatch(beat -> beat.digest().equals(report.digest())
                        && beat.session() == report.session()
                        && beat.instance().equals(report.instance()));
    }

    @Test
    void sendsTheWholeWhenTheServerAsks() {
        timings = new Timings(SOON, NEVER, NEVER, SOON, SOON, SOON, NEVER);
        start();
        await().until(() -> server.heartbeats.size() > 3);
        assertThat(server.reports).hasSize(1);
        host.breakCard(4); // of which no kernel tells
        server.asksForWhole = true;
        await().until(() -> server.reports.size() == 2);
        assertThat(card(server.reports.getLast(), 4).checkstopped()).isTrue();
        server.asksForWhole = true;
        await().until(() -> server.reports.size() == 3);
        assertThat(server.reports.getLast().digest())
                .isEqualTo(server.reports.get(1).digest());
    }

    @Test
    void reportsWhatTheKernelTells() throws KernelRefusal {
        start();
        await().until(() -> server.reports.size() == 1);
        host.unbind(Queue.parse("04.0004"));
        await().until(() -> !card(server.reports.getLast(), 4).bound().has(4));
    }

    @Test
    void findsWhatTheKernelDoesNotTell() {
        timings = new Timings(NEVER, NEVER, SOON, SOON, SOON, SOON, NEVER);
        start();
        await().until(() -> server.reports.size() == 1);
        host.breakCard(4);
        await().until(() -> card(server.reports.getLast(), 4).checkstopped());
        assertThat(server.reports).hasSize(2);
    }

    @Test
    void opensANewSessionWhenAnotherAgentTookOver() {
        timings = new Timings(SOON, NEVER, NEVER, SOON, SOON, SOON, NEVER);
        start();
        await().until(() -> server.dials.contains("session=1"));
        server.takeOver("another");
        await().until(() -> server.dials.contains("session=3"));
        await().until(() -> server.reports.getLast().session() == 3);
        assertThat(server.reports.getLast().sequence()).isEqualTo(1);
        assertThat(server.hellos.stream().map(Report.Hello::instance))
                .hasSize(2)
                .containsOnly(server.hellos.getFirst().instance());
        assertThat(server.hellos.getFirst().bootId()).isEqualTo(host.bootId());
        assertThat(server.hellos.getFirst().machineId()).isEqualTo(host.machineId());

        server.push(desired(1, "04"));
        await().until(() -> appliedGeneration() == 1);
    }

    @Test
    void goesOnCountingWhenTheServerKnowsItsSession() {
        start();
        await().until(() -> server.reports.size() == 1);
        server.loses = true;
        server.push(desired(1, "04"));
        await().until(() -> appliedGeneration() == 1 && server.hellos.size() == 2);
        assertThat(server.session).hasValue(1);
        assertThat(server.reports.stream().map(Report::sequence).toList())
                .isSorted()
                .doesNotHaveDuplicates();
    }

    @Test
    void redialsWhenNothingIsHeard() {
        timings = new Timings(NEVER, Duration.ofMillis(100), NEVER, SOON, SOON, SOON, NEVER);
        server.keepsAlive = false;
        start();
        await().until(() -> server.dials.size() > 2);
        server.push(desired(1, "04"));
        await().until(() -> appliedGeneration() == 1);
    }

    @Test
    void commentsKeepTheStreamOpen() {
        timings = new Timings(Duration.ofMillis(50), Duration.ofMillis(200), NEVER, SOON, SOON, SOON, NEVER);
        start();
        await().until(() -> server.heartbeats.size() > 60);
        // Each silence would have cost a dial; a machine that is very busy may have been silent now and then.
        assertThat(server.dials).hasSizeLessThan(8);
    }

    @Test
    void redialsWhenTheStreamBreaks() {
        start();
        await().until(() -> server.dials.size() == 1);
        server.breakStreams();
        await().until(() -> server.dials.size() == 2);
        server.push(desired(1, "04"));
        await().until(() -> appliedGeneration() == 1);
    }

    @Test
    void reportsBeforeItAppliesUnderAnotherIncarnation() {
        start();
        server.push(desired(7, "04"));
        await().until(() -> appliedGeneration() == 7);
        kernel.take();
        UUID restored = new UUID(1, 2);
        server.beforeAnswer = () -> {
            // What the restored database says once it knows the host; what it says before is too old.
            server.desired = desired(restored, 3, "04,05");
            server.beforeAnswer = () -> {};
        };
        int reports = server.reports.size();
        server.push(desired(restored, 2, "05"));
        await().until(() -> appliedGeneration() == 3);
        ObservedHost first = server.reports.get(reports).observed();
        assertThat(Objects.requireNonNull(first.applied()).generation()).isEqualTo(7);
        assertThat(kernel.take()).containsExactly("configure a 4,5x4");
    }

    @Test
    void appliesFromMemoryAfterARebootWithoutTheServer() {
        start();
        server.push(desired(1, "04"));
        await().until(() -> appliedGeneration() == 1);
        Objects.requireNonNull(agent).close();
        server.close();
        host.reboot();
        kernel.take();
        start();
        await().until(() -> kernel.journal.contains("configure a 4x4"));
    }

    @Test
    void isReadyOnceTheHostIsAsRememberedThoughTheServerIsAway(@TempDir Path folder) throws InterruptedException {
        memory = new StateFile(folder.resolve("state.json"));
        start();
        server.push(desired(1, "04"));
        await().until(() -> appliedGeneration() == 1);
        Objects.requireNonNull(agent).close();
        server.close();
        host.reboot();
        CountDownLatch written = new CountDownLatch(1);
        kernel.refusal = line -> {
            awaited(written);
            return null;
        };
        start();
        assertThat(agent.awaitResumed(SOON)).isFalse();
        written.countDown();
        assertThat(agent.awaitResumed(NEVER)).isTrue();
        assertThat(kernel.take()).endsWith("create a", "configure a 4x4");
        kernel.take();
        agent.close();
        start();
        assertThat(agent.awaitResumed(NEVER)).isTrue();
        assertThat(kernel.take()).as("what a restart writes").isEmpty();
    }

    private static void awaited(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException closing) {
            Thread.currentThread().interrupt();
        }
    }

    /** What a kernel does that never comes back from a write. */
    @Test
    void isHeardWhileAWriteHangsAndTellsOfItOnceItIsGivenUp() {
        timings = new Timings(SOON, NEVER, SOON, SOON, SOON, NEVER, NEVER);
        CountDownLatch givenUp = new CountDownLatch(1);
        kernel.refusal = line -> {
            if (line.equals("create a")) {
                awaited(givenUp);
                return "ETIMEDOUT";
            }
            return null;
        };
        start();
        await().until(() -> !server.reports.isEmpty());
        server.push(desiredOfTwo(1));
        await().until(() -> kernel.journal.contains("create a"));
        int beats = server.heartbeats.size();
        await().until(() -> server.heartbeats.size() > beats + 10);
        givenUp.countDown();
        await().until(() -> appliedGeneration() == 1);
        assertThat(applied().results())
                .extracting(ObservedHost.ObjectResult::id, ObservedHost.ObjectResult::errno)
                .containsExactly(tuple(A.toString(), "ETIMEDOUT"), tuple(B.toString(), null));
    }

    @Test
    void tellsWhatItSeesThoughItCanRememberNothing() {
        AtomicBoolean full = new AtomicBoolean(true);
        AgentMemory kept = memory;
        memory = new AgentMemory() {
            @Override
            public Remembered recall() {
                return kept.recall();
            }

            @Override
            public void remember(Remembered remembered) {
                if (full.get()) {
                    host.breakCard(4);
                    throw new UncheckedIOException(new IOException("no space left on device"));
                }
                kept.remember(remembered);
            }
        };
        start();
        await().until(() -> !server.reports.isEmpty());
        server.push(desired(1, "04"));
        await().until(() -> card(server.reports.getLast(), 4).checkstopped());
        assertThat(appliedGeneration()).isZero();
        full.set(false);
        await().until(() -> appliedGeneration() == 1);
        assertThat(kernel.take()).containsExactly("create a", "configure a 4x4");
    }

    @Test
    void theFirstLookWaitsForTheBindings() {
        CountDownLatch bindings = new CountDownLatch(1);
        kernel.awaitBindings = bindings::await;
        timings = new Timings(SOON, NEVER, SOON, SOON, SOON, SOON, NEVER);
        host.reboot();
        start();
        host.breakCard(4);
        bindings.countDown();
        await().until(() -> !server.reports.isEmpty());
        assertThat(card(server.reports.getFirst(), 4).checkstopped()).isTrue();
    }

    @Test
    void sendsNeverTwoReportsAtOnce() {
        timings = new Timings(SOON, NEVER, SOON, SOON, SOON, SOON, NEVER);
        CountDownLatch answers = new CountDownLatch(1);
        server.beforeAnswer = () -> {
            try {
                answers.await();
            } catch (InterruptedException closing) {
                Thread.currentThread().interrupt();
            }
        };
        start();
        await().until(() -> server.reports.size() == 1);
        host.breakCard(4);
        int reads = kernel.reads.get();
        await().until(() -> kernel.reads.get() > reads + 10);
        assertThat(server.reports).hasSize(1);
        answers.countDown();
        await().until(() -> card(server.reports.getLast(), 4).checkstopped());
        assertThat(server.mostReportsAtOnce).hasValue(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {401, 403, 404, 409, 503})
    void keepsTryingWhenItIsRefusedAndSaysSoOnce(int status) {
        Logger logger = (Logger) LoggerFactory.getLogger(Reporter.class);
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        log.start();
        logger.setLevel(Level.WARN);
        logger.addAppender(log);
        try {
            server.refusal = status;
            start();
            await().until(() -> server.authorizations.size() > 10);
            assertThat(log.list).hasSize(1);
            assertThat(log.list.getFirst().getFormattedMessage())
                    .contains("lpar1", String.valueOf(status), "Refused by the test. Wait.")
                    .doesNotContain("secret");
            server.refusal = 0;
            await().until(() -> server.reports.size() == 1);
        } finally {
            logger.detachAppender(log);
            logger.setLevel(null);
        }
    }

    @Test
    void triesAgainWhatTheKernelRefused() {
        AtomicInteger refusals = new AtomicInteger(3);
        kernel.refusal = line -> line.startsWith("create") && refusals.getAndDecrement() > 0 ? "EUSERS" : null;
        start();
        server.push(desired(1, "04"));
        await().until(() ->
                appliedGeneration() == 1 && applied().results().stream().allMatch(result -> result.errno() == null));
        assertThat(server.reports.stream()
                        .map(report -> report.observed().applied())
                        .filter(Objects::nonNull)
                        .flatMap(applied -> applied.results().stream())
                        .map(ObservedHost.ObjectResult::errno))
                .contains("EUSERS");
    }

    @Test
    void goesOnAfterAFailureThatNobodyForesaw() {
        AtomicInteger failures = new AtomicInteger(2);
        kernel.afterWrite = () -> {
            if (failures.getAndDecrement() > 0) {
                throw new IllegalStateException("a bug, or a file system that is gone");
            }
        };
        start();
        server.push(desired(1, "04"));
        await().until(() -> appliedGeneration() == 1);
        assertThat(Objects.requireNonNull(server.reports.getLast().observed().mdevs()))
                .extracting(ObservedMdev::assigned)
                .containsExactly(matrix("04"));
    }

    @Test
    void appliesNoStateOfAnotherHost() {
        start();
        DesiredHost other = desired(1, "04");
        server.push(new DesiredHost(
                "lpar2", other.incarnation(), 1, false, other.bindingMode(), null, 0, List.of(), other.mdevs()));
        await().until(() -> server.dials.size() > 2);
        assertThat(kernel.take()).isEmpty();
    }

    @Test
    void endsAtOnceWhileItWaitsForBindings() {
        kernel.awaitBindings = () -> new CountDownLatch(1).await();
        start();
        Objects.requireNonNull(agent).close(); // or hangs
        assertThat(server.reports).isEmpty();
    }

    @Test
    void endsAtOnceWhileItListens() {
        start();
        await().until(() -> server.dials.size() == 1 && !server.reports.isEmpty());
        Objects.requireNonNull(agent).close(); // or hangs
    }

    private ObservedHost.Applied applied() {
        return Objects.requireNonNull(server.reports.getLast().observed().applied());
    }

    /** As the server knows it. */
    private long appliedGeneration() {
        if (server.reports.isEmpty()) {
            return 0;
        }
        ObservedHost.Applied applied = server.reports.getLast().observed().applied();
        return applied == null ? 0 : applied.generation();
    }

    private static ObservedHost.ObservedAdapter card(Report report, int adapter) {
        return Objects.requireNonNull(report.observed().adapters()).stream()
                .filter(card -> card.adapter() == adapter)
                .findFirst()
                .orElseThrow();
    }

    private static DesiredHost desired(long generation, String adapters) {
        return desired(INCARNATION, generation, adapters);
    }

    /** Adapter 4 for A, 5 for B. */
    private static DesiredHost desiredOfTwo(long generation) {
        DesiredHost desired = desired(generation, "04");
        return new DesiredHost(
                "lpar1",
                desired.incarnation(),
                generation,
                false,
                desired.bindingMode(),
                null,
                0,
                List.of(),
                List.of(
                        new DesiredMdev(A, matrix("04"), matrix("04"), null, false, 0),
                        new DesiredMdev(B, matrix("05"), matrix("05"), null, false, 0)));
    }

    private static DesiredHost desired(UUID incarnation, long generation, String adapters) {
        return new DesiredHost(
                "lpar1",
                incarnation,
                generation,
                false,
                BindingMode.MASKS,
                null,
                0,
                List.of(),
                List.of(new DesiredMdev(A, matrix(adapters), matrix(adapters), null, false, 0)));
    }

    /** These adapters, and domain 4. */
    private static Matrix matrix(String adapters) {
        ApMask mask = ApMask.NONE;
        for (String adapter : adapters.split(",")) {
            mask = mask.with(Integer.parseInt(adapter, 16));
        }
        return new Matrix(mask, ApMask.of(4), ApMask.NONE);
    }
}
