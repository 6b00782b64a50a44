package io.apportion.ap;

import static io.apportion.ap.Scene.queues;
import static io.apportion.ap.Scene.rectangle;
import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.Inventory.ForeignMdev;
import io.apportion.ap.Refusal.Conflict;
import io.apportion.ap.Refusal.Holder;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What becomes of a host's matrix by one change. Cards 4, 5, 6; domains 04, 47, 54; every queue bound unless said. */
class PlanningTests {

    private static final UUID ONE = new UUID(0, 1);
    private static final UUID TWO = new UUID(0, 2);
    private static final UUID FOREIGN = new UUID(0, 0xf);
    private static final ApMask CARDS = ApMask.of(4, 5, 6);
    private static final ApMask DOMAINS = ApMask.of(0x04, 0x47, 0x54);
    private static final Guest VM17 = new Guest("boot/7/70", "vm17");
    private static final Guest VM17_AGAIN = new Guest("boot/8/80", "vm17");
    private static final Guest TOLD = new Guest("told", "vm17");

    private QueueSet bound = QueueSet.rectangle(CARDS, DOMAINS);
    private Matrix configuration = new Matrix(CARDS, DOMAINS, DOMAINS);
    private boolean hotPlug = true;
    private boolean seesGuests = true;
    private Reservation masks = new Reservation(ApMask.NONE, ApMask.NONE);
    private Inventory.Keep keep = Inventory.Keep.NOTHING;
    private QueueSet overridden = QueueSet.NONE;
    private final Map<UUID, ForeignMdev> foreign = new HashMap<>();

    private GuestFilter filter = GuestFilter.INCREMENTAL;
    private @Nullable BindingMode bindingMode;
    private final Map<Queue, QueueDriver> drivers = new HashMap<>();
    private final Map<UUID, Mdev> mdevs = new HashMap<>();

    private Inventory inventory() {
        return new Inventory(
                true,
                hotPlug,
                seesGuests,
                0x3f,
                0xff,
                configuration,
                masks,
                keep,
                bound,
                bound,
                QueueSet.NONE,
                overridden,
                QueueSet.NONE,
                Map.copyOf(foreign));
    }

    private HostMatrix host() {
        return new HostMatrix(filter, bindingMode, inventory(), null, drivers, mdevs);
    }

    /** With the guest matrix that its filter gives it from the start. */
    private void mdev(UUID uuid, Matrix assigned, @Nullable Guest guest) {
        Matrix guestMatrix = filter.apply(ApMask.NONE, assigned, configuration, host().usable());
        mdevs.put(uuid, new Mdev(uuid, assigned, guestMatrix, guest, false, Matrix.EMPTY, ApMask.NONE));
    }

    private static Matrix adapters(int... numbers) {
        return rectangle(ApMask.of(numbers), ApMask.NONE);
    }

    private static Matrix domains(int... numbers) {
        return rectangle(ApMask.NONE, ApMask.of(numbers));
    }

    private static Matrix matrix(ApMask adapters, int... domains) {
        return rectangle(adapters, ApMask.of(domains));
    }

    private Plan planned(Change change) {
        return planned(host(), change);
    }

    private static Plan planned(HostMatrix host, Change change) {
        Outcome outcome = host.plan(change);
        assertThat(outcome).isInstanceOf(Plan.class);
        return (Plan) outcome;
    }

    private <R extends Refusal> R refused(Change change, Class<R> kind) {
        Outcome outcome = host().plan(change);
        assertThat(outcome).isInstanceOf(kind);
        return kind.cast(outcome);
    }

    private List<Conflict> conflicts(Change change) {
        return refused(change, Refusal.Conflicts.class).conflicts();
    }

    private static Conflict of(String queue, Holder holder, @Nullable UUID mdev) {
        return new Conflict(Queue.parse(queue), holder, mdev);
    }

    private Plan reported(HostMatrix before, @Nullable Guest guest, @Nullable Matrix guestMatrix) {
        return reported(
                before, false, new Change.Observe.Seen(before.mdevs().get(ONE).assigned(), guestMatrix, true, guest));
    }

