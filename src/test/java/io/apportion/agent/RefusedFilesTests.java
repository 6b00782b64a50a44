package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.apportion.agent.sysfs.StateFile;
import io.apportion.agent.sysfs.SysfsKernel;
import io.apportion.agent.sysfs.SysfsSettings;
import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.Reservation;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedHostBuilder;
import io.apportion.simulator.SimulatedSysfs;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.DesiredHost.DesiredDriver;
import io.apportion.wire.DesiredHost.DesiredMdev;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.ObservedHost.ObjectResult;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/**
 * Each file that a change writes to refuses it once, through real file operations. With the errnos in turn: that each of them
 * is told for each write is shown by FaultTests and SysfsKernelTests.
 */
class RefusedFilesTests {

    private static final Logger LOG = (Logger) LoggerFactory.getLogger("io.apportion.agent");

    private static final List<String> ERRNOS =
            List.of("EBUSY", "EADDRINUSE", "EADDRNOTAVAIL", "ENODEV", "EINVAL", "EIO");

    private static final UUID A = new UUID(0, 0xa);
    private static final UUID B = new UUID(0, 0xb);
    private static final UUID C = new UUID(0, 0xc);
    private static final UUID BESIDE = new UUID(0, 0xe);
    private static final UUID FOREIGN = new UUID(0, 0xf);
    private static final Matrix FOREIGN_MATRIX = matrix(List.of(6), List.of(0x54));

    @TempDir
    private Path folder;

    /** What was written to, over all tries. */
    private final Set<String> attributes = new TreeSet<>();

    @BeforeEach
    void logLess() {
        LOG.setLevel(Level.OFF);
    }

    @AfterEach
    void logAsBefore() {
        LOG.setLevel(null);
    }

    private enum Kind {
        AP_CONFIG,
        STEP_BY_STEP,
        OVERRIDES;

        SimulatedHost host() {
            SimulatedHostBuilder builder =
                    SimulatedHost.builder().cards(4, 5, 6, 7, 8).domains(0x4, 0x47, 0x54);
            return switch (this) {
                case AP_CONFIG -> builder.bootMasks(ApMask.of(7), ApMask.ALL).build();
                case STEP_BY_STEP ->
                    builder.bootMasks(ApMask.of(7), ApMask.ALL)
                            .withoutApConfig()
                            .build();
                case OVERRIDES -> builder.build();
            };
        }

        DesiredHost desired(long generation, @Nullable String guest) {
            boolean first = generation == 1;
            List<DesiredMdev> mdevs = first
                    ? List.of(mdev(A, guestMatrixOfA(1), null), mdev(B, matrix(List.of(5), List.of(0x54)), null))
                    : List.of(
                            mdev(A, guestMatrixOfA(2), guest),
                            mdev(C, matrix(List.of(5), List.of(0x47)), null),
                            mdev(BESIDE, matrix(List.of(4), List.of(0x54)), null));
            Reservation then = new Reservation(ApMask.of(8), ApMask.of(0x4, 0x47));
            return new DesiredHost(
                    "lpar1",
                    new UUID(1, 1),
                    generation,
                    false,
                    this == OVERRIDES ? BindingMode.OVERRIDE : BindingMode.MASKS,
                    first || this == OVERRIDES ? null : then,
                    0,
                    drivers(first),
                    mdevs);
        }

        private List<DesiredDriver> drivers(boolean first) {
            if (this != OVERRIDES) {
                return first
                        ? List.of()
                        : List.of(driver("06.0004", QueueDriver.NONE), driver("05.0004", QueueDriver.VFIO_AP));
            }
            Stream<String> always =
                    Stream.of("04.0004", "04.0047", "04.0054", "05.0047", "05.0054", "06.0047", "06.0054");
            Stream<DesiredDriver> other = first
                    ? Stream.of(driver("05.0004", QueueDriver.VFIO_AP))
                    : Stream.of(driver("05.0004", QueueDriver.DEFAULT), driver("07.0004", QueueDriver.VFIO_AP));
            return Stream.concat(always.map(queue -> driver(queue, QueueDriver.VFIO_AP)), other)
                    .toList();
        }
    }

    private static DesiredDriver driver(String queue, QueueDriver driver) {
        return new DesiredDriver(Queue.parse(queue), driver, 0);
    }

    private static DesiredMdev mdev(UUID uuid, Matrix matrix, @Nullable String guest) {
        return new DesiredMdev(uuid, matrix, matrix, guest, false, 0);
    }

