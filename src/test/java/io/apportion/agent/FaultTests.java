package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.apportion.agent.sysfs.StateFile;
import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.Reservation;
import io.apportion.simulator.Card;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedHostBuilder;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.DesiredHost.DesiredDriver;
import io.apportion.wire.DesiredHost.DesiredMdev;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.ObservedHost.ObjectResult;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/**
 * One change that does everything an agent can do, on a host where somebody else has an mdev too; and something goes wrong
 * at each of its moments in turn.
 */
class FaultTests {

    private static final Logger LOG = (Logger) LoggerFactory.getLogger("io.apportion.agent");

    private static final UUID A = new UUID(0, 0xa);
    private static final UUID B = new UUID(0, 0xb);
    private static final UUID C = new UUID(0, 0xc);
    private static final UUID D = new UUID(0, 0xd);
    private static final UUID FOREIGN = new UUID(0, 0xf);

    private static final Matrix FOREIGN_MATRIX = matrix(List.of(6), List.of(0x54));
    private static final Reservation AT_BOOT = new Reservation(ApMask.of(7), ApMask.ALL);
    private static final Reservation THEN = new Reservation(ApMask.of(8), ApMask.ALL);
    private static final Queue GIVEN_AWAY = Queue.parse("05.0054");

    @TempDir
    private Path folder;

    private Path file;
    private SimulatedHost host = SimulatedHost.builder().build();
    private JournalledKernel kernel = new JournalledKernel(host);
    private final List<String> losses = new ArrayList<>();

    /** Then the mdev of somebody else is gone. */
    private boolean rebooted;

    /** Moments until it dies. */
    private int left;

    /** The process is gone: nothing of it runs on. */
    private static final class Death extends Error {
        private static final long serialVersionUID = 1L;
    }

    enum Kind {
        WITH_AP_CONFIG(builder -> builder),
        STEP_BY_STEP(SimulatedHostBuilder::withoutApConfig),
        BLIND_TO_GUESTS(SimulatedHostBuilder::withoutGuests);

        private final UnaryOperator<SimulatedHostBuilder> host;

        Kind(UnaryOperator<SimulatedHostBuilder> host) {
            this.host = host;
        }
    }

    @BeforeEach
    void logLess() {
        LOG.setLevel(Level.OFF);
        file = folder.resolve("state.json");
    }

    @AfterEach
    void logAsBefore() {
        LOG.setLevel(null);
    }

    // The change.

    /** A host with a guest on A, at generation 1, and the change that is to come. */
    private DesiredHost prepare(Kind kind) {
        try {
            Files.deleteIfExists(file);
            host = kind.host
                    .apply(SimulatedHost.builder()
                            .cards(4, 5, 6, 7, 8)
                            .domains(0x4, 0x47, 0x54)
                            .bootMasks(AT_BOOT.apmask(), AT_BOOT.aqmask()))
                    .build();
            host.createForeign(FOREIGN, FOREIGN_MATRIX);
            kernel = new JournalledKernel(host);
            Reconciler reconciler = restarted();
            reconciler.apply(generation(1, null));
            host.openGuest("vm1", A);
        } catch (IOException | KernelRefusal failure) {
            throw new IllegalStateException(failure);
        }
        losses.clear();
        rebooted = false;
        host.onCommit(commit -> {
            Matrix kept = commit.before().and(guestMatrixOfA(1)).and(guestMatrixOfA(2));
            if (!commit.released()
                    && !(kept.adapters().isIn(commit.after().adapters())
                            && kept.domains().isIn(commit.after().domains()))) {
                losses.add(commit.toString());
            }
        });
        kernel.take();
        ObservedHost.ObservedGuest guest = host.guestOf(A);
        if (guest != null) {
            return generation(2, guest.identity());
        }
        // Where nobody can tell who holds an mdev, it is not enough that the server has forgotten it.
        DesiredHost change = generation(2, null);
        List<DesiredMdev> mdevs = new ArrayList<>(change.mdevs());
        mdevs.add(removing(D));
        return new DesiredHost(
                change.host(),
                change.incarnation(),
                2,
                false,
                change.bindingMode(),
                change.reservation(),
                0,
                change.drivers(),
                mdevs);
    }