    private Plan reported(HostMatrix before, boolean reboot, Change.Observe.Seen seen) {
        return planned(before, new Change.Observe(inventory(), reboot, Map.of(ONE, seen)));
    }

    private static QueueSet guestQueues(Plan plan) {
        return plan.after().mdevs().get(ONE).guestMatrix().queues();
    }

    private static Effect onlyEffect(Plan plan) {
        assertThat(plan.effects()).hasSize(1);
        return plan.effects().getFirst();
    }

    // ---- who has a queue

    @Test
    void tellsOfEveryQueueThatSomebodyElseHas() {
        masks = new Reservation(ApMask.of(6), ApMask.of(0x54));
        keep = new Inventory.Keep(ApMask.NONE, ApMask.of(0x60));
        foreign.put(FOREIGN, new ForeignMdev(matrix(ApMask.of(5), 0x54), Matrix.EMPTY, null));
        mdev(ONE, matrix(ApMask.of(4, 5), 0x04), null);
        mdev(TWO, matrix(ApMask.of(6), 0x47), null);

        assertThat(conflicts(new Change.Create(new UUID(0, 3), matrix(CARDS, 0x04, 0x47, 0x54, 0x60))))
                .containsExactly(
                        of("04.0004", Holder.MDEV, ONE),
                        of("04.0060", Holder.KEEP, null),
                        of("05.0004", Holder.MDEV, ONE),
                        of("05.0054", Holder.FOREIGN_MDEV, FOREIGN),
                        of("05.0060", Holder.KEEP, null),
                        of("06.0047", Holder.MDEV, TWO),
                        of("06.0054", Holder.MASKS, null),
                        of("06.0060", Holder.KEEP, null));
    }

    @Test
    void letsMdevsShareAdaptersOrDomainsOrControlDomains() {
        mdev(ONE, new Matrix(ApMask.of(4), ApMask.of(0x04), ApMask.of(0x04)), null);

        assertThat(planned(new Change.Create(TWO, new Matrix(ApMask.of(4), ApMask.of(0x47), ApMask.of(0x04))))
                        .after()
                        .mdevs())
                .containsOnlyKeys(ONE, TWO);
        planned(new Change.Create(TWO, matrix(ApMask.of(5), 0x04)));
    }

    @Test
    void assigningANumberIsJudgedWithTheWholeMatrixThatItMakes() {
        mdev(ONE, matrix(ApMask.of(4), 0x04, 0x47), null);
        mdev(TWO, matrix(ApMask.of(5), 0x47, 0x54), null);

        assertThat(conflicts(new Change.Assign(ONE, adapters(5)))).containsExactly(of("05.0047", Holder.MDEV, TWO));
        assertThat(conflicts(new Change.Replace(ONE, matrix(ApMask.of(5), 0x47, 0x54))))
                .containsExactly(of("05.0047", Holder.MDEV, TWO), of("05.0054", Holder.MDEV, TWO));
    }

    @Test
    void refusesNumbersThatTheMachineCannotHaveWithAllOfThem() {
        var refusal = refused(
                new Change.Create(ONE, new Matrix(ApMask.of(4, 0x40, 0x41), ApMask.of(0x04), ApMask.of(0xff))),
                Refusal.NumberOutOfRange.class);

        assertThat(refusal.matrix()).isEqualTo(adapters(0x40, 0x41));
        assertThat(refusal.maxAdapter()).isEqualTo(0x3f);
        mdev(ONE, Matrix.EMPTY, null);
        refused(new Change.Unassign(ONE, adapters(0x40)), Refusal.NumberOutOfRange.class);
    }

    @Test
    void assignsQueuesThatDoNotExistYet() {
        assertThat(planned(new Change.Create(ONE, matrix(ApMask.of(0x3f), 0x99)))
                        .after()
                        .mdevs()
                        .get(ONE)
                        .guestMatrix()
                        .queueCount())
                .isZero();
    }

    @Test
    void makesNoMdevWhoseUuidAForeignOneHas() {
        foreign.put(FOREIGN, new ForeignMdev(matrix(ApMask.of(5), 0x54), Matrix.EMPTY, null));

        refused(new Change.Create(FOREIGN, Matrix.EMPTY), Refusal.MdevIsForeign.class);
    }