    private static Matrix matrix(List<Integer> adapters, List<Integer> domains) {
        return new Matrix(ApMask.of(adapters), ApMask.of(domains), ApMask.NONE);
    }

    private static Matrix guestMatrixOfA(long generation) {
        Matrix matrix =
                generation == 1 ? matrix(List.of(4, 5), List.of(0x4, 0x47)) : matrix(List.of(4, 6), List.of(0x47));
        return new Matrix(matrix.adapters(), matrix.domains(), ApMask.of(generation == 1 ? 0x4 : 0x47));
    }

    private static Map<UUID, Matrix> assigned(ObservedHost host) {
        return Objects.requireNonNull(host.mdevs()).stream()
                .collect(Collectors.toMap(ObservedMdev::uuid, mdev -> Objects.requireNonNull(mdev.assigned())));
    }

    @Test
    void isToldOfThatObjectAloneAndMadeSoAtTheNextTry() throws Exception {
        for (Kind kind : Kind.values()) {
            int write = 0;
            while (refusedAt(kind, write, ERRNOS.get((write + kind.ordinal()) % ERRNOS.size()))) {
                write++;
            }
            assertThat(write).as(kind + ": writes").isGreaterThan(8);
        }
        assertThat(attributes)
                .contains(
                        "create",
                        "remove",
                        "ap_config",
                        "assign_adapter",
                        "unassign_adapter",
                        "assign_domain",
                        "unassign_domain",
                        "assign_control_domain",
                        "unassign_control_domain",
                        "bind",
                        "unbind",
                        "driver_override",
                        "apmask",
                        "aqmask");
    }

    /** Returns false when there is no such write. */
    private boolean refusedAt(Kind kind, int write, String errno) throws Exception {
        Path state = folder.resolve("state.json");
        Files.deleteIfExists(state);
        SimulatedHost host = kind.host();
        AtomicReference<@Nullable String> refused = new AtomicReference<>();
        try (SimulatedSysfs files = new SimulatedSysfs(host);
                SysfsKernel kernel = SysfsKernel.open(files.settings(folder))) {
            host.createForeign(FOREIGN, kind == Kind.OVERRIDES ? Matrix.EMPTY : FOREIGN_MATRIX);
            Reconciler reconciler = new Reconciler(kernel, new StateFile(state), Keep.NOTHING);
            reconciler.apply(kind.desired(1, null));
            host.openGuest("vm1", A);
            if (kind != Kind.OVERRIDES) {
                host.unbind(Queue.parse("05.0004"));
                assertThat(host.guestMatrix(A).adapters()).isEqualTo(ApMask.of(4));
            }
            List<String> losses = new ArrayList<>();
            Matrix stays = guestMatrixOfA(1).and(guestMatrixOfA(2));
            host.onCommit(commit -> {
                Matrix kept = commit.before().and(stays);
                if (!kept.adapters().isIn(commit.after().adapters())
                        || !kept.domains().isIn(commit.after().domains())) {
                    losses.add(commit.toString());
                }
            });
            files.writes.clear();
            AtomicInteger left = new AtomicInteger(write);
            files.refusal = (path, text) -> {
                attributes.add(path.substring(path.lastIndexOf('/') + 1));
                if (left.getAndDecrement() == 0) {
                    refused.set(path + " " + text.strip());
                    return errno;
                }
                return null;
            };
            DesiredHost change =
                    kind.desired(2, Objects.requireNonNull(host.guestOf(A)).identity());
            List<ObjectResult> results =
                    Objects.requireNonNull(reconciler.apply(change)).results();
            String at = refused.get();
            String when = kind + ", " + errno + " at write " + write + ": " + at;
            if (at != null) {
                isTold(results, at, errno, when);
                if (!at.contains(BESIDE.toString())) {
                    assertThat(results)
                            .as("%s: what has nothing to do with it", when)
                            .contains(new ObjectResult("mdev", BESIDE.toString(), null, null));
                }
            }
            for (int tries = 0; reconciler.isUnfinished() && tries < 3; tries++) {
                reconciler.retry();
            }

            Map<UUID, Matrix> expected =
                    change.mdevs().stream().collect(Collectors.toMap(DesiredMdev::uuid, DesiredMdev::claim));
            expected.put(FOREIGN, kind == Kind.OVERRIDES ? Matrix.EMPTY : FOREIGN_MATRIX);
            ObservedHost now = reconciler.observe();
            assertThat(assigned(now)).as(when).isEqualTo(expected).isEqualTo(assigned(host.read()));
            assertThat(now.adapters()).as(when).isEqualTo(host.read().adapters());
            assertThat(Objects.requireNonNull(now.applied()).results())
                    .as(when)
                    .allMatch(result -> result.errno() == null && result.words() == null);
            assertThat(host.guestMatrix(A).queues())
                    .as(when)
                    .isEqualTo(guestMatrixOfA(2).queues());
            assertThat(losses)
                    .as("%s: what the guest lost that it should keep", when)
                    .isEmpty();
            assertThat(files.writes)
                    .as("%s: what was written to the mdev of somebody else", when)
                    .noneMatch(line -> line.contains(FOREIGN.toString()));
        }
        return refused.get() != null;
    }

