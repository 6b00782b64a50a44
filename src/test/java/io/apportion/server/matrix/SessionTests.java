package io.apportion.server.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.server.ServerApplication;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.Report;
import io.apportion.wire.WireFormat;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.jdbc.core.JdbcTemplate;

/** Which of several instances of a host's agent is listened to. */
@SpringBootTest(
        classes = ServerApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.MOCK,
        properties = "spring.datasource.url=jdbc:h2:mem:matrix-room")
class SessionTests {

    private static final AtomicInteger HOSTS = new AtomicInteger();

    @Autowired
    MatrixService service;

    @Autowired
    ReportService reports;

    @Autowired
    JdbcTemplate jdbc;

    private final SimulatedHost simulated =
            SimulatedHost.builder().cards(4).domains(4).allForGuests().build();
    private final ObservedHost observed = simulated.read();
    private final String digest = WireFormat.digest(observed);
    private String host = "";

    @BeforeEach
    void createHost() {
        host = "session" + HOSTS.incrementAndGet();
        service.putHost(
                host,
                new HostSettings(null, null, null, null, null),
                new MatrixService.Mode(Preconditions.NONE, false, false, Caller.SERVER));
    }

    private long open(String instance) {
        return reports.open(host, new Report.Hello(instance, "boot", "machine"), Caller.SERVER)
                .session();
    }

    private Report.Answer report(String instance, long session, long sequence) {
        return report(instance, "boot", session, sequence);
    }

    private Report.Answer report(String instance, String boot, long session, long sequence) {
        return reports.take(host, new Report(instance, boot, session, sequence, digest, observed), Caller.SERVER);
    }

    private Report.HeartbeatAnswer beat(String instance, long session) {
        return reports.heartbeat(host, new Report.Heartbeat(instance, session, digest));
    }

    @Test
    void knowsADigestOfThePresentInstance() {
        long session = open("first");
        assertThat(beat("first", session).whole()).isTrue();

        assertThat(report("first", session, 1).taken()).isTrue();

        assertThat(beat("first", session)).isEqualTo(new Report.HeartbeatAnswer(false, session));
    }

    @Test
    void asksAReplacedInstanceForEverythingAndTakesNothingOfIt() {
        long first = open("first");
        report("first", first, 1);
        long second = open("second");
        report("second", second, 1);

        // The digest is the same: only by being asked does it learn that it is not listened to.
        assertThat(beat("first", first)).isEqualTo(new Report.HeartbeatAnswer(true, second));
        assertThat(report("first", first, 2)).isEqualTo(new Report.Answer(false, second));
        assertThat(beat("second", second).whole()).isFalse();
    }

    @Test
    void knowsInstancesApartThatHaveTheSameNumber() {
        long first = open("first");
        report("first", first, 1);
        // As after a restore from a backup of before that session.
        jdbc.update("update hosts set agent_instance = 'other', session = session - 1 where name = ?", host);
        long second = open("second");
        assertThat(second).isEqualTo(first);
        report("second", second, 1);

        assertThat(beat("first", first).whole()).isTrue();
        assertThat(report("first", first, 2).taken()).isFalse();
    }

    @Test
    void storesAReportOfAnotherBootEvenIfItShowsTheSame() {
        long session = open("first");
        report("first", "boot", session, 1);

        report("first", "next boot", session, 2);

        assertThat(jdbc.queryForObject("select boot_id from hosts where name = ?", String.class, host))
                .isEqualTo("next boot");
    }

    @Test
    void takesNothingOfAnAgentThatNeverOpenedASession() {
        assertThat(report("first", 0, 1).taken()).isFalse();
        assertThat(beat("first", 0).whole()).isTrue();
    }

    @Test
    void asksTheAgentOfAReleasedHostForEverything() {
        long session = open("first");
        report("first", session, 1);
        service.releaseClaim(host, new MatrixService.Mode(Preconditions.NONE, false, false, Caller.SERVER));

        assertThat(beat("first", session).whole()).isTrue();
        assertThat(report("first", session, 2).taken()).isFalse();
    }
}
