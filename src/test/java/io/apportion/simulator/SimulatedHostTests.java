package io.apportion.simulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueSet;
import io.apportion.ap.Reservation;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Features;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedGuest;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class SimulatedHostTests {

    private static final UUID FIRST = new UUID(1, 1);
    private static final UUID SECOND = new UUID(2, 2);

    /** Adapters 4 and 5, domains 4 and 0x47, all for guests. */
    private final SimulatedHost host =
            SimulatedHost.builder().cards(4, 5).domains(4, 0x47).allForGuests().build();

    private final List<GuestCommit> commits = new ArrayList<>();
    private final AtomicInteger calls = new AtomicInteger();

    @Test
    void showsWhatItIsMadeOf() throws KernelRefusal {
        var made = SimulatedHost.builder()
                .machineId("8561-T01")
                .highest(0x3f, 0x54)
                .card(4, "CEX8P", "EP11-Coproc", "93AADHZU42")
                .card(9, "CEX3C", "CCA-Coproc", "OLD")
                .domains(4, 0x47)
                .controlDomains(4, 5)
                .bootMasks(ApMask.ALL, ApMask.ALL.without(4))
                .holes(new Queue(4, 0x47))
                .build();
        made.create(FIRST);
        made.edit(FIRST, matrix(new int[] {4, 5}, 4));

        assertThat(made.machineId()).isEqualTo("8561-T01");
        assertThat(made.read())
                .isEqualTo(new ObservedHost(
                        "7.2.13",
                        new Features(true, true, true),
                        0x3f,
                        0x54,
                        new Matrix(ApMask.of(4, 9), ApMask.of(4, 0x47), ApMask.of(4, 5)),
                        new Reservation(ApMask.ALL, ApMask.ALL.without(4)),
                        Keep.NOTHING,
                        List.of(new ObservedAdapter(
                                4,
                                "CEX8P",
                                "EP11-Coproc",
                                "93AADHZU42",
                                true,
                                true,
                                false,
                                ApMask.of(4, 0x47),
                                ApMask.of(4),
                                ApMask.NONE,
                                ApMask.NONE,
                                ApMask.NONE)),
                        List.of(new ObservedMdev(
                                FIRST,
                                false,
                                matrix(new int[] {4, 5}, 4),
                                matrix(new int[] {4}, 4),
                                ObservedGuest.NONE)),
                        List.of(),
                        null));
    }

    @Test
    void refusesAQueueHeldByAnotherMdev() throws KernelRefusal {
        host.create(FIRST);
        host.configure(FIRST, matrix(new int[] {4}, 4));
        host.createForeign(SECOND, matrix(new int[] {4}, 0x47));

        assertThat(errno(() -> host.assignDomain(SECOND, 4))).isEqualTo("EADDRINUSE");
        assertThat(errno(() -> host.configure(FIRST, matrix(new int[] {4, 5}, 0x47))))
                .isEqualTo("EADDRINUSE");
        assertThat(mdev(FIRST).assigned()).isEqualTo(matrix(new int[] {4}, 4));
        assertThat(errno(() -> host.create(SECOND))).isEqualTo("EEXIST");
    }

    @Test
    void writesEachSingleNumber() throws KernelRefusal {
        host.create(FIRST);
        host.assignAdapter(FIRST, 4);
        host.assignAdapter(FIRST, 5);
        host.assignDomain(FIRST, 4);
        host.assignDomain(FIRST, 0x47);
        host.assignControlDomain(FIRST, 4);
        host.assignControlDomain(FIRST, 0x47);
        host.unassignAdapter(FIRST, 5);
        host.unassignDomain(FIRST, 0x47);
        host.unassignControlDomain(FIRST, 4);

        assertThat(mdev(FIRST).assigned()).isEqualTo(new Matrix(ApMask.of(4), ApMask.of(4), ApMask.of(0x47)));
        host.remove(FIRST);
        assertThat(host.read().mdevs()).isEmpty();
        assertThat(errno(() -> host.remove(FIRST))).isEqualTo("ENOENT");
    }

    @Test
    void guestHasWhatTheKernelLastCommittedToIt() throws KernelRefusal {
        host.onCommit(commits::add);
        host.createForeign(FIRST, new Matrix(ApMask.of(4, 5), ApMask.of(4), ApMask.of(0x47, 0x54)));
        assertThat(host.guestMatrix(FIRST)).isEqualTo(Matrix.EMPTY);

        host.openGuest("vm1", FIRST);
        var both = new Matrix(ApMask.of(4, 5), ApMask.of(4), ApMask.of(0x47));
        assertThat(host.guestMatrix(FIRST)).isEqualTo(both);
        assertThat(mdev(FIRST).guestMatrix()).isEqualTo(matrix(new int[] {4, 5}, 4));

        host.unbind(new Queue(5, 4));
        var one = new Matrix(ApMask.of(4), ApMask.of(4), ApMask.of(0x47));
        assertThat(host.guestMatrix(FIRST)).isEqualTo(one);

        host.closeGuest("vm1");
        assertThat(host.guestMatrix(FIRST)).isEqualTo(Matrix.EMPTY);
        assertThat(mdev(FIRST).guestMatrix()).isEqualTo(matrix(new int[] {4}, 4));
        assertThat(commits)
                .containsExactly(
                        new GuestCommit(FIRST, "vm1", Matrix.EMPTY, both, false),
                        new GuestCommit(FIRST, "vm1", both, one, false),
                        new GuestCommit(FIRST, "vm1", one, Matrix.EMPTY, true));
    }

    @Test
    void guestHasOneMdevAndAnMdevOneGuest() throws KernelRefusal {
        host.create(FIRST);
        host.create(SECOND);
        host.openGuest("vm1", FIRST);

        assertThat(errno(() -> host.openGuest("vm1", SECOND))).isEqualTo("EPERM");
        assertThat(errno(() -> host.openGuest("vm2", FIRST))).isEqualTo("EBUSY");
        assertThat(errno(() -> host.openGuest("vm2", UUID.randomUUID()))).isEqualTo("ENOENT");
        assertThat(errno(() -> host.closeGuest("vm2"))).isEqualTo("ENOENT");
        assertThat(host.guests()).isEqualTo(Map.of("vm1", FIRST));
    }

    @Test
    void eachAttachHasAnIdentityOfItsOwn() throws KernelRefusal {
        host.create(FIRST);
        assertThat(host.guestOf(FIRST)).isEqualTo(ObservedGuest.NONE);
        host.openGuest("vm1", FIRST);
        ObservedGuest before = host.guestOf(FIRST);
        host.closeGuest("vm1");
        assertThat(host.guestOf(FIRST)).isEqualTo(ObservedGuest.NONE);
        host.openGuest("vm1", FIRST);

        assertThat(mdev(FIRST).guest()).isEqualTo(host.guestOf(FIRST)).isNotEqualTo(before);
        assertThat(before.name()).isEqualTo("vm1");
        assertThat(before.identity()).matches(host.bootId() + ":\\d+:\\d+");
    }

    @Test
    void cardThatLeavesIsTakenFromItsGuestAndComesBackInOneCommit() throws KernelRefusal {
        host.createForeign(FIRST, matrix(new int[] {4, 5}, 4, 0x47));
        host.openGuest("vm1", FIRST);
        host.onCommit(commits::add);

        host.removeCard(5);
        assertThat(host.guestMatrix(FIRST)).isEqualTo(matrix(new int[] {4}, 4, 0x47));
        assertThat(adapters()).containsOnlyKeys(4);
        assertThat(mdev(FIRST).assigned()).isEqualTo(matrix(new int[] {4, 5}, 4, 0x47));

        host.addCard(new Card(5, "CEX7C", "CCA-Coproc", "93AABC01"));
        assertThat(host.guestMatrix(FIRST)).isEqualTo(matrix(new int[] {4, 5}, 4, 0x47));
        assertThat(adapters().get(5).type()).isEqualTo("CEX7C");
        assertThat(commits).hasSize(2);
    }

    @Test
    void cardThatComesBackIsWhole() {
        host.breakCard(4);
        host.deconfigureCard(4);
        host.removeCard(4);
        host.addCard(new Card(4, "CEX8P", "EP11-Coproc", "93AADH04"));

        assertThat(adapters().get(4).configured()).isTrue();
        assertThat(adapters().get(4).checkstopped()).isFalse();
    }

    @Test
    void domainThatLeavesIsTakenFromItsGuest() throws KernelRefusal {
        host.createForeign(FIRST, new Matrix(ApMask.of(4), ApMask.of(4, 0x47), ApMask.of(0x47, 0x55)));
        host.openGuest("vm1", FIRST);

        host.removeDomain(0x47);
        assertThat(host.guestMatrix(FIRST)).isEqualTo(matrix(new int[] {4}, 4));
        host.addDomain(0x47);
        host.addControlDomain(0x55);
        assertThat(host.guestMatrix(FIRST))
                .isEqualTo(new Matrix(ApMask.of(4), ApMask.of(4, 0x47), ApMask.of(0x47, 0x55)));
        host.removeControlDomain(0x55);
        assertThat(host.guestMatrix(FIRST)).isEqualTo(new Matrix(ApMask.of(4), ApMask.of(4, 0x47), ApMask.of(0x47)));
    }

    @Test
    void deconfiguredAndBrokenCardsStayWithTheirGuest() throws KernelRefusal {
        host.createForeign(FIRST, matrix(new int[] {4, 5}, 4));
        host.openGuest("vm1", FIRST);
        host.onCommit(commits::add);
        host.onChange(calls::incrementAndGet);

        host.deconfigureCard(4);
        assertThat(calls).hasValue(1);
        host.breakCard(5);
        assertThat(calls).as("a check-stop emits no uevent").hasValue(1);

        assertThat(adapters().get(4).configured()).isFalse();
        assertThat(adapters().get(4).checkstopped()).isFalse();
        assertThat(adapters().get(5).configured()).isTrue();
        assertThat(adapters().get(5).checkstopped()).isTrue();
        assertThat(adapters().values()).allSatisfy(adapter -> {
            assertThat(adapter.bound()).isEqualTo(ApMask.of(4, 0x47));
            assertThat(adapter.impaired()).isEqualTo(ApMask.of(4, 0x47));
        });
        assertThat(commits).isEmpty();

        host.configureCard(4);
        host.repairCard(5);
        assertThat(adapters().values())
                .allSatisfy(adapter -> assertThat(adapter.impaired()).isEqualTo(ApMask.NONE));
    }

    @Test
    void queueThatIsAwayTakesItsAdapterAlong() throws KernelRefusal {
        host.createForeign(FIRST, matrix(new int[] {4, 5}, 4, 0x47));
        host.openGuest("vm1", FIRST);

        host.removeQueue(new Queue(4, 0x47));
        assertThat(host.guestMatrix(FIRST)).isEqualTo(matrix(new int[] {5}, 4, 0x47));
        assertThat(adapters().get(4).devices()).isEqualTo(ApMask.of(4));
        host.restoreQueue(new Queue(4, 0x47));
        assertThat(host.guestMatrix(FIRST)).isEqualTo(matrix(new int[] {4, 5}, 4, 0x47));
    }

    @Test
    void adapterWithAFailedResetIsKeptFromGuestsUntilAGoodOne() throws KernelRefusal {
        host.createForeign(FIRST, matrix(new int[] {4, 5}, 4));
        host.failResets(new Queue(5, 4));
        host.openGuest("vm1", FIRST);
        host.closeGuest("vm1");
        assertThat(adapters().get(5).impaired()).isEqualTo(ApMask.of(4));
        assertThat(mdev(FIRST).guestMatrix()).isEqualTo(matrix(new int[] {4, 5}, 4));

        host.configure(FIRST, matrix(new int[] {4, 5}, 4));
        assertThat(mdev(FIRST).guestMatrix()).isEqualTo(matrix(new int[] {4}, 4));

        host.repairResets(new Queue(5, 4));
        host.openGuest("vm1", FIRST);
        host.closeGuest("vm1");
        host.configure(FIRST, matrix(new int[] {4, 5}, 4));
        assertThat(mdev(FIRST).guestMatrix()).isEqualTo(matrix(new int[] {4, 5}, 4));
    }

    @Test
    void masksMoveQueuesAndGuardWhatIsAssigned() throws KernelRefusal {
        host.writeApmask("+0-255");
        host.writeAqmask(ApMask.ALL.toString());
        assertThat(adapters().get(4).defaultDriver()).isEqualTo(ApMask.of(4, 0x47));
        host.create(FIRST);
        assertThat(errno(() -> host.configure(FIRST, matrix(new int[] {4}, 4)))).isEqualTo("EADDRNOTAVAIL");

        host.changeApmask(ApMask.of(4), false);
        assertThat(adapters().get(4).bound()).isEqualTo(ApMask.of(4, 0x47));
        host.changeApmask(ApMask.NONE, true);
        host.changeAqmask(ApMask.of(4, 0x47), false);
        host.changeAqmask(ApMask.of(0x47), true);
        assertThat(host.read().masks()).isEqualTo(new Reservation(ApMask.ALL.without(4), ApMask.ALL.without(4)));

        host.configure(FIRST, matrix(new int[] {4}, 4));
        assertThat(errno(() -> host.changeApmask(ApMask.of(4), true))).isEqualTo("EBUSY");
        assertThat(errno(() -> host.override(new Queue(4, 4), true))).isEqualTo("EINVAL");
    }

    @Test
    void driversAreChangedByHandWhereMasksAndOverridesPermit() throws KernelRefusal {
        var queue = new Queue(4, 4);
        var full = SimulatedHost.builder().cards(4).domains(4).build();
        full.override(queue, true);
        full.unbind(queue);
        assertThat(errno(() -> full.unbind(queue))).isEqualTo("ENODEV");
        assertThat(errno(() -> full.bind(queue, false))).isEqualTo("ENODEV");
        full.bind(queue, true);
        assertThat(errno(() -> full.bind(queue, true))).isEqualTo("EBUSY");
        assertThat(errno(() -> full.writeApmask("-4"))).isEqualTo("EINVAL");
        ObservedAdapter card = full.read().adapters().getFirst();
        assertThat(card.bound()).isEqualTo(ApMask.of(4));
        assertThat(card.overridden()).isEqualTo(ApMask.of(4));

        full.override(queue, "nosuchdriver");
        full.override(queue, false);
        full.unbind(queue);
        full.bind(queue, false);
        card = full.read().adapters().getFirst();
        assertThat(card.defaultDriver()).isEqualTo(ApMask.of(4));
        assertThat(card.overridden()).isEqualTo(ApMask.NONE);
    }

    @Test
    void rebootForgetsEverythingButTheHardware() throws KernelRefusal {
        host.createForeign(FIRST, matrix(new int[] {4}, 4));
        host.openGuest("vm1", FIRST);
        host.unbind(new Queue(5, 4));
        host.writeApmask("+9");
        host.breakCard(5);
        String boot = host.bootId();
        String machine = host.machineId();
        host.onChange(calls::incrementAndGet);

        host.reboot();

        assertThat(host.bootId()).isNotEqualTo(boot);
        assertThat(host.machineId()).isEqualTo(machine);
        assertThat(host.guests()).isEmpty();
        assertThat(host.guestMatrix(FIRST)).isEqualTo(Matrix.EMPTY);
        assertThat(host.read().mdevs()).isEmpty();
        assertThat(host.read().masks()).isEqualTo(new Reservation(ApMask.NONE, ApMask.NONE));
        assertThat(adapters().get(5).bound()).isEqualTo(ApMask.of(4, 0x47));
        assertThat(adapters().get(5).checkstopped()).isTrue();
        assertThat(calls).hasValue(1);
    }

    @Test
    void removingAnMdevInUseTakesEverythingFromItsGuestAndReturns() throws KernelRefusal {
        host.createForeign(FIRST, matrix(new int[] {4}, 4));
        host.openGuest("vm1", FIRST);
        host.onCommit(commits::add);

        host.remove(FIRST);

        assertThat(host.read().mdevs()).isEmpty();
        assertThat(host.guests()).isEmpty();
        assertThat(commits)
                .containsExactly(
                        new GuestCommit(FIRST, "vm1", matrix(new int[] {4}, 4), Matrix.EMPTY, false),
                        new GuestCommit(FIRST, "vm1", Matrix.EMPTY, Matrix.EMPTY, false));
    }

    @Test
    void kernelWithoutApConfigTakesOneNumberAtATime() throws KernelRefusal {
        var old = SimulatedHost.builder()
                .cards(4, 5)
                .domains(4, 0x47)
                .allForGuests()
                .withoutApConfig()
                .build();
        old.create(FIRST);

        assertThat(old.read().features()).isEqualTo(new Features(true, false, true));
        assertThat(errno(() -> old.configure(FIRST, Matrix.EMPTY))).isEqualTo("ENOENT");
        old.edit(FIRST, new Matrix(ApMask.of(4), ApMask.of(4), ApMask.of(4)));
        old.edit(FIRST, matrix(new int[] {5}, 4, 0x47));
        assertThat(old.read().mdevs().getFirst().assigned()).isEqualTo(matrix(new int[] {5}, 4, 0x47));
    }

    @Test
    void kernelWithoutGuestMatrixChangesNothingUnderAGuest() throws KernelRefusal {
        var old = SimulatedHost.builder()
                .cards(4)
                .domains(4, 0x47)
                .allForGuests()
                .withoutGuestMatrix()
                .build();
        old.createForeign(FIRST, matrix(new int[] {4}, 4));
        old.openGuest("vm1", FIRST);

        assertThat(errno(() -> old.configure(FIRST, matrix(new int[] {4}, 4, 0x47))))
                .isEqualTo("EBUSY");
        assertThat(errno(() -> old.assignDomain(FIRST, 0x47))).isEqualTo("EBUSY");
        assertThat(errno(() -> old.unassignDomain(FIRST, 4))).isEqualTo("EBUSY");
        assertThat(old.read().mdevs().getFirst().guestMatrix()).isNull();
        old.closeGuest("vm1");
        old.assignDomain(FIRST, 0x47);
    }

    @Test
    void agentMayBeUnableToSeeGuests() throws KernelRefusal {
        var blind = SimulatedHost.builder().withoutGuests().build();
        blind.create(FIRST);
        blind.openGuest("vm1", FIRST);

        assertThat(blind.guestOf(FIRST)).isNull();
        assertThat(blind.read().mdevs().getFirst().guest()).isNull();
    }

    @Test
    void tellsWhatARealKernelTellsAndTheRestOnRequest() throws KernelRefusal {
        host.onChange(calls::incrementAndGet);
        assertThat(callsDuring(() -> host.create(FIRST))).isEqualTo(1);
        assertThat(callsDuring(() -> host.unbind(new Queue(4, 4)))).isEqualTo(1);
        assertThat(callsDuring(() -> host.bind(new Queue(4, 4), true))).isEqualTo(1);
        assertThat(callsDuring(() -> host.writeApmask("+9"))).isEqualTo(1);
        assertThat(callsDuring(() -> host.removeCard(5))).isEqualTo(1);
        assertThat(callsDuring(() -> host.assignAdapter(FIRST, 4))).isZero();
        assertThat(callsDuring(() -> host.openGuest("vm1", FIRST))).isZero();
        assertThat(callsDuring(() -> host.writeApmask("+9"))).isZero();

        host.tellEverything(true);
        assertThat(callsDuring(() -> host.assignDomain(FIRST, 4))).isEqualTo(1);
        assertThat(callsDuring(() -> host.closeGuest("vm1"))).isEqualTo(1);
        assertThat(callsDuring(() -> host.breakCard(4))).isEqualTo(1);
        assertThat(callsDuring(() -> errno(() -> host.create(FIRST)))).isZero();

        host.close();
        assertThat(callsDuring(() -> host.reboot())).isZero();
    }

    @Test
    void listenersMayUseTheHost() throws Exception {
        var seen = new CompletableFuture<Matrix>();
        host.createForeign(FIRST, matrix(new int[] {4}, 4));
        host.onCommit(
                commit -> seen.completeAsync(() -> host.guestMatrix(FIRST)).join());
        host.onCommit(commit -> commits.add(commit));
        host.onChange(() -> act(() -> host.assignAdapter(FIRST, 5)));
        host.openGuest("vm1", FIRST);
        assertThat(seen.get(1, TimeUnit.MINUTES)).isEqualTo(matrix(new int[] {4}, 4));

        host.reboot();
        host.createForeign(FIRST, matrix(new int[] {4}, 4));
        assertThat(mdev(FIRST).assigned()).isEqualTo(matrix(new int[] {4, 5}, 4));
    }

    @Test
    void listenersHearInOrderEvenWhenOneOfThemChangesTheHost() throws KernelRefusal {
        host.createForeign(FIRST, matrix(new int[] {4}, 4));
        host.onCommit(commit -> act(() -> host.assignAdapter(FIRST, 5)));
        host.onCommit(commits::add);

        host.openGuest("vm1", FIRST);

        assertThat(commits)
                .extracting(GuestCommit::after)
                .containsExactly(matrix(new int[] {4}, 4), matrix(new int[] {4, 5}, 4));
    }

    /** Whatever many threads do at once: no queue is in two mdevs, no guest has an unbound queue, commits are in order. */
    @Test
    void staysWholeUnderManyThreads() throws Exception {
        long seed = System.nanoTime();
        var busy = SimulatedHost.builder()
                .cards(0, 1, 2, 3)
                .domains(0, 1, 2, 3)
                .allForGuests()
                .build();
        var has = new HashMap<String, Matrix>();
        var broken = new ArrayList<String>();
        busy.onCommit(commit -> {
            if (!has.getOrDefault(commit.guest(), Matrix.EMPTY).equals(commit.before())) {
                broken.add("not in order: " + commit);
            }
            has.put(commit.guest(), commit.after());
        });
        List<UUID> mdevs = List.of(new UUID(0, 1), new UUID(0, 2), new UUID(0, 3));
        var random = new SplittableRandom(seed);
        try (var threads = Executors.newFixedThreadPool(4)) {
            List<Callable<Void>> work = new ArrayList<>();
            for (int thread = 0; thread < 4; thread++) {
                SplittableRandom own = random.split();
                work.add(() -> {
                    for (int i = 0; i < 2_000; i++) {
                        act(() -> doSomething(busy, own, mdevs.get(own.nextInt(3))));
                        ObservedHost seen = busy.read();
                        assertNoQueueTwice(seen, seed);
                    }
                    return null;
                });
            }
            for (var done : threads.invokeAll(work)) {
                done.get();
            }
        }
        assertThat(broken).as("seed %d", seed).isEmpty();
        busy.guests()
                .forEach((guest, mdev) ->
                        assertThat(has.get(guest)).as("seed %d", seed).isEqualTo(busy.guestMatrix(mdev)));
        QueueSet bound = bound(busy.read());
        for (UUID mdev : mdevs) {
            assertThat(busy.guestMatrix(mdev).queues().minus(bound))
                    .as("seed %d", seed)
                    .isEqualTo(QueueSet.NONE);
        }
    }

    private static void doSomething(SimulatedHost host, SplittableRandom random, UUID mdev) throws KernelRefusal {
        int number = random.nextInt(4);
        var queue = new Queue(number, random.nextInt(4));
        switch (random.nextInt(14)) {
            case 0 -> host.create(mdev);
            case 1 -> host.remove(mdev);
            case 2, 3 -> host.assignAdapter(mdev, number);
            case 4, 5 -> host.assignDomain(mdev, number);
            case 6 -> host.unassignDomain(mdev, number);
            case 7 -> host.openGuest("vm" + number, mdev);
            case 8 -> host.closeGuest("vm" + number);
            case 9 -> host.unbind(queue);
            case 10 -> host.bind(queue, true);
            case 11 -> host.removeCard(number);
            case 12 -> host.addCard(new Card(number, "CEX8P", "EP11-Coproc", "1"));
            default -> host.changeApmask(ApMask.of(number), random.nextBoolean());
        }
    }

    private static void assertNoQueueTwice(ObservedHost seen, long seed) {
        QueueSet taken = QueueSet.NONE;
        for (ObservedMdev mdev : seen.mdevs()) {
            QueueSet queues = mdev.assigned().queues();
            assertThat(queues.and(taken)).as("seed %d", seed).isEqualTo(QueueSet.NONE);
            taken = taken.or(queues);
        }
    }

    private static QueueSet bound(ObservedHost seen) {
        QueueSet bound = QueueSet.NONE;
        for (ObservedAdapter adapter : seen.adapters()) {
            bound = bound.withRow(adapter.adapter(), adapter.bound());
        }
        return bound;
    }

    private static Matrix matrix(int[] adapters, int... domains) {
        return new Matrix(ApMask.of(adapters), ApMask.of(domains), ApMask.NONE);
    }

    private ObservedMdev mdev(UUID uuid) {
        return host.read().mdevs().stream()
                .filter(mdev -> mdev.uuid().equals(uuid))
                .findFirst()
                .orElseThrow();
    }

    private Map<Integer, ObservedAdapter> adapters() {
        var adapters = new HashMap<Integer, ObservedAdapter>();
        host.read().adapters().forEach(adapter -> adapters.put(adapter.adapter(), adapter));
        return adapters;
    }

    private int callsDuring(ThrowingCallable action) {
        int before = calls.get();
        assertThat(errno(action)).isNull();
        return calls.get() - before;
    }

    private interface Write {
        void run() throws KernelRefusal;
    }

    /** Does it; a refusal is as good. */
    private static void act(Write write) {
        try {
            write.run();
        } catch (KernelRefusal refused) {
            assertThat(refused.errno()).startsWith("E");
        }
    }

    private static @Nullable String errno(ThrowingCallable action) {
        @Nullable KernelRefusal refusal = catchThrowableOfType(KernelRefusal.class, action);
        return refusal == null ? null : refusal.errno();
    }
}