    private static DesiredHost generation(long number, @Nullable String guest) {
        List<DesiredMdev> mdevs = number == 1
                ? List.of(
                        mdev(A, guestMatrixOfA(1), guest),
                        mdev(B, matrix(List.of(6), List.of(0x4)), null),
                        mdev(D, matrix(List.of(8), List.of(0x4)), null))
                : List.of(
                        mdev(A, guestMatrixOfA(2), guest),
                        removing(B),
                        mdev(C, matrix(List.of(5, 7), List.of(0x4, 0x47)), null));
        return new DesiredHost(
                "lpar1",
                new UUID(1, 1),
                number,
                false,
                BindingMode.MASKS,
                number == 1 ? null : THEN,
                0,
                number == 1 ? List.of() : List.of(new DesiredDriver(GIVEN_AWAY, QueueDriver.NONE, 0)),
                mdevs);
    }

    private static DesiredMdev removing(UUID uuid) {
        return new DesiredMdev(uuid, Matrix.EMPTY, Matrix.EMPTY, null, true, 0);
    }

    /** The next generation, in which the server asks for the driver once more. */
    private static DesiredHost repaired(DesiredHost change) {
        return new DesiredHost(
                change.host(),
                change.incarnation(),
                change.generation() + 1,
                false,
                change.bindingMode(),
                change.reservation(),
                0,
                List.of(new DesiredDriver(GIVEN_AWAY, QueueDriver.NONE, 1)),
                change.mdevs());
    }

    private static Matrix guestMatrixOfA(long generation) {
        return generation == 1 ? matrix(List.of(4, 5), List.of(0x4, 0x47)) : matrix(List.of(4, 6), List.of(0x47));
    }

    private static DesiredMdev mdev(UUID uuid, Matrix matrix, @Nullable String guest) {
        return new DesiredMdev(uuid, matrix, matrix, guest, false, 0);
    }

    private static Matrix matrix(List<Integer> adapters, List<Integer> domains) {
        return new Matrix(ApMask.of(adapters), ApMask.of(domains), ApMask.NONE);
    }

    private Reconciler restarted() {
        return new Reconciler(kernel.kernel(), new StateFile(file), Keep.NOTHING);
    }

    // What must be so.

    /** Just as that generation says, and whatever is not Apportion's as it was. */
    private void isAtGeneration(long generation, String when) {
        Map<UUID, Matrix> expected = generation(generation, null).mdevs().stream()
                .filter(mdev -> !mdev.removing())
                .collect(Collectors.toMap(DesiredMdev::uuid, DesiredMdev::claim, (one, other) -> one, TreeMap::new));
        if (!rebooted) {
            expected.put(FOREIGN, FOREIGN_MATRIX);
        }
        ObservedHost now = host.read();
        Map<UUID, Matrix> assigned = Objects.requireNonNull(now.mdevs()).stream()
                .collect(Collectors.toMap(
                        ObservedMdev::uuid,
                        mdev -> Objects.requireNonNull(mdev.assigned()),
                        (one, other) -> one,
                        TreeMap::new));
        assertThat(assigned).as(when).isEqualTo(expected);
        assertThat(now.masks()).as(when).isEqualTo(generation == 1 ? AT_BOOT : THEN);
        assertThat(card(now, GIVEN_AWAY.adapter()).bound().has(GIVEN_AWAY.domain()))
                .as(when)
                .isEqualTo(generation == 1);
        assertThat(Objects.requireNonNull(now.mdevs()).stream()
                        .filter(mdev -> mdev.uuid().equals(A))
                        .map(mdev -> Objects.requireNonNull(mdev.guestMatrix()).queues()))
                .as(when)
                .containsExactly(guestMatrixOfA(generation).queues());
        hurtsNobody(when);
    }

    private void hurtsNobody(String when) {
        assertThat(kernel.journal)
                .as("%s: what was written to the mdev of somebody else", when)
                .noneMatch(line -> line.matches("\\w+ f( .*)?"));
        assertThat(losses)
                .as("%s: what a running guest lost that it should keep", when)
                .isEmpty();
    }

    private static ObservedAdapter card(ObservedHost host, int adapter) {
        return Objects.requireNonNull(host.adapters()).stream()
                .filter(card -> card.adapter() == adapter)
                .findFirst()
                .orElseThrow();
    }

    // Deaths.

    private void moment() {
        if (left-- == 0) {
            throw new Death();
        }
    }

