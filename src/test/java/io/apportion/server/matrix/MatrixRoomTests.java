package io.apportion.server.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.CommitState;
import io.apportion.ap.GuestFilter;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.Refusal;
import io.apportion.ap.Reservation;
import io.apportion.server.ServerApplication;
import io.apportion.server.matrix.MatrixService.Mode;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.Report;
import io.apportion.wire.WireFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;

/** The matrix room on a real database, reports taken from a simulated host. */
@SpringBootTest(
        classes = ServerApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.MOCK,
        properties = "spring.datasource.url=jdbc:h2:mem:matrix-room")
class MatrixRoomTests {

    private static final Mode PLAINLY = new Mode(Preconditions.NONE, false, false, new Caller("test", true, "r1"));
    private static final Mode BY_FORCE = new Mode(Preconditions.NONE, true, false, new Caller("test", true, "r1"));
    private static final Mode DRY = new Mode(Preconditions.NONE, false, true, new Caller("test", true, "r1"));
    private static int hosts;

    @Autowired
    MatrixService service;

    @Autowired
    MatrixQueries queries;

    @Autowired
    ReportService reports;

    private String host = "";
    private final UUID mdev = UUID.randomUUID();
    private final SimulatedHost simulated = SimulatedHost.builder()
            .highest(0x3f, 0xff)
            .cards(4, 5)
            .domains(4, 0x47, 0x54)
            .allForGuests()
            .holes(new Queue(5, 0x54))
            .build();
    private long session;
    private long sequence;

    @BeforeEach
    void createHost() {
        host = "host" + hosts++;
        service.putHost(host, new HostSettings(Map.of("zone", "a"), "test", null, null, null), PLAINLY);
    }

    private static Matrix matrix(List<Integer> adapters, List<Integer> domains) {
        return new Matrix(ApMask.of(adapters), ApMask.of(domains), ApMask.NONE);
    }

    private HostState state() {
        return queries.host(host);
    }

    /** What a whole agent does, without its own part: applies nothing of its own accord. */
    private Report.Answer report(ObservedHost.@Nullable Applied applied) {
        if (session == 0) {
            session = reports.open(
                            host,
                            new Report.Hello("instance", simulated.bootId(), simulated.machineId()),
                            new Caller("agent:" + host, false, "a1"))
                    .session();
        }
        ObservedHost read = simulated.read();
        ObservedHost observed = new ObservedHost(
                read.kernelRelease(),
                read.features(),
                read.maxAdapter(),
                read.maxDomain(),
                read.hostConfiguration(),
                read.masks(),
                read.keep(),
                read.adapters(),
                read.mdevs() == null
                        ? null
                        : read.mdevs().stream()
                                .map(seen -> new ObservedHost.ObservedMdev(
                                        seen.uuid(),
                                        queries.nameOfHostOf(seen.uuid()).isPresent(),
                                        seen.assigned(),
                                        seen.guestMatrix(),
                                        seen.guest()))
                                .toList(),
                read.definitions(),
                applied);
        return reports.take(
                host,
                new Report("instance", simulated.bootId(), session, ++sequence, WireFormat.digest(observed), observed),
                new Caller("agent:" + host, false, "a1"));
    }

    private void applyClaims() throws Exception {
        DesiredHost desired = DesiredStates.of(state());
        List<ObservedHost.ObjectResult> results = new ArrayList<>();
        for (DesiredHost.DesiredMdev wanted : desired.mdevs()) {
            if (simulated.read().mdevs().stream().noneMatch(seen -> seen.uuid().equals(wanted.uuid()))) {
                simulated.create(wanted.uuid());
            }
            simulated.configure(wanted.uuid(), wanted.claim());
            results.add(new ObservedHost.ObjectResult("mdev", wanted.uuid().toString(), null, null));
        }
        report(new ObservedHost.Applied(desired.incarnation(), desired.generation(), results));
    }

