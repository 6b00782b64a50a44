package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.Reservation;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedHostBuilder;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.DesiredHost.DesiredDriver;
import io.apportion.wire.DesiredHost.DesiredMdev;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Applied;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.ObservedHost.ObjectResult;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReconcilerTests {

    private static final UUID A = new UUID(0, 0xa);
    private static final UUID B = new UUID(0, 0xb);
    private static final UUID C = new UUID(0, 0xc);

    private UUID incarnation = new UUID(1, 1);
    private long generation;
    private BindingMode bindingMode = BindingMode.MASKS;
    private @Nullable Reservation reservation;
    private int reservationRepair;
    private final List<DesiredDriver> drivers = new ArrayList<>();

    private SimulatedHost host = freeHost().build();
    private JournalledKernel kernel = new JournalledKernel(host);
    private AgentMemory memory = AgentMemory.ofThisProcess();
    private Reconciler reconciler = new Reconciler(kernel.kernel(), memory, Keep.NOTHING);

    private static SimulatedHostBuilder freeHost() {
        return SimulatedHost.builder().cards(4, 5, 6).domains(0x4, 0x47, 0x54).allForGuests();
    }

    private void use(SimulatedHostBuilder builder) {
        use(builder, Keep.NOTHING);
    }

    private void use(SimulatedHostBuilder builder, Keep keep) {
        host = builder.build();
        kernel = new JournalledKernel(host);
        memory = AgentMemory.ofThisProcess();
        reconciler = new Reconciler(kernel.kernel(), memory, keep);
    }

    private void restart() {
        reconciler = new Reconciler(kernel.kernel(), memory, Keep.NOTHING);
    }

    // What is written.

    @Test
    void writesTheClaimAndTheKernelMakesTheGuestMatrixOfIt() throws KernelRefusal {
        host.unbind(Queue.parse("05.0047"));
        Applied applied = apply(mdev(A, "4,5x4,47+47", "4x4,47+47"));
        assertThat(kernel.take()).containsExactly("create a", "configure a 4,5x4,47+47");
        assertThat(observed(A).guestMatrix()).isEqualTo(matrix("4x4,47"));
        assertThat(applied.results()).containsExactly(done(A));
        assertThat(reconciler.isUnfinished()).isFalse();
    }

    @Test
    void writesNothingWhereTheClaimIsInTheKernel() {
        apply(mdev(A, "4x4", "4x4"), mdev(B, "5x4", "5x4"));
        kernel.take();
        Applied applied = apply(mdev(A, "4x4", "4x4"), mdev(B, "5x4,47", "5x4,47"));
        assertThat(kernel.take()).containsExactly("configure b 5x4,47");
        assertThat(applied.results()).containsExactly(done(A), done(B));
    }

    @Test
    void givesAndTakesInOneWriteWhereNobodyWaits() throws KernelRefusal {
        apply(mdev(A, "4x4,47", "4x4,47"));
        String guest = openGuest("vm1", A);
        kernel.take();
        apply(mdev(A, "4,5x4,54", "4,5x4,54", guest));
        assertThat(kernel.take()).containsExactly("configure a 4,5x4,54");
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4,5x4,54"));
    }

    @Test
    void appliesInTheOrderOfTheRules() throws KernelRefusal {
        use(SimulatedHost.builder().cards(4, 5, 6, 7).domains(0x4, 0x47).bootMasks(ApMask.of(6), ApMask.ALL));
        apply(mdev(A, "4,5x4,47", "4,5x4,47"), mdev(B, "7x4", "7x4"));
        kernel.take();
        reservation = new Reservation(ApMask.of(7), ApMask.ALL);
        drivers.add(new DesiredDriver(Queue.parse("05.0004"), QueueDriver.NONE, 0));
        Applied applied = apply(removing(B, null), mdev(A, "4,6x47", "4,6x47"), mdev(C, "4x4", "4x4"));
        assertThat(kernel.take())
                .containsExactly(
                        "configure a 4x47",
                        "remove b",
                        "unbind 05.0004",
                        "changeApmask 6 false",
                        "changeApmask 7 true",
                        "create c",
                        "configure a 4,6x47",
                        "configure c 4x4");
        assertThat(applied.results())
                .containsExactly(done("reservation", ""), done("driver", "05.0004"), done(B), done(A), done(C));
    }

    @Test
    void exchangesQueuesBetweenRunningGuestsWithoutTakingWhatTheyMayKeep() throws KernelRefusal {
        apply(mdev(A, "4x4,47", "4x4,47"), mdev(B, "5x4,47", "5x4,47"));
        String one = openGuest("vm1", A);
        String two = openGuest("vm2", B);
        kernel.take();
        List<Matrix> ofA = new ArrayList<>();
        host.onCommit(commit -> {
            if (commit.mdev().equals(A)) {
                ofA.add(commit.after());
            }
        });
        apply(mdev(A, "4,5x47", "4,5x47", one), mdev(B, "4,5x4", "4,5x4", two));
        assertThat(kernel.take())
                .containsExactly("configure a 4x47", "configure b 5x4", "configure a 4,5x47", "configure b 4,5x4");
        assertThat(ofA).containsExactly(matrix("4x47"), matrix("4,5x47"));
        assertThat(host.guestMatrix(B)).isEqualTo(matrix("4,5x4"));
    }

    @Test
    void neverShowsAGuestAnAdapterOnlyForTheMomentBetweenShrinkingAndGrowing() throws KernelRefusal {
        host.unbind(Queue.parse("05.0047"));
        host.unbind(Queue.parse("05.0054"));
        apply(mdev(A, "4,5x4,47", "4x4,47"));
        String guest = openGuest("vm1", A);
        kernel.take();
        List<Matrix> had = new ArrayList<>();
        host.onCommit(commit -> had.add(commit.after()));
        // B waits for 04.0047; with domain 4 alone adapter 5 would be complete, with 54 it is not.
        apply(mdev(A, "4,5x4,54", "4x4,54", guest), mdev(B, "4x47", "4x47"));
        assertThat(kernel.take())
                .containsExactly("configure a 4x4", "create b", "configure a 4,5x4,54", "configure b 4x47");
        assertThat(had).containsExactly(matrix("4x4"), matrix("4x4,54"));
    }

    // Fallbacks.

    @Test
    void writesTheGuestMatrixWhereTheHostKeepsAQueueOfTheClaim() {
        use(SimulatedHost.builder().cards(4, 5).domains(4).bootMasks(ApMask.of(5), ApMask.ALL));
        Applied applied = apply(mdev(A, "4,5x4", "4x4"));
        assertThat(kernel.take()).containsExactly("create a", "configure a 4,5x4", "configure a 4x4");
        ObjectResult result = result(applied, A);
        assertThat(result.errno()).isNull();
        assertThat(result.words()).contains("guest matrix").contains("EADDRNOTAVAIL");
        assertThat(reconciler.isUnfinished()).isFalse();
    }

    @Test
    void writesTheGuestMatrixWhereAForeignMdevHasAQueueOfTheClaim() throws KernelRefusal {
        host.createForeign(C, matrix("5x4"));
        Applied applied = apply(mdev(A, "4,5x4", "4x4"));
        assertThat(kernel.take()).containsExactly("create a", "configure a 4,5x4", "configure a 4x4");
        assertThat(result(applied, A).words()).contains("EADDRINUSE");
        assertThat(observed(C).assigned()).isEqualTo(matrix("5x4"));

        kernel.take();
        Applied next = apply(mdev(A, "4,5x4", "4x4"));
        assertThat(kernel.take()).as("nothing of it changed").isEmpty();
        assertThat(result(next, A).words()).contains("EADDRINUSE");
        assertThat(reconciler.isUnfinished()).isFalse();
    }

    @Test
    void leavesWhatWasChangedByHandWhereTheClaimWasRefused() throws KernelRefusal {
        host.createForeign(C, matrix("5x4"));
        apply(mdev(A, "4,5x4", "4x4"));
        host.edit(A, matrix("4x4,47"));
        kernel.take();
        apply(mdev(A, "4,5x4", "4x4"), mdev(B, "6x4", "6x4"));
        host.edit(C, Matrix.EMPTY);
        reconciler.retry();
        apply(mdev(A, "4,5x4", "4x4"));
        assertThat(kernel.take()).noneMatch(line -> line.contains(" a "));
        assertThat(observed(A).assigned()).isEqualTo(matrix("4x4,47"));
    }

    @Test
    void writesTheClaimWhenTheOtherMdevIsOutOfTheWay() throws KernelRefusal {
        host.createForeign(C, matrix("5x4"));
        apply(mdev(A, "4,5x4", "4x4"));
        assertThat(reconciler.awaitsClaim()).isTrue();
        kernel.take();
        reconciler.retry();
        assertThat(kernel.take()).as("still in the way").isEmpty();
        host.edit(C, matrix("5x47"));
        reconciler.retry();
        assertThat(kernel.take()).containsExactly("configure a 4,5x4");
        assertThat(reconciler.awaitsClaim()).isFalse();
        assertThat(result(Objects.requireNonNull(reconciler.observe().applied()), A))
                .isEqualTo(done(A));
    }

    @Test
    void writesTheClaimWhenTheMasksFreeIt() throws KernelRefusal {
        use(SimulatedHost.builder().cards(4, 5).domains(0x4, 0x47, 0x54).bootMasks(mask("5"), ApMask.ALL));
        Applied applied = apply(mdev(A, "4,5x4", "4x4"));
        assertThat(result(applied, A).words()).contains("EADDRNOTAVAIL");
        kernel.take();
        apply(mdev(A, "4,5x4", "4x4"));
        assertThat(kernel.take()).as("still reserved").isEmpty();
        reservation = new Reservation(mask("6"), ApMask.ALL);
        applied = apply(mdev(A, "4,5x4", "4x4"));
        assertThat(kernel.take()).containsExactly("changeApmask 5 false", "changeApmask 6 true", "configure a 4,5x4");
        assertThat(result(applied, A)).isEqualTo(done(A));
    }

    /** Its server has not heard yet of the queue that its guest would lose. */
    @Test
    void writesNoClaimThatWouldTakeFromAGuest() throws KernelRefusal {
        host.createForeign(C, matrix("5x47"));
        apply(mdev(A, "4,5x4,47", "4x4"));
        String guest = openGuest("vm1", A);
        apply(mdev(A, "4,5x4,47", "4x4", guest));
        host.edit(C, Matrix.EMPTY);
        host.unbind(Queue.parse("04.0047"));
        kernel.take();
        reconciler.retry();
        assertThat(kernel.take()).isEmpty();
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4x4"));
        host.bind(Queue.parse("04.0047"), true);
        reconciler.retry();
        assertThat(kernel.take()).containsExactly("configure a 4,5x4,47");
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4,5x4,47"));
    }

    // Others who change the host.

    /** The lock of the host's own tools is held for so long that much else can happen. */
    @Test
    void looksAgainAfterItHadToWaitForOthers() throws KernelRefusal {
        apply(mdev(A, "4x4", "4x4"));
        kernel.take();
        kernel.whileWaiting = () -> host.openGuest("vm1", A);
        Applied applied = apply(mdev(A, "5x4", "5x4"));
        assertThat(kernel.take())
                .as("computed for nobody, and now a guest has it")
                .isEmpty();
        assertThat(applied.results()).isEmpty();
        assertThat(reconciler.isUnfinished()).isTrue();
        kernel.whileWaiting = null;

        kernel.whileWaiting = () -> host.unbind(Queue.parse("04.0047"));
        applied = apply(mdev(A, "4x4,47", "4x4,47", guestOf(A)));
        assertThat(result(applied, A).errno()).isEqualTo("EAGAIN");
        assertThat(kernel.take()).isEmpty();
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4x4"));
    }

    @Test
    void changesMasksFromWhatTheyAreAfterItHadToWait() throws KernelRefusal {
        use(SimulatedHost.builder().cards(4, 5).domains(0x4, 0x47, 0x54).bootMasks(mask("5"), ApMask.ALL));
        reservation = new Reservation(mask("6"), ApMask.ALL);
        kernel.whileWaiting = () -> host.writeApmask("-5,+4");
        apply();
        assertThat(kernel.take()).containsExactly("changeApmask 4 false", "changeApmask 6 true");
        assertThat(Objects.requireNonNull(reconciler.observe().masks())).isEqualTo(reservation);
    }

    @Test
    void tellsWhoHasTheLockThatItDidNotGet() {
        kernel.whileWaiting = () -> {
            throw new KernelRefusal("EAGAIN", "the lock is held by process 4711");
        };
        Applied applied = apply(mdev(A, "4x4", "4x4"));
        assertThat(result(applied, A).errno()).isEqualTo("EAGAIN");
        assertThat(result(applied, A).words()).contains("process 4711");
        kernel.whileWaiting = null;
        kernel.take();
        reconciler.retry();
        assertThat(kernel.take()).containsExactly("configure a 4x4");
        assertThat(reconciler.isUnfinished()).isFalse();
        assertThat(kernel.exclusions).as("those that are still open").hasValue(0);
    }

    @Test
    void takesAwayEvenWhereTheKernelRefusesWhatShallCome() throws KernelRefusal {
        host.createForeign(C, matrix("6x4"));
        apply(mdev(A, "4,5x4", "4,5x4"));
        kernel.take();
        Applied applied = apply(mdev(A, "4,6x4", "4,6x4"));
        assertThat(result(applied, A).errno()).isEqualTo("EADDRINUSE");
        assertThat(observed(A).assigned()).isEqualTo(matrix("4x4"));
        assertThat(reconciler.isUnfinished()).isTrue();
    }

    @Test
    void getsRidOfAReservedQueueThatMakesTheKernelRefuseEveryWrite() throws KernelRefusal {
        use(SimulatedHost.builder().cards(4, 5).domains(0x4, 0x47, 0x54));
        bindingMode = BindingMode.OVERRIDE;
        for (int adapter : List.of(4, 5)) {
            for (int domain : List.of(0x4, 0x47, 0x54)) {
                drivers.add(new DesiredDriver(new Queue(adapter, domain), QueueDriver.VFIO_AP, 0));
            }
        }
        apply(mdev(A, "4,5x4,47,54", "4,5x4,47,54"));
        drivers.removeIf(driver -> driver.queue().equals(Queue.parse("05.0004")));
        host.override(Queue.parse("05.0004"), "");
        host.unbind(Queue.parse("05.0004"));
        kernel.take();
        Applied applied = apply(mdev(A, "4,5x4,47", "4x4,47"));
        assertThat(observed(A).assigned()).isEqualTo(matrix("4x4,47"));
        assertThat(result(applied, A).errno()).isNull();
    }

    // Without ap_config.

    @Test
    void assignsStepByStepWithoutApConfig() {
        use(freeHost().withoutApConfig());
        Applied applied = apply(mdev(A, "4,5x4,47+47", "4,5x4,47+47"));
        assertThat(kernel.take())
                .containsExactly(
                        "create a",
                        "assignDomain a 4",
                        "assignDomain a 47",
                        "assignAdapter a 4",
                        "assignAdapter a 5",
                        "assignControlDomain a 47");
        assertThat(applied.results()).containsExactly(done(A));
    }

    @Test
    void writesTheGuestMatrixWithoutApConfigAndSaysSo() throws KernelRefusal {
        use(freeHost().withoutApConfig());
        host.unbind(Queue.parse("05.0004"));
        Applied applied = apply(mdev(A, "4,5x4", "4x4"));
        assertThat(observed(A).assigned()).isEqualTo(matrix("4x4"));
        assertThat(result(applied, A).errno()).isNull();
        assertThat(result(applied, A).words()).contains("no ap_config");
    }

    @Test
    void shrinksBeforeItGrowsWithoutApConfig() throws KernelRefusal {
        use(freeHost().withoutApConfig());
        apply(mdev(A, "4,5x4,47", "4,5x4,47"));
        String guest = openGuest("vm1", A);
        kernel.take();
        List<Matrix> had = new ArrayList<>();
        host.onCommit(commit -> had.add(commit.after()));
        apply(mdev(A, "5,6x47,54", "5,6x47,54", guest));
        assertThat(kernel.take())
                .containsExactly("unassignAdapter a 4", "unassignDomain a 4", "assignDomain a 54", "assignAdapter a 6");
        assertThat(had).containsExactly(matrix("5x4,47"), matrix("5x47"), matrix("5x47,54"), matrix("5,6x47,54"));
    }

    @Test
    void makesTheKernelFilterAnewWhereOnlyTakingAwayCompletesAnAdapter() throws KernelRefusal {
        use(freeHost().withoutApConfig());
        apply(mdev(A, "4,5x4,47", "4,5x4,47"));
        String guest = openGuest("vm1", A);
        host.unbind(Queue.parse("05.0047"));
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4x4,47"));
        kernel.take();
        // The user unassigns domain 47 before the server knows: adapter 5 is complete again, but no filter runs.
        List<Matrix> had = new ArrayList<>();
        host.onCommit(commit -> had.add(commit.after()));
        apply(mdev(A, "4,5x4", "4,5x4", guest));
        assertThat(kernel.take()).containsExactly("unassignAdapter a 5", "unassignDomain a 47", "assignAdapter a 5");
        assertThat(had).containsExactly(matrix("4x4"), matrix("4,5x4"));
    }

    // Guests.

    @Test
    void leavesAnMdevAloneWhoseGuestIsNotTheOneItWasComputedFor() throws KernelRefusal {
        apply(mdev(A, "4,5x4", "4,5x4"), mdev(B, "6x4", "6x4"));
        String guest = openGuest("vm1", A);
        kernel.take();
        Applied applied = apply(mdev(A, "4x4", "4x4"), mdev(B, "5,6x4", "5,6x4"));
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4,5x4"));
        assertThat(applied.results()).as("none for A").hasSize(1);
        ObjectResult waiting = result(applied, B);
        assertThat(waiting.errno()).isEqualTo("EBUSY");
        assertThat(waiting.words()).contains(A.toString()).contains("05.0004");
        assertThat(kernel.take()).isEmpty();

        applied = apply(mdev(A, "4x4", "4x4", guest), mdev(B, "5,6x4", "5,6x4"));
        assertThat(applied.results()).containsExactly(done(A), done(B));
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4x4"));
    }

    @Test
    void hasNoResultForAnMdevOfAnotherGuestEvenIfItsMatrixIsEqual() throws KernelRefusal {
        apply(mdev(A, "4x4", "4x4"));
        openGuest("vm1", A);
        assertThat(apply(repaired(A, "4x4", null, 1)).results()).isEmpty();
        assertThat(reconciler.isUnfinished()).isTrue();
    }

    @Test
    void looksForTheGuestJustBeforeEachWrite() throws KernelRefusal {
        use(freeHost().withoutApConfig());
        apply(mdev(A, "4,5x4", "4,5x4"));
        kernel.take();
        kernel.afterWrite = () -> {
            kernel.afterWrite = () -> {};
            try {
                host.openGuest("vm1", A);
            } catch (KernelRefusal refusal) {
                throw new AssertionError(refusal);
            }
        };
        Applied applied = apply(mdev(A, "6x4", "6x4"));
        assertThat(kernel.take()).containsExactly("unassignAdapter a 4");
        assertThat(applied.results()).isEmpty();
    }

    @Test
    void doesNotCompareGuestsWhereTheyCannotBeSeen() throws KernelRefusal {
        use(freeHost().withoutGuests());
        apply(mdev(A, "4x4", "4x4"));
        host.openGuest("vm1", A);
        assertThat(apply(mdev(A, "4,5x4", "4,5x4", "told through the API")).results())
                .containsExactly(done(A));
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4,5x4"));
    }

    @Test
    void writesNothingThatWouldTakeFromAGuestWhatItMayKeep() throws KernelRefusal {
        apply(mdev(A, "4,5x4", "4,5x4"));
        String guest = openGuest("vm1", A);
        host.unbind(Queue.parse("05.0047"));
        kernel.take();
        // Computed when 05.0047 was still bound: with domain 47 the kernel would take adapter 5 away.
        Applied applied = apply(mdev(A, "4,5x4,47", "4,5x4,47", guest));
        assertThat(kernel.take()).isEmpty();
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4,5x4"));
        assertThat(result(applied, A).errno()).isEqualTo("EAGAIN");
        assertThat(result(applied, A).words()).contains("05.0047");

        host.bind(Queue.parse("05.0047"), true);
        reconciler.retry();
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4,5x4,47"));
        assertThat(reconciler.isUnfinished()).isFalse();
    }

    // Removal.

    @Test
    void removesAnMdevWhenItsGuestHasLetGo() throws KernelRefusal {
        apply(mdev(A, "4x4", "4x4"));
        String guest = openGuest("vm1", A);
        kernel.take();
        Applied applied = apply(removing(A, guest));
        assertThat(kernel.take()).containsExactly("configure a x");
        assertThat(result(applied, A).errno()).isNull();
        assertThat(reconciler.isUnfinished()).isTrue();
        reconciler.retry();
        assertThat(kernel.take()).isEmpty();

        host.closeGuest("vm1");
        reconciler.retry();
        assertThat(kernel.take()).containsExactly("remove a");
        assertThat(reconciler.isUnfinished()).isFalse();
        assertThat(Objects.requireNonNull(reconciler.observe().mdevs())).isEmpty();
    }

    @Test
    void emptiesNothingOfAGuestThatOpenedTheMdevAfterItsRemovalWasComputed() throws KernelRefusal {
        apply(mdev(A, "4x4", "4x4"));
        openGuest("vm1", A);
        kernel.take();
        assertThat(apply(removing(A, null)).results()).isEmpty();
        assertThat(kernel.take()).isEmpty();
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4x4"));
    }

    @Test
    void removesItsOwnMdevsThatAreNotListed() {
        apply(mdev(A, "4x4", "4x4"), mdev(B, "5x4", "5x4"));
        kernel.take();
        assertThat(apply(mdev(B, "5x4", "5x4")).results()).containsExactly(done(B));
        assertThat(kernel.take()).containsExactly("remove a");
        assertThat(memory.recall().own()).containsOnlyKeys(B);
    }

    @Test
    void removesNoMdevThatAGuestHoldsOrMayHold() throws KernelRefusal {
        apply(mdev(A, "4x4", "4x4"));
        openGuest("vm1", A);
        kernel.take();
        Applied applied = apply();
        assertThat(kernel.take()).isEmpty();
        assertThat(result(applied, A).errno()).isEqualTo("EBUSY");
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4x4"));
        host.closeGuest("vm1");
        reconciler.retry();
        assertThat(kernel.take()).containsExactly("remove a");

        use(freeHost().withoutGuests());
        apply(mdev(A, "4x4", "4x4"));
        kernel.take();
        assertThat(result(apply(), A).errno()).isEqualTo("EBUSY");
        assertThat(kernel.take()).isEmpty();
        apply(removing(A, null));
        assertThat(kernel.take()).as("the server knows that there is no guest").containsExactly("remove a");
    }

    @Test
    void neverTouchesForeignMdevs() throws KernelRefusal {
        host.createForeign(C, matrix("4x4"));
        apply();
        assertThat(kernel.take()).isEmpty();
        assertThat(observed(C).own()).isFalse();
    }

    @Test
    void adoptsAListedMdevWithoutAWrite() throws KernelRefusal {
        host.createForeign(C, matrix("4x4"));
        apply(mdev(C, "4x4", "4x4"));
        assertThat(kernel.take()).isEmpty();
        assertThat(observed(C).own()).isTrue();
        apply();
        assertThat(kernel.take()).containsExactly("remove c");
    }

    // What waits.

    @Test
    void whateverWouldTakeTheQueuesOfAFailedShrinkWaits() {
        use(freeHost().bootMasks(ApMask.NONE, ApMask.of(4)));
        apply(mdev(A, "4,5x4,47", "4,5x4,47"), mdev(C, "6x4", "6x4"));
        kernel.take();
        kernel.refusal = line -> line.startsWith("configure a") ? "EADDRNOTAVAIL" : null;
        reservation = new Reservation(ApMask.of(5), ApMask.of(4));
        drivers.add(new DesiredDriver(Queue.parse("05.0047"), QueueDriver.NONE, 0));
        Applied applied = apply(mdev(A, "4x4", "4x4"), mdev(B, "4x47", "4x47"), mdev(C, "6x4,47", "6x4,47"));
        assertThat(kernel.take()).containsExactly("configure a 4x4", "create b", "configure c 6x4,47");
        assertThat(result(applied, A).errno()).isEqualTo("EADDRNOTAVAIL");
        assertThat(applied.results().stream()
                        .filter(result -> "EBUSY".equals(result.errno()))
                        .filter(result -> Objects.requireNonNull(result.words()).contains(A.toString()))
                        .map(ObjectResult::id))
                .containsExactly("", "05.0047", B.toString());
        assertThat(result(applied, C).errno()).isNull();

        kernel.refusal = line -> null;
        reconciler.retry();
        assertThat(kernel.take())
                .containsExactly("configure a 4x4", "unbind 05.0047", "changeApmask 5 true", "configure b 4x47");
    }

    @Test
    void retriesOnlyWhatFailed() throws KernelRefusal {
        host.createForeign(C, matrix("5x4"));
        apply(mdev(A, "4x4", "4x4"), mdev(B, "5x4", "5x4"));
        assertThat(reconciler.isUnfinished()).isTrue();
        host.edit(A, matrix("4,6x4"));
        host.edit(C, matrix("5x47"));
        kernel.take();
        reconciler.retry();
        assertThat(kernel.take()).containsExactly("configure b 5x4");
        Applied applied = Objects.requireNonNull(reconciler.observe().applied());
        assertThat(applied.results()).containsExactly(done(A), done(B));
        assertThat(observed(A).assigned()).as("drift is the server's to repair").isEqualTo(matrix("4,6x4"));
        reconciler.retry();
        assertThat(kernel.take()).isEmpty();
    }

    @Test
    void leavesWhatWasChangedByHandWhenSomethingElseChanges() throws KernelRefusal {
        changeByHand();

        Applied applied = apply(mdev(A, "4x4", "4x4", "vm9"), mdev(B, "5x47", "5x47"));
        assertThat(kernel.take()).containsExactly("create b", "configure b 5x47");
        assertThat(applied.results())
                .containsExactly(done("reservation", ""), done("driver", "06.0004"), done(A), done(B));
        restart();
        reconciler.resume();
        apply(mdev(A, "4x4", "4x4"), mdev(B, "5x47", "5x47"));
        assertThat(kernel.take()).isEmpty();
    }

    @Test
    void makesSoAgainEachObjectWhoseRepairIsOrdered() throws KernelRefusal {
        changeByHand();
        reservationRepair = 1;
        apply(mdev(A, "4x4", "4x4"));
        assertThat(kernel.take()).containsExactly("unbind 06.0004", "changeApmask 21 false");

        host.bind(Queue.parse("06.0004"), true);
        drivers.set(0, new DesiredDriver(Queue.parse("06.0004"), QueueDriver.NONE, 1));
        apply(mdev(A, "4x4", "4x4"));
        assertThat(kernel.take()).containsExactly("unbind 06.0004");

        apply(repaired(A, "4x4", null, 1));
        assertThat(kernel.take()).containsExactly("configure a 4x4");
    }

    /** Masks 0x20 and 0x99, queue 06.0004 without a driver, and mdev a with 04.0004; then another hand at each. */
    private void changeByHand() throws KernelRefusal {
        reservation = new Reservation(ApMask.of(32), ApMask.of(0x99));
        drivers.add(new DesiredDriver(Queue.parse("06.0004"), QueueDriver.NONE, 0));
        apply(mdev(A, "4x4", "4x4"));
        host.changeApmask(ApMask.of(33), true);
        host.bind(Queue.parse("06.0004"), true);
        host.edit(A, matrix("4,5x4"));
        kernel.take();
    }

    @Test
    void masksThatComeLateLeaveNoQueueBoundThatShallHaveNoDriver() {
        drivers.add(new DesiredDriver(Queue.parse("06.0004"), QueueDriver.NONE, 0));
        apply();
        reservation = new Reservation(ApMask.of(6), ApMask.of(4));
        kernel.refusal = line -> line.startsWith("change") ? "EBUSY" : null;
        apply();
        kernel.take();

        kernel.refusal = line -> null;
        reconciler.retry();
        assertThat(kernel.take()).containsExactly("changeApmask 6 true", "changeAqmask 4 true", "unbind 06.0004");

        apply(mdev(A, "5x4", "5x4"));
        assertThat(kernel.take()).containsExactly("create a", "configure a 5x4");
    }

    @Test
    void theNextStateMakesDriversAnewWhereTheMasksBeforeItFailed() {
        drivers.add(new DesiredDriver(Queue.parse("06.0004"), QueueDriver.NONE, 0));
        apply();
        reservation = new Reservation(ApMask.of(6), ApMask.of(4));
        kernel.refusal = line -> line.startsWith("change") ? "EBUSY" : null;
        apply();
        kernel.take();

        kernel.refusal = line -> null;
        apply(mdev(A, "5x4", "5x4"));
        assertThat(kernel.take())
                .containsExactly(
                        "changeApmask 6 true", "changeAqmask 4 true", "unbind 06.0004", "create a", "configure a 5x4");
    }

    @Test
    void doesNotCallAnMdevRemovedThatItCouldNotSee() {
        apply(mdev(A, "4x4", "4x4"));
        kernel.take();
        kernel.hidesMdevs = true;
        Applied applied = apply();
        assertThat(result(applied, A).errno()).isNotNull();
        assertThat(reconciler.isUnfinished()).isTrue();

        kernel.hidesMdevs = false;
        reconciler.retry();
        assertThat(kernel.take()).containsExactly("remove a");
        assertThat(Objects.requireNonNull(reconciler.observe().applied()).results())
                .isEmpty();
    }

    // Keep.

    @Test
    void neverFreesBindsOrAssignsWhatTheAdministratorKeeps() {
        use(SimulatedHost.builder().cards(4, 5, 6).domains(4, 5), new Keep(ApMask.of(6), ApMask.of(5)));
        reservation = new Reservation(ApMask.of(4, 5), ApMask.ALL);
        Applied applied = apply();
        assertThat(kernel.take()).isEmpty();
        ObjectResult result = applied.results().getFirst();
        assertThat(result.errno()).isEqualTo("EADDRNOTAVAIL");
        assertThat(result.words()).contains("administrator");

        reservation = null;
        bindingMode = BindingMode.OVERRIDE;
        drivers.add(new DesiredDriver(Queue.parse("06.0004"), QueueDriver.VFIO_AP, 0));
        drivers.add(new DesiredDriver(Queue.parse("04.0005"), QueueDriver.NONE, 0));
        drivers.add(new DesiredDriver(Queue.parse("04.0004"), QueueDriver.VFIO_AP, 0));
        applied = apply(mdev(A, "4,6x4", "4x4"), mdev(B, "5x5", "5x5"));
        assertThat(applied.results().stream().map(ObjectResult::errno))
                .containsExactly("EADDRNOTAVAIL", "EADDRNOTAVAIL", null, null, "EADDRNOTAVAIL");
        assertThat(result(applied, A).words()).contains("administrator");
        assertThat(kernel.take())
                .containsExactly(
                        "override 04.0004 true",
                        "unbind 04.0004",
                        "bind 04.0004 true",
                        "create a",
                        "create b",
                        "configure a 4x4");
    }

    // Masks and drivers.

    @Test
    void betweenTwoReservationsOnlyWhatIsInBothIsReserved() {
        use(SimulatedHost.builder().cards(4, 5, 6, 7).domains(4, 5, 6, 7).bootMasks(ApMask.of(4, 5), ApMask.of(4, 5)));
        List<Reservation> masks = new ArrayList<>();
        kernel.afterWrite = () -> masks.add(Objects.requireNonNull(host.read().masks()));
        reservation = new Reservation(ApMask.of(5, 6), ApMask.of(5, 6));
        apply();
        assertThat(kernel.take())
                .containsExactly(
                        "changeApmask 4 false", "changeAqmask 4 false", "changeApmask 6 true", "changeAqmask 6 true");
        assertThat(masks.get(1)).isEqualTo(new Reservation(ApMask.of(5), ApMask.of(5)));
        assertThat(masks.getLast()).isEqualTo(reservation);
    }

    @Test
    void bindsQueueByQueueInOverrideMode() {
        use(SimulatedHost.builder().cards(4).domains(4));
        bindingMode = BindingMode.OVERRIDE;
        drivers.add(new DesiredDriver(Queue.parse("04.0004"), QueueDriver.VFIO_AP, 0));
        apply(mdev(A, "4x4", "4x4"));
        assertThat(kernel.take())
                .containsExactly(
                        "override 04.0004 true", "unbind 04.0004", "bind 04.0004 true", "create a", "configure a 4x4");

        drivers.set(0, new DesiredDriver(Queue.parse("04.0004"), QueueDriver.DEFAULT, 0));
        assertThat(apply(mdev(A, "x4", "x4")).results()).allMatch(result -> result.errno() == null);
        assertThat(kernel.take())
                .containsExactly("configure a x4", "override 04.0004 false", "unbind 04.0004", "bind 04.0004 false");
    }

    @Test
    void unbindsNoQueueWhoseBindTheMasksWouldRefuse() {
        use(SimulatedHost.builder().cards(4).domains(4));
        drivers.add(new DesiredDriver(Queue.parse("04.0004"), QueueDriver.VFIO_AP, 0));
        Applied applied = apply();
        assertThat(kernel.take()).isEmpty();
        assertThat(applied.results().getFirst().errno()).isEqualTo("ENODEV");
    }

    @Test
    void bindsAQueueAgainThatSomebodyTookFromItsDriver() throws KernelRefusal {
        host.unbind(Queue.parse("04.0004"));
        drivers.add(new DesiredDriver(Queue.parse("04.0004"), QueueDriver.VFIO_AP, 0));
        drivers.add(new DesiredDriver(Queue.parse("07.0004"), QueueDriver.NONE, 0));
        Applied applied = apply();
        assertThat(kernel.take()).containsExactly("bind 04.0004 true");
        assertThat(applied.results())
                .containsExactly(
                        done("driver", "04.0004"),
                        new ObjectResult("driver", "07.0004", "ENODEV", "the host has no queue 07.0004"));

        host.addCard(new io.apportion.simulator.Card(7, "CEX8P", "EP11-Coproc", "93AADH07"));
        reconciler.retry();
        assertThat(kernel.take()).containsExactly("unbind 07.0004");
        assertThat(reconciler.isUnfinished()).isFalse();
    }

    @Test
    void unbindsNoQueueOfAGuestThatMayKeepItsAdapter() throws KernelRefusal {
        apply(mdev(A, "4x4,47", "4x4,47"));
        String guest = openGuest("vm1", A);
        host.createForeign(C, matrix("5x4"));
        kernel.take();
        drivers.add(new DesiredDriver(Queue.parse("04.0004"), QueueDriver.NONE, 0));
        drivers.add(new DesiredDriver(Queue.parse("05.0004"), QueueDriver.NONE, 0));
        Applied applied = apply(mdev(A, "4x4,47", "4x4,47", guest));
        assertThat(kernel.take()).isEmpty();
        assertThat(applied.results().stream().map(ObjectResult::errno)).containsExactly("EBUSY", "EBUSY", null);

        apply(mdev(A, "4x47", "4x47", guest));
        assertThat(kernel.take()).containsExactly("configure a 4x47", "unbind 04.0004");
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4x47"));
    }

    // Numbers, restarts, reboots.

    @Test
    void neverGoesBackWithinAnIncarnation() {
        apply(mdev(A, "4x4", "4x4"));
        DesiredHost older = desired(mdev(A, "5x4", "5x4"));
        apply(mdev(A, "6x4", "6x4"));
        kernel.take();
        reconciler.apply(older);
        reconciler.apply(older);
        assertThat(kernel.take()).isEmpty();
        assertThat(Objects.requireNonNull(reconciler.observe().applied()).generation())
                .isEqualTo(3);
    }

    @Test
    void appliesAnOlderNumberOfAnotherIncarnation() {
        apply(mdev(A, "4x4", "4x4"));
        apply(mdev(A, "4x4", "4x4"));
        incarnation = new UUID(1, 2);
        generation = 0;
        apply(mdev(A, "5x4", "5x4"));
        assertThat(observed(A).assigned()).isEqualTo(matrix("5x4"));
    }

    @Test
    void appliesNothingTwice() throws KernelRefusal {
        DesiredHost desired = desired(mdev(A, "4x4", "4x4"));
        reconciler.apply(desired);
        host.edit(A, matrix("5x4"));
        kernel.take();
        reconciler.apply(desired);
        assertThat(kernel.take()).isEmpty();
    }

    @Test
    void writesNothingWhilePaused() {
        apply(mdev(A, "4x4", "4x4"));
        kernel.take();
        DesiredHost next = desired(mdev(A, "5x4", "5x4"));
        DesiredHost paused = new DesiredHost(
                next.host(),
                next.incarnation(),
                next.generation(),
                true,
                next.bindingMode(),
                null,
                0,
                List.of(),
                next.mdevs());
        Applied applied = Objects.requireNonNull(reconciler.apply(paused));
        assertThat(applied.generation()).isEqualTo(1);
        assertThat(reconciler.isUnfinished()).isFalse();
        reconciler.retry();
        restart();
        reconciler.resume();
        assertThat(kernel.take()).isEmpty();

        apply(mdev(A, "5x4", "5x4"));
        assertThat(kernel.take()).containsExactly("configure a 5x4");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void repairsWhereTheServerCountsAnotherRepair(boolean apConfig) throws KernelRefusal {
        use(apConfig ? freeHost() : freeHost().withoutApConfig());
        apply(mdev(A, "4,5x4,47", "4,5x4,47"));
        keepAnAdapterFromTheGuestOf(A);
        String guest = openGuest("vm1", A);
        assertThat(host.guestMatrix(A)).isEqualTo(matrix("4x4,47"));
        kernel.take();
        apply(mdev(A, "4,5x4,47", "4,5x4,47", guest));
        assertThat(kernel.take()).isEmpty();

        List<Matrix> had = new ArrayList<>();
        host.onCommit(commit -> had.add(commit.after()));
        apply(repaired(A, "4,5x4,47", guest, 1));
        assertThat(kernel.take())
                .isEqualTo(
                        apConfig
                                ? List.of("configure a 4,5x4,47")
                                : List.of("unassignAdapter a 5", "assignAdapter a 5"));
        assertThat(had).containsExactly(matrix("4,5x4,47"));

        apply(repaired(A, "4,5x4,47", guest, 1));
        restart();
        apply(repaired(A, "4,5x4,47", guest, 1));
        assertThat(kernel.take()).as("seen").isEmpty();
    }

    /** Adapter 5 stays out of the guest matrix after a bad reset that a later good one does not repair by itself. */
    private void keepAnAdapterFromTheGuestOf(UUID mdev) throws KernelRefusal {
        host.failResets(Queue.parse("05.0047"));
        openGuest("vm0", mdev);
        host.closeGuest("vm0");
        host.unbind(Queue.parse("04.0004"));
        host.bind(Queue.parse("04.0004"), true);
        host.repairResets(Queue.parse("05.0047"));
        openGuest("vm0", mdev);
        host.closeGuest("vm0");
    }

    @Test
    void aRestartChangesNothing() throws KernelRefusal {
        apply(mdev(A, "4x4", "4x4"));
        host.edit(A, matrix("4,5x4"));
        Applied before = Objects.requireNonNull(reconciler.observe().applied());
        kernel.take();
        restart();
        reconciler.resume();
        assertThat(kernel.take()).isEmpty();
        assertThat(reconciler.observe().applied()).isEqualTo(before);
        assertThat(observed(A).own()).isTrue();
    }

    @Test
    void aRestartTriesAgainWhatFailed() throws KernelRefusal {
        host.createForeign(C, matrix("5x4"));
        apply(mdev(A, "4x4", "4x4"), mdev(B, "5x4", "5x4"));
        restart();
        assertThat(reconciler.isUnfinished()).isTrue();
        host.edit(C, Matrix.EMPTY);
        kernel.take();
        reconciler.retry();
        assertThat(kernel.take()).containsExactly("configure b 5x4");
    }

    @Test
    void finishesAfterADeathInTheMiddle() {
        kernel.afterWrite = () -> {
            throw new IllegalStateException("died");
        };
        assertThatThrownBy(() -> apply(mdev(A, "4x4", "4x4"))).hasMessage("died");
        kernel.afterWrite = () -> {};
        kernel.take();
        restart();
        reconciler.resume();
        assertThat(kernel.take()).containsExactly("configure a 4x4");
        assertThat(observed(A).own()).isTrue();
    }

    @Test
    void makesTheHostAsRememberedAfterAReboot() throws KernelRefusal {
        reservation = new Reservation(ApMask.of(6), ApMask.of(4));
        apply(mdev(A, "4x4", "4x4"));
        String guest = openGuest("vm1", A);
        apply(mdev(A, "4,5x4", "4,5x4", guest));
        kernel.take();
        host.reboot();
        restart();
        assertThat(reconciler.observe().applied()).isNull();
        reconciler.resume();
        assertThat(kernel.take())
                .containsExactly("changeApmask 6 true", "changeAqmask 4 true", "create a", "configure a 4,5x4");
        assertThat(Objects.requireNonNull(reconciler.observe().applied()).generation())
                .isEqualTo(2);
        reconciler.resume();
        assertThat(kernel.take()).isEmpty();
    }

    @Test
    void retriesAfterAReboot() throws KernelRefusal {
        apply(mdev(A, "4x4", "4x4"));
        apply(mdev(A, "4x4", "4x4", openGuest("vm1", A)));
        host.reboot();
        kernel.refusal = line -> line.startsWith("configure") ? "EADDRNOTAVAIL" : null;
        restart();
        reconciler.resume();
        kernel.refusal = line -> null;
        kernel.take();
        reconciler.retry();
        assertThat(kernel.take()).as("made for a guest that the reboot ended").containsExactly("configure a 4x4");
    }

    /** Apportion adopted it, and mdevctl still makes it at each boot, with the matrix that it had then. */
    @Test
    void makesWhatMdevctlMadeAtBootWhatItShallBeAndTouchesNothingForeign() throws KernelRefusal {
        host.createForeign(A, matrix("4,5x47"));
        host.define(A, true, matrix("4,5x47"));
        host.define(C, true, matrix("6x54"));
        apply(mdev(A, "4x4", "4x4"));
        apply(mdev(A, "4x4", "4x4", openGuest("vm1", A)));
        host.reboot();
        kernel.take();
        restart();
        reconciler.resume();
        assertThat(kernel.take()).containsExactly("configure a 4x4");
        assertThat(reconciler.isUnfinished()).isFalse();
        assertThat(observed(A).guestMatrix()).isEqualTo(matrix("4x4"));
        assertThat(observed(C).own()).isFalse();
        assertThat(observed(C).assigned()).isEqualTo(matrix("6x54"));
    }

    @Test
    void leavesWhatMdevctlMadeAtBootToAGuestThatWasFaster() throws KernelRefusal {
        host.define(A, true, matrix("4,5x47"));
        apply(mdev(A, "4x4", "4x4"));
        apply(mdev(A, "4x4", "4x4", openGuest("vm1", A)));
        host.reboot();
        String guest = openGuest("vm1", A);
        kernel.take();
        restart();
        reconciler.resume();
        assertThat(kernel.take()).isEmpty();
        assertThat(reconciler.isUnfinished()).isTrue();
        apply(mdev(A, "4x4", "4x4", guest));
        assertThat(kernel.take()).containsExactly("configure a 4x4");
    }

    @Test
    void tellsWhatOnlyTheAgentKnows() {
        use(freeHost(), new Keep(ApMask.of(9), ApMask.NONE));
        ObservedHost before = reconciler.observe();
        assertThat(before.applied()).isNull();
        assertThat(before.keep().adapters()).isEqualTo(ApMask.of(9));
        apply(mdev(A, "4x4", "4x4"));
        assertThat(Objects.requireNonNull(reconciler.observe().applied()).results())
                .containsExactly(done(A));
    }

    // Shorthand.

    private Applied apply(DesiredMdev... mdevs) {
        return Objects.requireNonNull(reconciler.apply(desired(mdevs)));
    }

    private DesiredHost desired(DesiredMdev... mdevs) {
        return new DesiredHost(
                "lpar1",
                incarnation,
                ++generation,
                false,
                bindingMode,
                reservation,
                reservationRepair,
                List.copyOf(drivers),
                List.of(mdevs));
    }

    private static DesiredMdev mdev(UUID uuid, String claim, String guestMatrix) {
        return mdev(uuid, claim, guestMatrix, null);
    }

    private static DesiredMdev mdev(UUID uuid, String claim, String guestMatrix, @Nullable String attach) {
        return new DesiredMdev(uuid, matrix(claim), matrix(guestMatrix), attach, false, 0);
    }

    private static DesiredMdev repaired(UUID uuid, String matrix, @Nullable String attach, int repair) {
        return new DesiredMdev(uuid, matrix(matrix), matrix(matrix), attach, false, repair);
    }

    private static DesiredMdev removing(UUID uuid, @Nullable String attach) {
        return new DesiredMdev(uuid, Matrix.EMPTY, Matrix.EMPTY, attach, true, 0);
    }

    /** {@code adapters x domains [+ control domains]}, hex numbers with commas. */
    private static Matrix matrix(String text) {
        String[] parts = text.split("[x+]", -1);
        return new Matrix(mask(parts[0]), mask(parts[1]), parts.length > 2 ? mask(parts[2]) : ApMask.NONE);
    }

    private static ApMask mask(String numbers) {
        return ApMask.of(Arrays.stream(numbers.split(","))
                .filter(number -> !number.isEmpty())
                .mapToInt(number -> Integer.parseInt(number, 16))
                .toArray());
    }

    private String openGuest(String name, UUID mdev) throws KernelRefusal {
        host.openGuest(name, mdev);
        return guestOf(mdev);
    }

    private String guestOf(UUID mdev) {
        return Objects.requireNonNull(Objects.requireNonNull(host.guestOf(mdev)).identity());
    }

    private ObservedMdev observed(UUID uuid) {
        return Objects.requireNonNull(reconciler.observe().mdevs()).stream()
                .filter(mdev -> mdev.uuid().equals(uuid))
                .findFirst()
                .orElseThrow();
    }

    private static ObjectResult done(UUID mdev) {
        return done("mdev", mdev.toString());
    }

    private static ObjectResult done(String kind, String id) {
        return new ObjectResult(kind, id, null, null);
    }

    private static ObjectResult result(Applied applied, UUID mdev) {
        return applied.results().stream()
                .filter(result -> result.id().equals(mdev.toString()))
                .findFirst()
                .orElseThrow();
    }
}