    @Test
    void unassigningWhatIsReservedMeanwhileIsNeverRefused() {
        mdev(ONE, matrix(ApMask.of(4, 5), 0x04), null);
        masks = new Reservation(ApMask.ALL, ApMask.ALL);

        assertThat(planned(new Change.Unassign(ONE, adapters(5)))
                        .after()
                        .mdevs()
                        .get(ONE)
                        .assigned())
                .isEqualTo(matrix(ApMask.of(4), 0x04));
        assertThat(planned(new Change.Replace(ONE, matrix(ApMask.of(4), 0x04))).mdevs())
                .containsExactly(ONE);
        assertThat(conflicts(new Change.Assign(ONE, domains(0x47)))).hasSize(4);
    }

    // ---- effects

    @Test
    void whatChangesNothingTouchesNothing() {
        mdev(ONE, matrix(ApMask.of(4), 0x04), VM17);
        HostMatrix host = host();
        for (Change same : List.of(
                new Change.Assign(ONE, adapters(4)),
                new Change.Unassign(ONE, domains(0x54)),
                new Change.Replace(ONE, matrix(ApMask.of(4), 0x04)),
                new Change.SwitchFilter(GuestFilter.INCREMENTAL, false),
                new Change.Reserve(null),
                new Change.SetDriver(Queue.parse("04.0004"), null, false))) {
            Plan plan = planned(host, same);
            assertThat(plan.changesDesired()).as("%s", same).isFalse();
            assertThat(plan.effects()).as("%s", same).isEmpty();
            assertThat(plan.after().mdevs()).as("%s", same).isEqualTo(host.mdevs());
        }
        Plan report = reported(host, VM17, matrix(ApMask.of(4), 0x04));
        assertThat(report.changesDesired()).isFalse();
        assertThat(report.effects()).isEmpty();
    }

    @Test
    void aPreviewPlugsNothing() {
        mdev(ONE, matrix(ApMask.of(4), 0x04), null);

        Plan plan = planned(new Change.Assign(ONE, adapters(5)));

        assertThat(plan.effects()).isEmpty();
        assertThat(plan.mdevs()).containsExactly(ONE);
        assertThat(guestQueues(plan)).isEqualTo(queues("04.0004", "05.0004"));
    }

    @Test
    void whatIsReplacedIsAnAssignmentAndAnUnassignment() {
        mdev(ONE, matrix(ApMask.of(4, 5), 0x04, 0x47), VM17);

        List<Effect> effects =
                planned(new Change.Replace(ONE, matrix(ApMask.of(5, 6), 0x04))).effects();

        assertThat(effects).extracting(Effect::cause).containsExactly(Cause.ASSIGN, Cause.UNASSIGN);
        assertThat(effects.getFirst().plugged()).isEqualTo(adapters(6));
        assertThat(effects.getFirst().unplugged()).isEqualTo(Matrix.EMPTY);
        assertThat(effects.getLast().plugged()).isEqualTo(Matrix.EMPTY);
        assertThat(effects.getLast().unplugged()).isEqualTo(matrix(ApMask.of(4), 0x47));
        assertThat(effects.getLast().queuesLost()).isEqualTo(queues("04.0004", "04.0047", "05.0047"));
    }

    @Test
    void replacingByMoreIsAnAssignmentAndByLessAnUnassignment() {
        mdev(ONE, matrix(ApMask.of(4), 0x04, 0x47), VM17);

        assertThat(onlyEffect(planned(new Change.Replace(ONE, matrix(ApMask.of(4, 5), 0x04, 0x47))))
                        .cause())
                .isEqualTo(Cause.ASSIGN);
        assertThat(onlyEffect(planned(new Change.Replace(ONE, matrix(ApMask.of(4), 0x04))))
                        .cause())
                .isEqualTo(Cause.UNASSIGN);
    }