    /** Dies before, in the midst of and after storing. */
    private final class MortalMemory implements AgentMemory {
        private final StateFile state = new StateFile(file);

        @Override
        public Remembered recall() {
            return state.recall();
        }

        @Override
        public void remember(Remembered remembered) {
            moment();
            try {
                Files.writeString(file.resolveSibling("state.json.next"), "{\"format\":1,\"remembered\":{\"bootId");
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
            moment();
            state.remember(remembered);
            moment();
        }
    }

    /** Returns false when the change came to its end before that moment. */
    private boolean diesAt(int moment, DesiredHost change) {
        return diesAt(moment, () -> mortal().apply(change));
    }

    private boolean diesAt(int moment, Runnable agent) {
        left = moment;
        kernel.refusal = line -> {
            moment();
            return null;
        };
        kernel.afterWrite = this::moment;
        try {
            agent.run();
            return false;
        } catch (Death death) {
            return true;
        } finally {
            kernel.refusal = line -> null;
            kernel.afterWrite = () -> {};
        }
    }

    private Reconciler mortal() {
        return new Reconciler(kernel.kernel(), new MortalMemory(), Keep.NOTHING);
    }

    private long stored() {
        return Objects.requireNonNull(new StateFile(file).recall().desired()).generation();
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void finishesWhateverItDiedAtAndTheServerIsAway(Kind kind) {
        int moment = 0;
        DesiredHost change = prepare(kind);
        while (diesAt(moment, change)) {
            String when = kind + ", died at moment " + moment;
            restarted().resume();
            isAtGeneration(stored(), when);
            kernel.take();
            Reconciler again = restarted();
            again.resume();
            again.retry();
            assertThat(kernel.take()).as(when + ", restarted once more").isEmpty();
            again.apply(change);
            isAtGeneration(2, when + ", and the server was there again");
            assertThat(again.isUnfinished()).as(when).isFalse();
            moment++;
            change = prepare(kind);
        }
        isAtGeneration(2, kind + ", alive");
        assertThat(moment).as("moments").isGreaterThan(20);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void makesItSoAfterTheHostWentDownWithIt(Kind kind) {
        int moment = 0;
        while (diesAt(moment, prepare(kind))) {
            rebooted = true;
            host.reboot();
            restarted().resume();
            isAtGeneration(stored(), kind + ", the host went down at moment " + moment);
            moment++;
        }
        assertThat(moment).as("moments").isGreaterThan(20);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void finishesWhateverItDiedAtDuringTheBoot(Kind kind) {
        int moment = 0;
        boolean died;
        do {
            DesiredHost change = prepare(kind);
            restarted().apply(change);
            host.reboot();
            rebooted = true;
            died = diesAt(moment, () -> mortal().resume());
            restarted().resume();
            isAtGeneration(2, kind + ", died at moment " + moment + " of the boot");
            moment++;
        } while (died);
        assertThat(moment).isGreaterThan(10);
    }

    // Refusals.

    @ParameterizedTest
    @ValueSource(
            strings = {
                "EBUSY",
                "EADDRINUSE",
                "EADDRNOTAVAIL",
                "ENODEV",
                "EINVAL",
                "EIO",
                "EAGAIN",
                "ETIMEDOUT",
                "EEXIST"
            })
    void tellsOfEachRefusalAndMakesItSoOnceThereIsNone(String errno) {
        for (Kind kind : Kind.values()) {
            int writes = 0;
            boolean refused;
            do {
                DesiredHost change = prepare(kind);
                String when = kind + ", " + errno + " at write " + writes;
                left = writes;
                List<String> at = new ArrayList<>();
                kernel.refusal = line -> {
                    if (left-- == 0) {
                        at.add(line);
                        return errno;
                    }
                    return null;
                };
                Reconciler reconciler = restarted();
                List<ObjectResult> results =
                        Objects.requireNonNull(reconciler.apply(change)).results();
                kernel.refusal = line -> null;
                refused = !at.isEmpty();
                hurtsNobody(when);
                // Some writes are made in another way in the same pass, or once more.
                boolean told = results.stream().anyMatch(result -> errno.equals(result.errno()));
                assertThat(reconciler.isUnfinished()).as("%s (%s)", when, at).isEqualTo(told);
                for (int tries = 0; reconciler.isUnfinished() && tries < 3; tries++) {
                    reconciler.retry();
                }
                isAtGeneration(2, when + " " + at);
                writes++;
            } while (refused);
            assertThat(writes).isGreaterThan(7);
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void hurtsNobodyWhenACardVanishesInTheMidst(Kind kind) {
        for (int card : new int[] {4, 5, 6, 7}) {
            int writes = 0;
            boolean[] vanished = new boolean[1];
            do {
                DesiredHost change = prepare(kind);
                String when = kind + ", card " + card + " vanished before write " + writes;
                left = writes;
                vanished[0] = false;
                kernel.refusal = line -> {
                    if (left-- == 0) {
                        vanished[0] = true;
                        // What the card's loss costs the guest, nobody can help.
                        List<String> before = List.copyOf(losses);
                        host.removeCard(card);
                        losses.clear();
                        losses.addAll(before);
                    }
                    return null;
                };
                Reconciler reconciler = restarted();
                reconciler.apply(change);
                kernel.refusal = line -> null;
                hurtsNobody(when);
                if (vanished[0]) {
                    host.addCard(new Card(card, "CEX8P", "EP11-Coproc", "serial"));
                }
                for (int tries = 0; reconciler.isUnfinished() && tries < 3; tries++) {
                    reconciler.retry();
                }
                // A card that comes back has its queues bound as the masks say.
                reconciler.apply(repaired(change));
                isAtGeneration(2, when + ", and came back");
                writes++;
            } while (vanished[0]);
        }
    }

    // Files.

    @Test
    void leavesAllMdevsAloneWhenItsStateIsTornUntilTheServerSaysWhichAreOurs() throws IOException {
        DesiredHost change = prepare(Kind.WITH_AP_CONFIG);
        byte[] whole = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(whole, whole.length / 2));
        Reconciler reconciler = restarted();
        reconciler.resume();
        assertThat(kernel.take()).isEmpty();
        assertThat(Objects.requireNonNull(reconciler.observe().mdevs())).noneMatch(ObservedMdev::own);
        assertThat(reconciler.observe().applied()).isNull();

        reconciler.apply(change);
        hurtsNobody("torn");
        assertThat(kernel.journal)
                .as("no desired state lists it, and no memory")
                .noneMatch(line -> line.endsWith(" d"));
        List<UUID> own = Objects.requireNonNull(reconciler.observe().mdevs()).stream()
                .filter(ObservedMdev::own)
                .map(ObservedMdev::uuid)
                .sorted()
                .toList();
        assertThat(own).containsExactly(A, C);
        assertThat(host.guestMatrix(A).queues()).isEqualTo(guestMatrixOfA(2).queues());
    }

    @Test
    void changesNothingThatItCouldNotRemember() throws IOException {
        DesiredHost change = prepare(Kind.WITH_AP_CONFIG);
        Path inTheWay = file.resolveSibling("state.json.next");
        Files.createDirectories(inTheWay.resolve("x"));
        Reconciler reconciler = restarted();
        assertThatThrownBy(() -> reconciler.apply(change)).isInstanceOf(UncheckedIOException.class);
        assertThat(kernel.take()).isEmpty();
        isAtGeneration(1, "nothing can be stored");
        Files.delete(inTheWay.resolve("x"));
        Files.delete(inTheWay);
        reconciler.apply(change);
        isAtGeneration(2, "it can again");
    }

    /** What a pass that broke off has written is not what the last finished one left. */
    @Test
    void takesNothingForDoneThatABrokenPassMayHaveChanged() {
        DesiredHost change = prepare(Kind.WITH_AP_CONFIG);
        Reconciler reconciler = restarted();
        kernel.afterWrite = () -> {
            if (kernel.journal.getLast().startsWith("create")) {
                throw new IllegalStateException("the kernel does not answer");
            }
        };
        assertThatThrownBy(() -> reconciler.apply(change)).hasMessage("the kernel does not answer");
        kernel.afterWrite = () -> {};
        DesiredHost back =
                generation(1, Objects.requireNonNull(change.mdevs().getFirst().attach()));
        reconciler.apply(new DesiredHost(
                "lpar1",
                back.incarnation(),
                3,
                false,
                back.bindingMode(),
                AT_BOOT,
                0,
                List.of(new DesiredDriver(GIVEN_AWAY, QueueDriver.VFIO_AP, 0)),
                back.mdevs()));
        isAtGeneration(1, "changed back");
    }
}