    @Test
    void storesAnMdevAndWhatItsGuestWouldGet() {
        report(null);
        Written written = service.createMdev(
                mdev,
                new MdevSettings(host, Map.of("tenant", "bank"), matrix(List.of(4, 5), List.of(4, 0x47, 0x54))),
                PLAINLY);

        assertThat(written.created()).isTrue();
        MdevState stored = state().mdevs().get(mdev);
        assertThat(stored.mdev().guestMatrix().queues()).hasToString("[04.0004, 04.0047, 04.0054]");
        assertThat(stored.labels()).containsEntry("tenant", "bank");
        assertThat(stored.commit().state()).isEqualTo(CommitState.PENDING);
        assertThat(queries.commit(stored.commit().id()).objects()).hasSize(1);
        assertThat(state().matrix().explain(stored.mdev())).hasSize(1);
    }

    @Test
    void dryRunAnswersAsTheRealChangeAndStoresNothing() {
        report(null);
        service.createMdev(mdev, new MdevSettings(host, null, matrix(List.of(4), List.of(4))), PLAINLY);
        HostState before = state();

        Written dry = service.assign(mdev, matrix(List.of(5), List.of()), DRY);
        assertThat(state().generation()).isEqualTo(before.generation());
        assertThat(state().mdevs().get(mdev).mdev())
                .isEqualTo(before.mdevs().get(mdev).mdev());
        Written real = service.assign(mdev, matrix(List.of(5), List.of()), PLAINLY);

        assertThat(real.after().mdevs().get(mdev).mdev())
                .isEqualTo(dry.after().mdevs().get(mdev).mdev());
    }

    @Test
    void refusesAQueueHeldByAnotherMdev() {
        report(null);
        service.createMdev(mdev, new MdevSettings(host, null, matrix(List.of(4, 5), List.of(4, 0x47))), PLAINLY);
        UUID other = UUID.randomUUID();

        assertThatThrownBy(() -> service.createMdev(
                        other, new MdevSettings(host, null, matrix(List.of(5, 4), List.of(0x47, 0x54))), PLAINLY))
                .isInstanceOfSatisfying(
                        NotDone.Refused.class,
                        refused -> assertThat(((Refusal.Conflicts) refused.refusal()).conflicts())
                                .extracting(conflict -> conflict.queue().toString())
                                .containsExactly("04.0047", "05.0047"));
        assertThat(state().mdevs()).containsOnlyKeys(mdev);
    }

    @Test
    void appliesACommitWhenTheAgentSaysSo() throws Exception {
        report(null);
        Written written =
                service.createMdev(mdev, new MdevSettings(host, null, matrix(List.of(4), List.of(4, 0x47))), PLAINLY);
        applyClaims();

        assertThat(queries.commit(written.commit().id()).state()).isEqualTo(CommitState.APPLIED);
        MdevState stored = state().mdevs().get(mdev);
        assertThat(stored.commit().state()).isEqualTo(CommitState.APPLIED);
        assertThat(stored.observed().guestMatrix()).isEqualTo(stored.mdev().guestMatrix());
        assertThat(stored.drifted()).isFalse();
    }

    @Test
    void attachesAGuestThatTheAgentSeesAndKeepsWhatItHas() throws Exception {
        report(null);
        service.createMdev(mdev, new MdevSettings(host, null, matrix(List.of(4, 5), List.of(4, 0x47))), PLAINLY);
        applyClaims();
        simulated.openGuest("vm17", mdev);
        report(null);

        Written written = service.assign(mdev, matrix(List.of(), List.of(0x54)), PLAINLY);

        assertThat(written.plan().effects()).isEmpty();
        MdevState stored = state().mdevs().get(mdev);
        assertThat(stored.mdev().guest().name()).isEqualTo("vm17");
        assertThat(stored.mdev().guestMatrix().queues()).hasToString("[04.0004, 04.0047, 05.0004, 05.0047]");
        assertThat(state().matrix().atNextStart(stored.mdev()).queues()).hasToString("[04.0004, 04.0047, 04.0054]");
        applyClaims();
        assertThat(simulated.guestMatrix(mdev).queues()).hasToString("[04.0004, 04.0047, 05.0004, 05.0047]");
    }