    @Test
    void ofSeveralCausesInOneReportTheHostConfigurationComesFirstThenUnbind() {
        bound = bound.without(Queue.parse("06.0047"));
        mdev(ONE, matrix(CARDS, 0x04, 0x47), VM17);
        HostMatrix before = host();

        bound = bound.with(Queue.parse("06.0047"));
        assertThat(onlyEffect(reported(before, VM17, null)).cause()).isEqualTo(Cause.BIND);
        bound = bound.without(Queue.parse("04.0004"));
        assertThat(onlyEffect(reported(before, VM17, null)).cause()).isEqualTo(Cause.UNBIND);
        configuration = new Matrix(ApMask.of(4, 6), DOMAINS, DOMAINS);
        Effect effect = onlyEffect(reported(before, VM17, null));
        assertThat(effect.cause()).isEqualTo(Cause.HOST_CONFIGURATION);
        assertThat(effect.plugged().adapters()).isEqualTo(ApMask.of(6));
        assertThat(effect.unplugged().adapters()).isEqualTo(ApMask.of(4, 5));
    }

    @Test
    void aRunningGuestKeepsItsQueuesWhenAnIncompleteDomainIsAssigned() {
        bound = bound.without(Queue.parse("05.0054"));
        mdev(ONE, matrix(ApMask.of(4, 5), 0x04), VM17);

        Plan plan = planned(new Change.Assign(ONE, domains(0x54)));

        assertThat(plan.effects()).isEmpty();
        assertThat(guestQueues(plan)).isEqualTo(queues("04.0004", "05.0004"));
        assertThat(plan.after().atNextStart(plan.after().mdevs().get(ONE)).queues())
                .isEqualTo(queues("04.0004", "04.0054"));
    }

    // ---- hosts that cannot hot-plug

    @Test
    void changesNothingUnderAGuestWhereTheHostCannotHotPlug() {
        hotPlug = false;
        mdev(ONE, matrix(ApMask.of(4), 0x04), VM17);
        mdev(TWO, matrix(ApMask.of(5), 0x04), null);

        for (Change change : List.of(
                new Change.Assign(ONE, adapters(6)),
                new Change.Unassign(ONE, adapters(4)),
                new Change.Replace(ONE, Matrix.EMPTY),
                new Change.Remove(ONE, true),
                new Change.SetDriver(Queue.parse("04.0004"), QueueDriver.NONE, true))) {
            assertThat(host().plan(change)).as("%s", change).isEqualTo(new Refusal.CannotHotPlug(ONE, "vm17"));
        }
        planned(new Change.Assign(TWO, adapters(6)));
        planned(new Change.Assign(ONE, adapters(4)));
    }

    // ---- deletion

    @Test
    void deletesAnMdevUnderAGuestOnlyByForceAndHoldsItsQueuesUntilTheHostHasLetThemGo() {
        mdev(ONE, matrix(ApMask.of(4), 0x04, 0x47), VM17);
        var refusal = refused(new Change.Remove(ONE, false), Refusal.GuestAttached.class);
        assertThat(refusal.canBeForced()).isTrue();
        assertThat(refusal.effects().getFirst().queuesLost()).isEqualTo(queues("04.0004", "04.0047"));

        Plan removed = planned(new Change.Remove(ONE, true));
        HostMatrix after = removed.after();
        assertThat(onlyEffect(removed).cause()).isEqualTo(Cause.DELETE);
        assertThat(after.mdevs().get(ONE).removing()).isTrue();
        assertThat(after.mdevs().get(ONE).assigned()).isEqualTo(Matrix.EMPTY);
        assertThat(after.plan(new Change.Assign(ONE, adapters(5)))).isInstanceOf(Refusal.MdevRemoving.class);
        assertThat(after.plan(new Change.Remove(ONE, false))).isInstanceOf(Refusal.MdevRemoving.class);
        assertThat(planned(after, new Change.Remove(ONE, true)).changesDesired())
                .isFalse();
        Change.Create other = new Change.Create(TWO, matrix(ApMask.of(4), 0x47, 0x54));
        assertThat(after.plan(other)).isEqualTo(new Refusal.Conflicts(List.of(of("04.0047", Holder.MDEV, ONE))));

        Plan stillThere =
                reported(after, false, new Change.Observe.Seen(matrix(ApMask.of(4), 0x04, 0x47), null, true, VM17));
        assertThat(stillThere.after().plan(other)).isInstanceOf(Refusal.Conflicts.class);
        Plan empty = reported(after, false, new Change.Observe.Seen(Matrix.EMPTY, Matrix.EMPTY, true, VM17));
        assertThat(empty.after().mdevs()).containsKey(ONE);
        assertThat(empty.after().plan(other)).isInstanceOf(Plan.class);
        Plan gone = planned(after, new Change.Observe(inventory(), false, Map.of()));
        assertThat(gone.after().mdevs()).isEmpty();
        Plan unread = planned(after, new Change.Observe(inventory(), false, null));
        assertThat(unread.after().mdevs()).containsKey(ONE);
    }

