package io.apportion.server.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.ap.Matrix;
import io.apportion.postgresql.Postgresql;
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
import io.apportion.wire.Report;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.jdbc.core.JdbcTemplate;

/** Two replicas on one PostgreSQL, whose second look each second is done by hand: an agent at one, changes at the other. */
class ReplicaStreamsTests {

    private static final Mode PLAINLY = new Mode(Preconditions.NONE, false, false, new Caller("test", true, "r1"));
    private static final AtomicInteger HOSTS = new AtomicInteger();
    private static final String LISTENERS = "select pid from pg_stat_activity where datname = current_database()"
            + " and application_name = 'apportion-listens' order by pid";

    private static ConfigurableApplicationContext here;
    private static ConfigurableApplicationContext there;

    private final String host = "replicated" + HOSTS.incrementAndGet();
    private AgentSide agent;
    private long session;
    private Listening stream;

    @BeforeAll
    static void startTwo() {
        String database = Postgresql.newDatabase();
        here = replica(database);
        there = replica(database);
    }

    private static ConfigurableApplicationContext replica(String database) {
        return new SpringApplicationBuilder(ServerApplication.class)
                .run("--spring.datasource.url=" + database, "--server.port=0", "--apportion.push.look-every=1h");
    }

    @AfterAll
    static void stopBoth() {
        here.close();
        there.close();
    }

    @BeforeEach
    void connectAnAgentThere() throws Exception {
        await().until(() -> listeners().size() == 2);
        service(here).putHost(host, new HostSettings(null, null, null, null, null), PLAINLY);
        String token = there.getBean(TokenService.class)
                .issue(host, Role.AGENT, host, null, "test", false)
                .secret();
        agent = new AgentSide(
                there.getEnvironment().getRequiredProperty("local.server.port", Integer.class), host, token);
        session = agent.call("POST", "/session", new Report.Hello("first", "boot", "machine"), Report.Session.class)
                .session();
        stream = agent.listen(session);
        stream.next();
    }

    @AfterEach
    void disconnect() {
        agent.close();
    }

    private static MatrixService service(ConfigurableApplicationContext replica) {
        return replica.getBean(MatrixService.class);
    }

    private static JdbcTemplate jdbc() {
        return here.getBean(JdbcTemplate.class);
    }

    private static List<Integer> listeners() {
        return jdbc().queryForList(LISTENERS, Integer.class);
    }

    private long changeHere() {
        return service(here)
                .createMdev(UUID.randomUUID(), new MdevSettings(host, null, Matrix.EMPTY), PLAINLY)
                .after()
                .generation();
    }

    @Test
    void aChangeReachesTheAgentOfAnotherReplica() throws Exception {
        for (int i = 0; i < 10; i++) {
            long generation = changeHere();
            assertThat(stream.next().generation()).isEqualTo(generation);
        }
    }

    @Test
    void aBurstEndsWithTheNewestState() throws Exception {
        long last = 0;
        for (int i = 0; i < 50; i++) {
            last = changeHere();
        }
        long generation = 0;
        while (generation < last) {
            long next = stream.next().generation();
            assertThat(next).isGreaterThan(generation);
            generation = next;
        }
        assertThat(generation).isEqualTo(last);
    }

    @Test
    void aDroppedConnectionCostsALookAndIsThereAgain() throws Exception {
        List<Integer> before = listeners();
        for (Integer pid : before) {
            jdbc().queryForList("select pg_terminate_backend(?)", Boolean.class, pid);
        }
        long generation = changeHere();
        there.getBean(DesiredStreams.class).catchUp();
        assertThat(stream.next().generation()).isEqualTo(generation);

        await().until(() -> listeners().size() == 2);
        assertThat(listeners()).doesNotContainAnyElementsOf(before);
        generation = changeHere();
        assertThat(stream.next().generation()).isEqualTo(generation);
    }

    @Test
    void anInstanceThatOpensItsSessionElsewhereEndsTheStreamHere() throws Exception {
        String token = here.getBean(TokenService.class)
                .issue(host, Role.AGENT, host, null, "test", false)
                .secret();
        try (AgentSide second = new AgentSide(
                here.getEnvironment().getRequiredProperty("local.server.port", Integer.class), host, token)) {
            long next = second.call(
                            "POST", "/session", new Report.Hello("second", "boot", "machine"), Report.Session.class)
                    .session();
            Listening later = second.listen(next);
            later.next();

            there.getBean(DesiredStreams.class).catchUp();

            assertThat(stream.awaitEnd()).isZero();
            long generation = service(there)
                    .createMdev(UUID.randomUUID(), new MdevSettings(host, null, Matrix.EMPTY), PLAINLY)
                    .after()
                    .generation();
            assertThat(later.next().generation()).isEqualTo(generation);
        }
    }
}