    @Test
    void ignoresAReportThatIsNotNewer() {
        report(null);
        simulated.removeCard(5);
        report(null);
        ObservedHost old = simulated.read();
        simulated.addCard(new io.apportion.simulator.Card(5, "CEX8P", "EP11-Coproc", "1"));
        report(null);
        Report late = new Report("instance", simulated.bootId(), session, 2, WireFormat.digest(old), old);

        assertThat(reports.take(host, late, Caller.SERVER).taken()).isFalse();
        assertThat(state().adapters()).containsOnlyKeys(4, 5);
    }

    @Test
    void forcesAnMdevAwayUnderARunningGuest() throws Exception {
        report(null);
        service.createMdev(mdev, new MdevSettings(host, null, matrix(List.of(4), List.of(4))), PLAINLY);
        applyClaims();
        simulated.openGuest("vm17", mdev);
        report(null);

        assertThatThrownBy(() -> service.deleteMdev(mdev, PLAINLY)).hasMessageContaining("GuestAttached");
        Written deleted = service.deleteMdev(mdev, BY_FORCE);
        assertThat(deleted.plan().effects()).hasSize(1);
        assertThat(state().mdevs().get(mdev).mdev().removing()).isTrue();
        UUID other = UUID.randomUUID();
        MdevSettings same = new MdevSettings(host, null, matrix(List.of(4), List.of(4)));
        assertThatThrownBy(() -> service.createMdev(other, same, PLAINLY)).hasMessageContaining("04.0004");

        applyClaims();
        service.createMdev(other, same, PLAINLY);
        simulated.closeGuest("vm17");
        simulated.remove(mdev);
        report(null);
        assertThat(state().mdevs()).containsOnlyKeys(other);
    }

    @Test
    void reservesAndSwitchesOnlyWhereNobodyLoses() throws Exception {
        report(null);
        service.createMdev(mdev, new MdevSettings(host, null, matrix(List.of(4, 5), List.of(4, 0x47))), PLAINLY);
        applyClaims();
        simulated.openGuest("vm17", mdev);
        report(null);
        service.assign(mdev, matrix(List.of(), List.of(0x54)), PLAINLY);

        assertThatThrownBy(() ->
                        service.putHost(host, new HostSettings(null, null, GuestFilter.RECOMPUTE, null, null), PLAINLY))
                .hasMessageContaining("GuestAttached");
        assertThatThrownBy(() -> service.reserve(host, new Reservation(ApMask.of(4), ApMask.of(0x99)), PLAINLY))
                .hasMessageContaining("04.0047");
        Written reserved = service.reserve(host, new Reservation(ApMask.of(9), ApMask.of(0x99)), PLAINLY);
        assertThat(reserved.after().matrix().managedReservation()).isNotNull();
        assertThatThrownBy(() -> service.setDriver(host, new Queue(4, 4), QueueDriver.NONE, PLAINLY))
                .hasMessageContaining("GuestAttached");
        service.setDriver(host, new Queue(4, 4), QueueDriver.NONE, BY_FORCE);
        assertThat(state().mdevs().get(mdev).mdev().guestMatrix().adapters()).isEqualTo(ApMask.of(5));
        assertThat(state().matrix().bindingMode()).isEqualTo(BindingMode.MASKS);
        assertThat(DesiredStates.of(state()).mdevs().getFirst().claim().adapters())
                .isEqualTo(ApMask.of(5));
    }

    @Test
    void findsDriftRepairsItThreeTimesAndGivesUp() throws Exception {
        report(null);
        service.createMdev(mdev, new MdevSettings(host, null, matrix(List.of(4, 5), List.of(4, 0x47))), PLAINLY);
        applyClaims();
        simulated.edit(mdev, matrix(List.of(4), List.of(4)));
        DesiredHost desired = DesiredStates.of(state());
        var done = List.of(new ObservedHost.ObjectResult("mdev", mdev.toString(), null, null));
        report(new ObservedHost.Applied(desired.incarnation(), desired.generation(), done));
        assertThat(state().mdevs().get(mdev).drifted()).isTrue();
        assertThat(state().generation()).isEqualTo(desired.generation() + 1);
        assertThat(state().mdevs().get(mdev).repair()).isEqualTo(1);

        applyClaims();
        assertThat(state().mdevs().get(mdev).drifted()).isFalse();
    }
}