    @Test
    void deletesAnMdevWithoutGuestAtOnce() {
        mdev(ONE, matrix(ApMask.of(4), 0x04), null);

        Plan plan = planned(new Change.Remove(ONE, false));

        assertThat(plan.after().mdevs()).isEmpty();
        assertThat(plan.mdevs()).containsExactly(ONE);
        assertThat(plan.effects()).isEmpty();
    }

    // ---- attach and release

    @Test
    void anAttachThatIsReportedStartsFromWhatTheGuestHas() {
        bound = bound.without(Queue.parse("05.0054"));
        mdev(ONE, matrix(ApMask.of(4, 5), 0x04, 0x54), null);
        assertThat(guestQueues(planned(new Change.Assign(ONE, adapters(4))))).isEqualTo(queues("04.0004", "04.0054"));

        Plan plan = reported(host(), VM17, matrix(ApMask.of(4, 5), 0x04));

        assertThat(guestQueues(plan)).isEqualTo(queues("04.0004", "05.0004"));
        assertThat(onlyEffect(plan).cause()).isEqualTo(Cause.ATTACH);
        assertThat(onlyEffect(plan).plugged()).isEqualTo(matrix(ApMask.of(4, 5), 0x04));
        assertThat(plan.mdevs()).containsExactly(ONE);
    }

    @Test
    void anotherIdentityIsAReleaseAndAnAttachEvenIfNobodySawTheGap() {
        mdev(ONE, matrix(ApMask.of(4), 0x04), VM17);

        Plan same = reported(host(), VM17, matrix(ApMask.of(4), 0x04));
        Plan another = reported(host(), VM17_AGAIN, matrix(ApMask.of(4), 0x04));

        assertThat(same.effects()).isEmpty();
        assertThat(another.effects()).extracting(Effect::cause).containsExactly(Cause.RELEASE, Cause.ATTACH);
        assertThat(another.effects().getFirst().unplugged())
                .isEqualTo(another.effects().getLast().plugged());
        assertThat(another.mdevs()).containsExactly(ONE);
    }

    @Test
    void atReleaseThePreviewTakesThePlaceOfTheHistory() {
        bound = bound.without(Queue.parse("05.0054"));
        mdev(ONE, matrix(ApMask.of(4, 5), 0x04), VM17);
        HostMatrix running = planned(new Change.Assign(ONE, domains(0x54))).after();

        Plan plan = reported(running, null, null);

        assertThat(onlyEffect(plan).cause()).isEqualTo(Cause.RELEASE);
        assertThat(onlyEffect(plan).unplugged()).isEqualTo(matrix(ApMask.of(4, 5), 0x04));
        assertThat(guestQueues(plan)).isEqualTo(queues("04.0004", "04.0054"));
    }

    @Test
    void whoCannotBeSeenStaysAsHeWas() {
        mdev(ONE, matrix(ApMask.of(4), 0x04), VM17);

        Plan plan = reported(host(), false, new Change.Observe.Seen(null, null, false, null));

        assertThat(plan.after().mdevs().get(ONE).guest()).isEqualTo(VM17);
        assertThat(plan.changesDesired()).isFalse();
    }

