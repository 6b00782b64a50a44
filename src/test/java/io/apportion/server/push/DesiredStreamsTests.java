package io.apportion.server.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.server.FullServer;
import io.apportion.server.ServerApplication;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.HostSettings;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MatrixService.Mode;
import io.apportion.server.matrix.MdevSettings;
import io.apportion.server.matrix.Preconditions;
import io.apportion.server.push.AgentSide.Listening;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.Report;
import io.apportion.wire.WireFormat;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.dao.DataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;

/** Agents that listen over HTTP, to a server whose second look each second is done by hand. */
@FullServer
class DesiredStreamsTests {

    private static final Mode PLAINLY = new Mode(Preconditions.NONE, false, false, new Caller("test", true, "r1"));
    private static final AtomicInteger HOSTS = new AtomicInteger();

    @LocalServerPort
    int port;

    @Autowired
    MatrixService service;

    @Autowired
    TokenService tokens;

    @Autowired
    DesiredStreams streams;

    @Autowired
    Presence presence;

    @Autowired
    JdbcTemplate jdbc;

    @Autowired
    HikariDataSource connections;

    private final List<AgentSide> agents = new ArrayList<>();
    private String host = "";
    private AgentSide agent;
    private long session;

    @BeforeEach
    void connectAnAgent() throws Exception {
        host = createHost();
        agent = agent(host);
        session = openSession(agent, "first");
    }

    @AfterEach
    void disconnect() {
        agents.forEach(AgentSide::close);
    }

    private String createHost() {
        String name = "push" + HOSTS.incrementAndGet();
        service.putHost(name, new HostSettings(null, null, null, null, null), PLAINLY);
        return name;
    }

    private AgentSide agent(String of) {
        String token = tokens.issue(of, Role.AGENT, of, null, "test", false).secret();
        AgentSide made = new AgentSide(port, of, token);
        agents.add(made);
        return made;
    }

    private static long openSession(AgentSide agent, String instance) throws Exception {
        return agent.call("POST", "/session", new Report.Hello(instance, "boot", "machine"), Report.Session.class)
                .session();
    }

    private long change(String of) {
        return service.createMdev(UUID.randomUUID(), new MdevSettings(of, null, Matrix.EMPTY), PLAINLY)
                .after()
                .generation();
    }

    /** As another replica would that could not tell this one. */
    private void changeUnnoticed() {
        jdbc.update("update hosts set generation = generation + 1 where name = ?", host);
    }

    @Test
    void sendsThePresentStateAtOnce() throws Exception {
        long generation = change(host);

        DesiredHost state = agent.listen(session).next();

        assertThat(state.host()).isEqualTo(host);
        assertThat(state.generation()).isEqualTo(generation);
        assertThat(state.mdevs()).hasSize(1);
    }

    @Test
    void sendsEachNewerState() throws Exception {
        Listening stream = agent.listen(session);
        DesiredHost first = stream.next();

        UUID mdev = UUID.randomUUID();
        Matrix assigned = new Matrix(ApMask.of(4), ApMask.of(0x47), ApMask.NONE);
        service.createMdev(mdev, new MdevSettings(host, null, assigned), PLAINLY);
        DesiredHost created = stream.next();
        service.deleteMdev(mdev, PLAINLY);
        DesiredHost deleted = stream.next();

        assertThat(created.generation()).isEqualTo(first.generation() + 1);
        assertThat(created.mdevs())
                .singleElement()
                .satisfies(desired -> assertThat(desired.uuid()).isEqualTo(mdev));
        assertThat(deleted.generation()).isEqualTo(first.generation() + 2);
        assertThat(deleted.mdevs()).isEmpty();
    }

    @Test
    void endsABurstWithTheNewestState() throws Exception {
        Listening stream = agent.listen(session);
        long generation = stream.next().generation();
        long last = 0;
        for (int i = 0; i < 30; i++) {
            last = change(host);
        }

        while (generation < last) {
            long next = stream.next().generation();
            assertThat(next).isGreaterThan(generation);
            generation = next;
        }
        assertThat(generation).isEqualTo(last);
        assertThat(stream.nextIfAny()).isNull();
    }