    /** Or it was made so in the same pass, in another way or at a second try. */
    private static void isTold(List<ObjectResult> results, String at, String errno, String when) {
        String id = Stream.of(A, B, C, BESIDE)
                .map(UUID::toString)
                .filter(at::contains)
                .findFirst()
                .orElseGet(() ->
                        at.contains("mask ") ? "" : at.replaceFirst(".*?(\\p{XDigit}{2}\\.\\p{XDigit}{4}).*", "$1"));
        List<ObjectResult> told =
                results.stream().filter(result -> errno.equals(result.errno())).toList();
        assertThat(told)
                .as("%s, of all %s", when, results)
                .allMatch(result -> result.id().equals(id)
                        || !String.valueOf(result.words()).contains("write \""));
        assertThat(results.stream().filter(result -> result.id().equals(id)))
                .as(when)
                .allMatch(result -> result.errno() == null
                        || (result.errno().equals(errno)
                                && String.valueOf(result.words()).contains(at.split(" ")[0])));
    }

    // A write that hangs.

    @Test
    void givesUpAWriteThatHangsAndLeavesThatMdevAloneUntilItIsBack() throws Exception {
        SimulatedHost host = Kind.AP_CONFIG.host();
        CountDownLatch back = new CountDownLatch(1);
        try (SimulatedSysfs files = new SimulatedSysfs(host);
                SysfsKernel kernel = SysfsKernel.open(impatient(files.settings(folder)))) {
            Reconciler reconciler = new Reconciler(kernel, new StateFile(folder.resolve("state.json")), Keep.NOTHING);
            files.refusal = (path, text) -> {
                if (path.endsWith(A + "/ap_config")) {
                    try {
                        back.await();
                    } catch (InterruptedException stopped) {
                        return "EINTR";
                    }
                }
                return null;
            };
            List<ObjectResult> results = Objects.requireNonNull(reconciler.apply(Kind.AP_CONFIG.desired(1, null)))
                    .results();
            assertThat(results)
                    .extracting(ObjectResult::id, ObjectResult::errno)
                    .containsExactly(tuple(A.toString(), "ETIMEDOUT"), tuple(B.toString(), null));
            assertThat(assigned(host.read()).get(B)).isEqualTo(matrix(List.of(5), List.of(0x54)));
            assertThat(folder.resolve("s390apconfig.lock")).doesNotExist();

            int written = files.writes.size();
            reconciler.retry();
            assertThat(files.writes).as("it is left alone").hasSize(written);
            assertThat(Objects.requireNonNull(reconciler.observe().applied()).results())
                    .extracting(ObjectResult::errno)
                    .containsExactly("EBUSY", null);

            back.countDown();
            await().until(() -> guestMatrixOfA(1).equals(assigned(host.read()).get(A)));
            await().until(() -> {
                reconciler.retry();
                return !reconciler.isUnfinished();
            });
            assertThat(Objects.requireNonNull(reconciler.observe().applied()).results())
                    .allMatch(result -> result.errno() == null && result.words() == null);
            assertThat(assigned(kernel.read())).isEqualTo(assigned(host.read()));
        } finally {
            back.countDown();
        }
    }

    private static SysfsSettings impatient(SysfsSettings real) throws IOException {
        SysfsSettings.Timings timings = real.timings();
        return new SysfsSettings(
                real.sys(),
                real.proc(),
                real.dev(),
                real.machineId(),
                real.definitions(),
                real.apLock(),
                real.agentLock(),
                new SysfsSettings.Timings(
                        timings.apLock(), timings.remove(), Duration.ofSeconds(1), timings.read(), timings.scan()));
    }
}