    @Test
    void aRebootReleasesAGuestThatWasToldThroughTheApi() {
        seesGuests = false;
        mdev(ONE, matrix(ApMask.of(4), 0x04), TOLD);
        var seen = new Change.Observe.Seen(matrix(ApMask.of(4), 0x04), null, false, null);

        assertThat(reported(host(), false, seen).effects()).isEmpty();
        Plan plan = reported(host(), true, seen);
        assertThat(onlyEffect(plan).cause()).isEqualTo(Cause.RELEASE);
        assertThat(plan.after().mdevs().get(ONE).guest()).isNull();
    }

    @Test
    void guestsAreToldThroughTheApiOnlyWhereTheAgentCannotSeeThem() {
        mdev(ONE, matrix(ApMask.of(4), 0x04), null);
        mdev(TWO, matrix(ApMask.of(5), 0x04), null);
        refused(new Change.Attach(ONE, "vm17"), Refusal.GuestObserved.class);
        refused(new Change.Release(ONE), Refusal.GuestObserved.class);

        seesGuests = false;
        HostMatrix attached = planned(new Change.Attach(ONE, "vm17")).after();
        assertThat(attached.mdevs().get(ONE).guest()).isEqualTo(TOLD);
        assertThat(planned(attached, new Change.Attach(ONE, "vm17")).changesDesired())
                .isFalse();
        assertThat(attached.plan(new Change.Attach(ONE, "vm18")))
                .isEqualTo(new Refusal.GuestAttached(ONE, "vm17", List.of(), false));
        assertThat(attached.plan(new Change.Attach(TWO, "vm17"))).isEqualTo(new Refusal.GuestHasMdev("vm17", ONE));
        assertThat(onlyEffect(planned(attached, new Change.Release(ONE))).cause())
                .isEqualTo(Cause.RELEASE);
    }

    // ---- the filter

    @Test
    void switchingTheFilterKeepsWhatTheGuestHasAndIsRefusedWhereItWouldLose() {
        bound = bound.without(Queue.parse("05.0054"));
        mdev(ONE, matrix(ApMask.of(4, 5), 0x04), VM17);
        HostMatrix incremental = planned(new Change.Assign(ONE, domains(0x54))).after();

        Outcome refusal = incremental.plan(new Change.SwitchFilter(GuestFilter.RECOMPUTE, false));
        assertThat(refusal).isInstanceOf(Refusal.GuestAttached.class);
        assertThat(((Refusal.GuestAttached) refusal).effects().getFirst().queuesLost())
                .isEqualTo(queues("05.0004"));
        Plan forced = planned(incremental, new Change.SwitchFilter(GuestFilter.RECOMPUTE, true));
        assertThat(onlyEffect(forced).cause()).isEqualTo(Cause.FILTER);
        assertThat(guestQueues(forced)).isEqualTo(queues("04.0004", "04.0054"));

        Plan back = planned(forced.after(), new Change.SwitchFilter(GuestFilter.INCREMENTAL, false));
        assertThat(back.effects()).isEmpty();
        // From the start {04}x{04,54}, and so it is: Q are the domains that the guest has.
        assertThat(guestQueues(back)).isEqualTo(queues("04.0004", "04.0054"));
        assertThat(planned(back.after(), new Change.Unassign(ONE, domains(0x54)))
                        .after()
                        .mdevs()
                        .get(ONE)
                        .guestMatrix()
                        .adapters())
                .isEqualTo(ApMask.of(4, 5));
    }

    // ---- reservation, drivers, binding mode

    @Test
    void aNewlyReservedNumberMustTouchNoAssignedQueueWhateverTheOtherMaskSays() {
        mdev(ONE, matrix(ApMask.of(4), 0x04, 0x47), null);
        foreign.put(FOREIGN, new ForeignMdev(matrix(ApMask.of(5), 0x54), Matrix.EMPTY, null));

        // Queue 04.0099 alone would be reserved, and no mdev has it: the kernel refuses even so.
        assertThat(conflicts(new Change.Reserve(new Reservation(ApMask.of(4), ApMask.of(0x99)))))
                .containsExactly(of("04.0004", Holder.MDEV, ONE), of("04.0047", Holder.MDEV, ONE));
        assertThat(conflicts(new Change.Reserve(new Reservation(ApMask.of(0x20), ApMask.of(0x47, 0x54)))))
                .containsExactly(of("04.0047", Holder.MDEV, ONE), of("05.0054", Holder.FOREIGN_MDEV, FOREIGN));
        Plan plan = planned(new Change.Reserve(new Reservation(ApMask.of(6), ApMask.of(0x99))));
        assertThat(plan.reservation()).isTrue();
        assertThat(plan.takenBack()).isEqualTo(QueueSet.NONE);
    }