    @Test
    void findsAStateThatNobodyTellsOf() throws Exception {
        Listening stream = agent.listen(session);
        DesiredHost first = stream.next();
        changeUnnoticed();
        int comments = stream.comments.get();
        await().until(() -> stream.comments.get() > comments + 1);
        assertThat(stream.nextIfAny()).isNull();

        streams.catchUp();

        assertThat(stream.next().generation()).isEqualTo(first.generation() + 1);
    }

    @Test
    void sendsAnOlderGenerationOfANewIncarnation() throws Exception {
        change(host);
        Listening stream = agent.listen(session);
        DesiredHost first = stream.next();
        jdbc.update("update hosts set incarnation = ?, generation = 0 where name = ?", UUID.randomUUID(), host);

        streams.catchUp();

        DesiredHost restored = stream.next();
        assertThat(restored.generation()).isZero();
        assertThat(restored.incarnation()).isNotEqualTo(first.incarnation());
    }

    @Test
    void commentsWhileThereIsNothingToSend() throws Exception {
        Listening stream = agent.listen(session);
        stream.next();

        await().until(() -> stream.comments.get() >= 3);
        assertThat(stream.nextIfAny()).isNull();
    }

    @Test
    void aLaterStreamOfTheSameSessionReplacesTheEarlier() throws Exception {
        Listening earlier = agent.listen(session);
        earlier.next();
        Listening later = agent.listen(session);
        later.next();

        assertThat(earlier.awaitEnd()).isZero();
        long generation = change(host);
        assertThat(later.next().generation()).isEqualTo(generation);
    }

    @Test
    void anotherInstanceTakesOver() throws Exception {
        Listening first = agent.listen(session);
        first.next();
        long next = openSession(agent, "second");
        assertThat(next).isGreaterThan(session);
        Listening second = agent.listen(next);
        second.next();

        assertThat(first.awaitEnd()).isZero();
        assertThatThrownBy(() -> agent.listen(session))
                .hasMessageContaining("412")
                .hasMessageContaining("stale");
        assertThat(second.nextIfAny()).isNull();
    }

    /** Its session was checked, and then another instance opened the next one, and its stream. */
    @Test
    void aStreamOfAnEarlierSessionReplacesNoLaterOne() throws Exception {
        long next = openSession(agent, "second");
        Listening second = agent.listen(next);
        second.next();
        jdbc.update("update hosts set session = ? where name = ?", session, host);

        assertThatThrownBy(() -> agent.listen(session)).hasMessageContaining("412");

        jdbc.update("update hosts set session = ? where name = ?", next, host);
        long generation = change(host);
        assertThat(second.next().generation()).isEqualTo(generation);
    }

    @Test
    void endsTheStreamOfAnInstanceThatWasReplacedElsewhere() throws Exception {
        Listening stream = agent.listen(session);
        stream.next();
        openSession(agent, "second");

        streams.catchUp();

        assertThat(stream.awaitEnd()).isZero();
    }

    @Test
    void endsWithItsHostAndIsNotFoundAfter() throws Exception {
        Listening stream = agent.listen(session);
        stream.next();
        service.deleteHost(host, PLAINLY);

        streams.catchUp();

        assertThat(stream.awaitEnd()).isZero();
        assertThatThrownBy(() -> agent.listen(session)).hasMessageContaining("404");
    }

    @Test
    void hasTheNewestStateForWhoComesBack() throws Exception {
        Listening stream = agent.listen(session);
        stream.next();
        stream.close();
        change(host);
        long generation = change(host);

        assertThat(agent.listen(session).next().generation()).isEqualTo(generation);
    }