    @Test
    void whatIsReservedAlreadyIsNoNewConflictAndWhatIsFreedIsTold() {
        masks = new Reservation(ApMask.of(4, 6), DOMAINS);
        foreign.put(FOREIGN, new ForeignMdev(matrix(ApMask.of(4), 0x04), Matrix.EMPTY, null));

        Plan plan = planned(new Change.Reserve(new Reservation(ApMask.of(4), ApMask.of(0x04, 0x47))));

        assertThat(plan.freed()).isEqualTo(queues("04.0054", "06.0004", "06.0047", "06.0054"));
        assertThat(plan.takenBack()).isEqualTo(QueueSet.NONE);
    }

    @Test
    void neverFreesWhatTheHostsAdministratorKeeps() {
        masks = new Reservation(ApMask.of(4, 6), DOMAINS);
        keep = new Inventory.Keep(ApMask.of(6), ApMask.NONE);

        assertThat(conflicts(new Change.Reserve(new Reservation(ApMask.of(4), DOMAINS))))
                .extracting(Conflict::holder)
                .containsExactly(Holder.KEEP, Holder.KEEP, Holder.KEEP);
        assertThat(conflicts(new Change.SetDriver(Queue.parse("06.0004"), QueueDriver.VFIO_AP, true)))
                .containsExactly(of("06.0004", Holder.KEEP, null));
        assertThat(conflicts(new Change.Create(ONE, matrix(ApMask.of(6), 0x99))))
                .containsExactly(of("06.0099", Holder.KEEP, null));
    }

    @Test
    void takesAQueueFromARunningGuestOnlyByForce() {
        mdev(ONE, matrix(ApMask.of(4, 5), 0x04), VM17);
        Queue queue = Queue.parse("05.0004");

        var refusal = refused(new Change.SetDriver(queue, QueueDriver.NONE, false), Refusal.GuestAttached.class);
        assertThat(refusal.effects().getFirst().queuesLost()).isEqualTo(queues("05.0004"));
        Plan plan = planned(new Change.SetDriver(queue, QueueDriver.NONE, true));
        assertThat(onlyEffect(plan).cause()).isEqualTo(Cause.UNBIND);
        assertThat(plan.drivers()).containsExactly(queue);
        // It leaves the guest first: the host still says that it is bound.
        assertThat(guestQueues(plan)).isEqualTo(queues("04.0004"));
        Plan back = planned(plan.after(), new Change.SetDriver(queue, null, false));
        assertThat(onlyEffect(back).cause()).isEqualTo(Cause.BIND);
    }

    @Test
    void saysWhichMaskChangeWouldMakeADriverPossible() {
        masks = new Reservation(ApMask.of(6), DOMAINS);

        assertThat(refused(
                                new Change.SetDriver(Queue.parse("06.0004"), QueueDriver.VFIO_AP, false),
                                Refusal.DriverNotChangeable.class)
                        .remedy())
                .contains("0x06", "0x0004");
        assertThat(refused(
                                new Change.SetDriver(Queue.parse("04.0047"), QueueDriver.DEFAULT, false),
                                Refusal.DriverNotChangeable.class)
                        .remedy())
                .contains("0x04", "0x0047");
    }

    @Test
    void masksThatContradictAManagedDriverAreRefused() {
        drivers.put(Queue.parse("04.0004"), QueueDriver.VFIO_AP);

        assertThat(refused(
                                new Change.Reserve(new Reservation(ApMask.of(4), ApMask.of(0x04))),
                                Refusal.DriverNotChangeable.class)
                        .queues())
                .containsExactly(Queue.parse("04.0004"));
    }

    @Test
    void inOverrideModeOnlyQueuesWhoseDesiredDriverIsVfioApMayBeAssigned() {
        bindingMode = BindingMode.OVERRIDE;
        masks = Reservation.EVERYTHING;
        drivers.put(Queue.parse("04.0004"), QueueDriver.VFIO_AP);
        drivers.put(Queue.parse("04.0047"), QueueDriver.NONE);

        assertThat(conflicts(new Change.Create(ONE, matrix(ApMask.of(4), 0x04, 0x47, 0x54))))
                .containsExactly(of("04.0047", Holder.DRIVER, null), of("04.0054", Holder.DRIVER, null));
        planned(new Change.Create(ONE, matrix(ApMask.of(4), 0x04)));
        refused(new Change.Reserve(new Reservation(ApMask.NONE, ApMask.NONE)), Refusal.DriverNotChangeable.class);
        planned(new Change.Reserve(Reservation.EVERYTHING));
    }

    @Test
    void theBindingModeChangesOnlyWhereTheKernelWouldLetIt() {
        masks = new Reservation(ApMask.of(4), DOMAINS);
        refused(new Change.SetBindingMode(BindingMode.OVERRIDE), Refusal.DriverNotChangeable.class);

        masks = Reservation.EVERYTHING;
        assertThat(planned(new Change.SetBindingMode(BindingMode.OVERRIDE)).bindingMode())
                .isTrue();
        overridden = queues("04.0004");
        assertThat(host().bindingMode()).isEqualTo(BindingMode.OVERRIDE);
        assertThat(refused(new Change.SetBindingMode(BindingMode.MASKS), Refusal.DriverNotChangeable.class)
                        .queues())
                .containsExactly(Queue.parse("04.0004"));
    }

    // ---- foreign mdevs

    @Test
    void adoptsAForeignMdevAsItIs() {
        foreign.put(FOREIGN, new ForeignMdev(matrix(ApMask.of(4), 0x04, 0x47), matrix(ApMask.of(4), 0x04), VM17));
        refused(new Change.Adopt(ONE), Refusal.NoForeignMdev.class);

        Plan plan = planned(new Change.Adopt(FOREIGN));

        assertThat(plan.after().mdevs().get(FOREIGN).assigned()).isEqualTo(matrix(ApMask.of(4), 0x04, 0x47));
        assertThat(plan.after().inventory().foreign()).isEmpty();
        assertThat(onlyEffect(plan).cause()).isEqualTo(Cause.ADOPT);
    }

    @Test
    void adoptsNoForeignMdevThatHasAQueueOfAnother() {
        mdev(ONE, matrix(ApMask.of(4), 0x04, 0x54), null);
        foreign.put(FOREIGN, new ForeignMdev(matrix(ApMask.of(4), 0x04, 0x47), Matrix.EMPTY, null));

        assertThat(conflicts(new Change.Adopt(FOREIGN))).containsExactly(of("04.0004", Holder.MDEV, ONE));
    }

    @Test
    void aQueueThatAForeignMdevTookLeavesTheGuest() {
        mdev(ONE, matrix(ApMask.of(4, 5), 0x04), VM17);
        HostMatrix before = host();
        foreign.put(FOREIGN, new ForeignMdev(matrix(ApMask.of(5), 0x04), Matrix.EMPTY, null));

        Plan plan = reported(before, VM17, null);

        assertThat(guestQueues(plan)).isEqualTo(queues("04.0004"));
        assertThat(plan.after().claim(plan.after().mdevs().get(ONE)).adapters()).isEqualTo(ApMask.of(4));
    }

    @Test
    void whatTheKernelKeptOutIsTriedAgainWhenTheQueuesOfTheHostChange() {
        mdev(ONE, matrix(ApMask.of(4, 5), 0x04), VM17);
        mdevs.put(ONE, mdevs.get(ONE).withKernelFiltered(ApMask.of(5)));
        HostMatrix before = host();

        assertThat(reported(before, VM17, null).after().mdevs().get(ONE).kernelFiltered())
                .isEqualTo(ApMask.of(5));
        bound = bound.without(Queue.parse("06.0054"));
        assertThat(reported(before, VM17, null).after().mdevs().get(ONE).kernelFiltered())
                .isEqualTo(ApMask.NONE);
    }
}