    @Test
    void answersOnceAsJson() throws Exception {
        long generation = change(host);
        var answer = agent.get("/desired?session=" + session, "application/json");

        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.body()).contains("\"generation\":" + generation + ",");
        assertThat(agent.get("/desired?session=" + (session + 1), "application/json")
                        .statusCode())
                .isEqualTo(412);
        assertThat(agent.get("/desired", "application/json").statusCode()).isEqualTo(400);
    }

    @Test
    void speaksToNoOtherHostsAgent() throws Exception {
        String other = createHost();
        String token = tokens.issue(host, Role.AGENT, host, null, "test", false).secret();
        AgentSide stranger = new AgentSide(port, other, token);
        agents.add(stranger);

        assertThatThrownBy(() -> stranger.listen(0)).hasMessageContaining("403");
        assertThatThrownBy(() -> openSession(stranger, "first")).hasMessageContaining("403");
    }

    @Test
    void manyStreamsHoldNeitherThreadsNorConnections() throws Exception {
        List<String> names = new ArrayList<>();
        List<Listening> open = new ArrayList<>();
        int before = platformThreads();
        for (int i = 0; i < 150; i++) {
            String name = createHost();
            AgentSide side = agent(name);
            names.add(name);
            Listening stream = side.listen(openSession(side, "first"));
            stream.next();
            open.add(stream);
        }

        await().until(() -> connections.getHikariPoolMXBean().getActiveConnections() == 0);
        // Each client here has a selector thread of its own.
        assertThat(platformThreads() - before).isLessThan(150 + 30);

        List<Long> generations = names.stream().map(this::change).toList();
        for (int i = 0; i < open.size(); i++) {
            assertThat(open.get(i).next().generation()).isEqualTo(generations.get(i));
        }
    }

    private static int platformThreads() {
        return Thread.getAllStackTraces().size();
    }

    private Instant lastSeen() {
        return jdbc.queryForObject(
                        "select last_seen from agents a join hosts h on h.id = a.host_id where h.name = ?",
                        java.sql.Timestamp.class,
                        host)
                .toInstant();
    }

    @Test
    void aHeartbeatIsASignOfLifeAndAnOpenStreamIsNot() throws Exception {
        Listening stream = agent.listen(session);
        stream.next();
        presence.store();
        Instant before = lastSeen();
        await().until(() -> stream.comments.get() > 1);

        presence.store();
        assertThat(lastSeen()).isEqualTo(before);

        agent.call("POST", "/heartbeat", new Report.Heartbeat("first", session, "0"), Report.HeartbeatAnswer.class);
        presence.store();
        assertThat(lastSeen()).isAfter(before);
    }

    @Test
    void aReportIsASignOfLife() throws Exception {
        presence.store();
        Instant before = lastSeen();
        ObservedHost observed =
                SimulatedHost.builder().cards(4).domains(4).build().read();

        agent.call(
                "PUT",
                "/observed",
                new Report("first", "boot", session, 1, WireFormat.digest(observed), observed),
                Report.Answer.class);
        presence.store();

        assertThat(lastSeen()).isAfter(before);
    }

    @Test
    void aSignOfLifeThatCannotBeStoredIsStoredLater() throws Exception {
        presence.store();
        Instant before = lastSeen();
        agent.call("POST", "/heartbeat", new Report.Heartbeat("first", session, "0"), Report.HeartbeatAnswer.class);
        jdbc.execute("alter table agents rename to agents_out_of_reach");
        try {
            assertThatThrownBy(presence::store).isInstanceOf(DataAccessException.class);
        } finally {
            jdbc.execute("alter table agents_out_of_reach rename to agents");
        }

        presence.store();

        assertThat(lastSeen()).isAfter(before);
    }

    @Test
    @Timeout(120) // It would wait for its streams to end.
    void aServerThatStopsEndsItsStreams() throws Exception {
        var server = new SpringApplicationBuilder(ServerApplication.class)
                .run("--server.port=0", "--spring.lifecycle.timeout-per-shutdown-phase=10m");
        server.getBean(MatrixService.class).putHost(host, new HostSettings(null, null, null, null, null), PLAINLY);
        String token = server.getBean(TokenService.class)
                .issue(host, Role.AGENT, host, null, "test", false)
                .secret();
        AgentSide side = new AgentSide(
                server.getEnvironment().getRequiredProperty("local.server.port", Integer.class), host, token);
        agents.add(side);
        Listening stream = side.listen(openSession(side, "first"));
        stream.next();

        server.close();

        assertThat(stream.awaitEnd()).isZero();
    }

    @Test
    void anInstanceThatWasReplacedIsNoSignOfLife() throws Exception {
        long next = openSession(agent, "second");
        presence.store();
        Instant before = lastSeen();

        Report.HeartbeatAnswer answer = agent.call(
                "POST", "/heartbeat", new Report.Heartbeat("first", session, "0"), Report.HeartbeatAnswer.class);
        presence.store();

        assertThat(answer.session()).isEqualTo(next);
        assertThat(lastSeen()).isEqualTo(before);
    }
}
