package io.apportion.server.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.apportion.agent.Agent;
import io.apportion.agent.AgentMemory;
import io.apportion.agent.AgentSettings;
import io.apportion.agent.AgentSettings.Timings;
import io.apportion.agent.KernelRefusal;
import io.apportion.agent.Reconciler;
import io.apportion.ap.ApMask;
import io.apportion.ap.GuestFilter;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Policy;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.server.FullServer;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.server.matrix.MatrixService.Mode;
import io.apportion.simulator.Card;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.Report;
import io.apportion.wire.WireFormat;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.jdbc.UncategorizedSQLException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/** Each metric as Prometheus reads it, moved by what it tells of: a simulated host with its agent, and the server. */
@FullServer
class MetricsTests {

    private static final Mode PLAINLY = new Mode(Preconditions.NONE, false, false, new Caller("test", true, "r1"));
    private static final Mode BY_FORCE = new Mode(Preconditions.NONE, true, false, new Caller("test", true, "r1"));
    private static final AtomicInteger HOSTS = new AtomicInteger();
    private static final Timings QUICK = new Timings(
            Duration.ofSeconds(1),
            Duration.ofSeconds(30),
            Duration.ofMillis(200),
            Duration.ofMillis(1),
            Duration.ofMillis(100),
            Duration.ofSeconds(1),
            Duration.ofSeconds(1));

    @LocalServerPort
    int port;

    @Autowired
    MatrixService service;

    @Autowired
    MatrixQueries queries;

    @Autowired
    ReportService reports;

    @Autowired
    TokenService tokens;

    @Autowired
    Stores stores;

    @Autowired
    Clock clock;

    @Autowired
    DatabaseWatch watch;

    @Autowired
    JdbcTemplate jdbc;

    @Autowired
    PlatformTransactionManager transactions;

    private final HttpClient client = HttpClient.newHttpClient();
    private final UUID mdev = UUID.randomUUID();
    private String host = "";
    private String viewer = "";
    private SimulatedHost simulated;
    private final AgentMemory memory = AgentMemory.ofThisProcess();
    private @Nullable Agent agent;

    @BeforeEach
    void createHost() {
        host = "metrics" + HOSTS.incrementAndGet();
        service.putHost(host, new HostSettings(null, null, null, Policy.REPORT, null), PLAINLY);
        viewer = tokens.issue("viewer", Role.VIEWER, null, null, "test", false).secret();
        simulated = SimulatedHost.builder()
                .highest(0x3f, 0xff)
                .cards(4, 5)
                .domains(4, 0x47, 0x54)
                .allForGuests()
                .holes(new Queue(5, 0x54))
                .build();
        simulated.tellEverything(true);
    }

    @AfterEach
    void stopAgent() {
        if (agent != null) {
            agent.close();
            agent = null;
        }
        client.close();
    }

    private void startAgent() {
        String token = tokens.issue(host, Role.AGENT, host, null, "test", false).secret();
        AgentSettings settings = new AgentSettings(
                host, URI.create("http://localhost:" + port), token, ObservedHost.Keep.NOTHING, QUICK);
        agent = new Agent(settings, simulated, memory, new Random(1));
        agent.start();
        await().until(() -> queries.host(host).matrix().inventory().reported());
    }

    private static Matrix matrix(List<Integer> adapters, List<Integer> domains, List<Integer> controlDomains) {
        return new Matrix(ApMask.of(adapters), ApMask.of(domains), ApMask.of(controlDomains));
    }

    /** An mdev on {04,05}x{0004,0047} with control domain 0047. */
    private void createMdev() {
        service.createMdev(
                mdev, new MdevSettings(host, null, matrix(List.of(4, 5), List.of(4, 0x47), List.of(0x47))), PLAINLY);
    }

    private void createMdevOnTheHost() {
        createMdev();
        await().until(() -> metric("apportion_commits_pending", Map.of()) == 0);
    }

    private void attachGuest() throws KernelRefusal {
        simulated.openGuest("vm17", mdev);
        await().until(() -> metric("apportion_guest_queues", Map.of()) > 0);
    }

    // ---- reading

    private String scrape() {
        try {
            HttpResponse<String> response = client.send(
                    HttpRequest.newBuilder(URI.create("http://localhost:" + port + "/actuator/prometheus"))
                            .header("Authorization", "Bearer " + viewer)
                            .build(),
                    BodyHandlers.ofString());
            assertThat(response.statusCode()).isEqualTo(200);
            return response.body();
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static final Pattern SAMPLE = Pattern.compile("(?m)^(apportion_\\w+)(?:\\{([^}]*)})? (\\S+)$");
    private static final Pattern LABEL = Pattern.compile("(\\w+)=\"([^\"]*)\"");

    private record Sample(String name, Map<String, String> labels, double value) {}

    private List<Sample> samples() {
        List<Sample> samples = new ArrayList<>();
        Matcher line = SAMPLE.matcher(scrape());
        while (line.find()) {
            Map<String, String> labels = line.group(2) == null
                    ? Map.of()
                    : LABEL.matcher(line.group(2))
                            .results()
                            .collect(Collectors.toMap(label -> label.group(1), label -> label.group(2)));
            samples.add(new Sample(line.group(1), labels, Double.parseDouble(line.group(3))));
        }
        return samples;
    }

    /** Of this test's host; the sum of all samples that have these labels, NaN without any. */
    private double metric(String name, Map<String, String> labels) {
        List<Sample> found = samples().stream()
                .filter(sample -> sample.name().equals(name)
                        && host.equals(sample.labels().get("host"))
                        && sample.labels().entrySet().containsAll(labels.entrySet()))
                .toList();
        return found.isEmpty()
                ? Double.NaN
                : found.stream().mapToDouble(Sample::value).sum();
    }

    private double ofAll(String name) {
        return samples().stream()
                .filter(sample -> sample.name().equals(name))
                .mapToDouble(Sample::value)
                .sum();
    }

    // ---- one by one

    @Test
    void guestPlugsCountWhatAttachedGuestsGain() throws Exception {
        startAgent();
        createMdevOnTheHost();
        // A preview plugs nothing.
        assertThat(metric("apportion_guest_plugs_total", Map.of())).isNaN();
        attachGuest();

        assertThat(metric("apportion_guest_plugs_total", Map.of("kind", "adapter", "cause", "attach")))
                .isEqualTo(2);
        assertThat(metric("apportion_guest_plugs_total", Map.of("kind", "domain", "cause", "attach")))
                .isEqualTo(2);
        assertThat(metric("apportion_guest_plugs_total", Map.of("kind", "control_domain", "cause", "attach")))
                .isEqualTo(1);

        service.assign(mdev, matrix(List.of(), List.of(), List.of(0x54)), PLAINLY);
        assertThat(metric("apportion_guest_plugs_total", Map.of("kind", "control_domain", "cause", "assign")))
                .isEqualTo(1);
    }

    @Test
    void guestUnplugsCountWhatAttachedGuestsLose() throws Exception {
        startAgent();
        createMdevOnTheHost();
        attachGuest();
        simulated.unbind(new Queue(4, 4));

        await().until(() -> metric("apportion_guest_unplugs_total", Map.of("kind", "adapter", "cause", "unbind")) == 1);
        simulated.removeDomain(0x47);
        await().until(() ->
                metric("apportion_guest_unplugs_total", Map.of("kind", "domain", "cause", "host_configuration")) == 1);
        simulated.closeGuest("vm17");
        await().until(() ->
                metric("apportion_guest_unplugs_total", Map.of("kind", "adapter", "cause", "release")) == 1);
    }

    @Test
    void mdevsCountsMdevs() {
        assertThat(metric("apportion_mdevs", Map.of())).isZero();
        createMdev();
        assertThat(metric("apportion_mdevs", Map.of())).isEqualTo(1);
        service.deleteMdev(mdev, PLAINLY);
        assertThat(metric("apportion_mdevs", Map.of())).isZero();
    }

    @Test
    void mdevsFilteredCountsThoseThatLackSomethingAssigned() {
        startAgent();
        createMdev();
        assertThat(metric("apportion_mdevs_filtered", Map.of())).isZero();
        service.assign(mdev, matrix(List.of(), List.of(0x54), List.of()), PLAINLY);
        assertThat(metric("apportion_mdevs_filtered", Map.of())).isEqualTo(1);
    }

    @Test
    void mdevsDriftedCountsThoseChangedByHand() throws Exception {
        startAgent();
        createMdevOnTheHost();
        assertThat(metric("apportion_mdevs_drifted", Map.of())).isZero();
        simulated.edit(mdev, matrix(List.of(4), List.of(4), List.of()));
        await().until(() -> metric("apportion_mdevs_drifted", Map.of()) == 1);
    }

    @Test
    void queuesTellsTheirStates() throws Exception {
        startAgent();
        assertThat(metric("apportion_queues", Map.of("state", "bound"))).isEqualTo(5);
        assertThat(metric("apportion_queues", Map.of("state", "driverless"))).isEqualTo(1);
        assertThat(metric("apportion_queues", Map.of("state", "default"))).isZero();
        assertThat(metric("apportion_queues", Map.of("state", "impaired"))).isZero();

        simulated.breakCard(4);
        await().until(() -> metric("apportion_queues", Map.of("state", "impaired")) == 3);
        simulated.changeApmask(ApMask.of(5), true);
        simulated.changeAqmask(ApMask.of(4, 0x47), true);
        await().until(() -> metric("apportion_queues", Map.of("state", "default")) == 2);
        assertThat(metric("apportion_queues", Map.of("state", "bound"))).isEqualTo(3);
    }

    @Test
    void guestQueuesCountsQueuesOfAttachedGuestsAlone() throws Exception {
        startAgent();
        createMdevOnTheHost();
        assertThat(metric("apportion_guest_queues", Map.of())).isZero();
        attachGuest();
        assertThat(metric("apportion_guest_queues", Map.of())).isEqualTo(4);
        simulated.closeGuest("vm17");
        await().until(() -> metric("apportion_guest_queues", Map.of()) == 0);
    }

    @Test
    void guestQueuesImpairedCountsThoseOfABrokenCard() throws Exception {
        startAgent();
        createMdevOnTheHost();
        attachGuest();
        assertThat(metric("apportion_guest_queues_impaired", Map.of())).isZero();
        simulated.breakCard(5);
        await().until(() -> metric("apportion_guest_queues_impaired", Map.of()) == 2);
        assertThat(metric("apportion_guest_queues", Map.of())).isEqualTo(4);
    }

    @Test
    void guestQueuesLostCountsWhatNobodyTookAway() throws Exception {
        startAgent();
        createMdevOnTheHost();
        simulated.unbind(new Queue(5, 4));
        await().until(() -> metric("apportion_mdevs_filtered", Map.of()) == 1);
        simulated.openGuest("vm17", mdev);
        await().until(() -> metric("apportion_guest_queues", Map.of()) == 2);
        assertThat(metric("apportion_guest_queues_lost", Map.of()))
                .as("what it never had")
                .isZero();

        simulated.bind(new Queue(5, 4), true);
        await().until(() -> metric("apportion_guest_queues", Map.of()) == 4);
        simulated.unbind(new Queue(5, 0x47));
        await().until(() -> metric("apportion_guest_queues_lost", Map.of()) == 2);
        service.assign(mdev, matrix(List.of(), List.of(), List.of(0x54)), PLAINLY);
        assertThat(metric("apportion_guest_queues_lost", Map.of()))
                .as("whatever else happens")
                .isEqualTo(2);
        simulated.removeCard(4);
        await().until(() -> metric("apportion_guest_queues_lost", Map.of()) == 4);
        simulated.bind(new Queue(5, 0x47), true);
        await().until(() -> metric("apportion_guest_queues_lost", Map.of()) == 2);
        service.unassign(mdev, matrix(List.of(4), List.of(), List.of()), PLAINLY);
        assertThat(metric("apportion_guest_queues_lost", Map.of()))
                .as("nor is it wanted any more")
                .isZero();
    }

    @Test
    void guestQueuesLostEndsWithTheGuest() throws Exception {
        startAgent();
        createMdevOnTheHost();
        attachGuest();
        simulated.unbind(new Queue(5, 4));
        await().until(() -> metric("apportion_guest_queues_lost", Map.of()) == 2);
        simulated.closeGuest("vm17");
        await().until(() -> metric("apportion_guest_queues_lost", Map.of()) == 0);
        simulated.openGuest("vm18", mdev);
        await().until(() -> metric("apportion_guest_queues", Map.of()) == 2);
        assertThat(metric("apportion_guest_queues_lost", Map.of())).isZero();
    }

    @Test
    void guestQueuesLostCountsNothingThatAnOperatorTook() throws Exception {
        startAgent();
        createMdevOnTheHost();
        attachGuest();
        service.setDriver(host, new Queue(5, 4), QueueDriver.NONE, BY_FORCE);
        await().until(() -> metric("apportion_commits_pending", Map.of()) == 0);
        assertThat(metric("apportion_guest_queues", Map.of())).isEqualTo(2);
        assertThat(metric("apportion_guest_queues_lost", Map.of())).isZero();
    }

    @Test
    void commitsFailedCountsUntilItIsPutRight() {
        startAgent();
        assertThat(metric("apportion_commits_failed", Map.of())).isZero();
        // The host has no such queue.
        service.setDriver(host, new Queue(4, 0x53), QueueDriver.NONE, PLAINLY);
        await().until(() -> metric("apportion_commits_failed", Map.of()) == 1);
        createMdevOnTheHost();
        assertThat(metric("apportion_commits_failed", Map.of())).isEqualTo(1);
        service.setDriver(host, new Queue(4, 0x53), null, PLAINLY);
        await().until(() -> metric("apportion_commits_failed", Map.of()) == 0);
    }

    @Test
    void hostDriftedTellsOfManagedDriversChangedByHand() throws Exception {
        startAgent();
        service.setDriver(host, new Queue(4, 4), QueueDriver.VFIO_AP, PLAINLY);
        await().until(() -> metric("apportion_commits_pending", Map.of()) == 0);
        assertThat(metric("apportion_host_drifted", Map.of())).isZero();
        simulated.unbind(new Queue(4, 4));
        await().until(() -> metric("apportion_host_drifted", Map.of()) == 1);
    }

    @Test
    void hostPausedTellsThePolicy() {
        assertThat(metric("apportion_host_paused", Map.of())).isZero();
        service.putHost(host, new HostSettings(null, null, null, Policy.PAUSED, null), PLAINLY);
        assertThat(metric("apportion_host_paused", Map.of())).isEqualTo(1);
    }

    @Test
    void commitsPendingCountsWhatNoAgentHasReported() {
        assertThat(metric("apportion_commits_pending", Map.of())).isZero();
        createMdev();
        assertThat(metric("apportion_commits_pending", Map.of())).isEqualTo(1);
        startAgent();
        await().until(() -> metric("apportion_commits_pending", Map.of()) == 0);
    }

    @Test
    void commitsPendingCountsACommitOnceHoweverManyObjectsItHas() {
        startAgent();
        createMdevOnTheHost();
        stopAgentNow();

        Written written = service.setDriver(host, new Queue(4, 4), QueueDriver.NONE, PLAINLY);

        assertThat(queries.commit(written.commit().id()).objects()).hasSize(2);
        assertThat(metric("apportion_commits_pending", Map.of())).isEqualTo(1);
    }

    @Test
    void commitsPendingCountsNoneThatFailed() {
        startAgent();
        // The host has no such queue.
        service.setDriver(host, new Queue(4, 0x53), QueueDriver.NONE, PLAINLY);
        await().until(() -> metric("apportion_commits_total", Map.of("result", "failed")) == 1);

        assertThat(metric("apportion_commits_pending", Map.of())).isZero();
    }

    /** That it is told takes the matrix lock, which may be busy for long. */
    @Test
    void agentConnectedDoesNotDependOnItsBeingTold() {
        startAgent();
        stopAgentNow();
        new TransactionTemplate(transactions).executeWithoutResult(locked -> {
            jdbc.queryForList("select id from hosts where name = ? for update", host);
            CompletableFuture.runAsync(() -> silentFor(Duration.ofSeconds(31))).join();
            await().until(() -> metric("apportion_agent_connected", Map.of()) == 0);
            assertThat(jdbc.queryForObject(
                            "select away from agents where host_id = (select id from hosts where name = ?)",
                            Boolean.class,
                            host))
                    .isFalse();
        });
    }

    @Test
    void agentConnectedTellsWhetherItIsHeard() {
        assertThat(metric("apportion_agent_connected", Map.of())).isZero();
        startAgent();
        assertThat(metric("apportion_agent_connected", Map.of())).isEqualTo(1);
        stopAgentNow();
        silentFor(Duration.ofSeconds(31));
        await().until(() -> metric("apportion_agent_connected", Map.of()) == 0);
    }

    @Test
    void agentLastSeenSecondsTellsForHowLongItWasNotHeard() {
        assertThat(metric("apportion_agent_last_seen_seconds", Map.of())).isNaN();
        startAgent();
        assertThat(metric("apportion_agent_last_seen_seconds", Map.of())).isNotNegative();
        stopAgentNow();
        silentFor(Duration.ofHours(2));
        await().until(() -> metric("apportion_agent_last_seen_seconds", Map.of()) >= 7200);
        assertThat(metric("apportion_agent_last_seen_seconds", Map.of())).isLessThan(2 * 7200);
    }

    private void stopAgentNow() {
        if (agent != null) {
            agent.close();
            agent = null;
        }
    }

    private void silentFor(Duration time) {
        jdbc.update(
                "update agents set last_seen = ? where host_id = (select id from hosts where name = ?)",
                Timestamp.from(Instant.now().minus(time)),
                host);
    }

    @Test
    void commitsTotalCountsResults() throws Exception {
        startAgent();
        assertThat(metric("apportion_commits_total", Map.of())).isNaN();
        createMdev();
        await().until(() -> metric("apportion_commits_total", Map.of("result", "applied")) == 1);

        stopAgentNow();
        service.assign(mdev, matrix(List.of(), List.of(0x54), List.of()), PLAINLY);
        service.unassign(mdev, matrix(List.of(), List.of(0x54), List.of()), PLAINLY);
        startAgent();
        await().until(() -> metric("apportion_commits_total", Map.of("result", "applied")) == 2);
        assertThat(metric("apportion_commits_total", Map.of("result", "superseded")))
                .isEqualTo(1);

        // The host has no such queue.
        service.setDriver(host, new Queue(4, 0x53), QueueDriver.NONE, PLAINLY);
        await().until(() -> metric("apportion_commits_total", Map.of("result", "failed")) == 1);
    }

    @Test
    void commitSecondsMeasuresFromStoredToApplied() {
        double before = ofAll("apportion_commit_seconds_count");
        startAgent();
        createMdev();
        await().until(() -> metric("apportion_commits_total", Map.of("result", "applied")) == 1);
        // The agent of another test's host may have come to an end meanwhile.
        await().until(() -> ofAll("apportion_commit_seconds_count") >= before + 1);
        assertThat(samples())
                .anySatisfy(sample -> assertThat(sample.name()).isEqualTo("apportion_commit_seconds_bucket"));
        assertThat(ofAll("apportion_commit_seconds_sum")).isPositive();
    }

    @Test
    void commitSecondsIsOfWhatWasAppliedAndInSeconds() {
        startAgent();
        double count = ofAll("apportion_commit_seconds_count");
        double sum = ofAll("apportion_commit_seconds_sum");
        long begin = System.nanoTime();
        createMdevOnTheHost();
        stopAgentNow();
        service.assign(mdev, matrix(List.of(), List.of(0x54), List.of()), PLAINLY);
        service.unassign(mdev, matrix(List.of(), List.of(0x54), List.of()), PLAINLY);
        service.setDriver(host, new Queue(4, 0x53), QueueDriver.NONE, PLAINLY);
        startAgent();
        await().until(() -> metric("apportion_commits_total", Map.of("result", "failed")) == 1);
        double seconds = (System.nanoTime() - begin) / 1e9;

        assertThat(metric("apportion_commits_total", Map.of("result", "superseded")))
                .isEqualTo(1);
        assertThat(metric("apportion_commits_total", Map.of("result", "applied")))
                .isEqualTo(2);
        assertThat(ofAll("apportion_commit_seconds_count")).isEqualTo(count + 2);
        assertThat(ofAll("apportion_commit_seconds_sum") - sum).isBetween(0.0, 2 * seconds);
    }

    @ParameterizedTest
    @ValueSource(strings = {"apportion_matrix_lock_wait_seconds", "apportion_matrix_lock_held_seconds"})
    void matrixLockIsMeasuredWithChangesThatAreRefused(String name) {
        createMdev();
        double before = ofAll(name + "_count");
        for (int time = 0; time < 100; time++) {
            assertThatThrownBy(() -> service.createMdev(
                            UUID.randomUUID(),
                            new MdevSettings(host, null, matrix(List.of(4), List.of(4), List.of())),
                            PLAINLY))
                    .isInstanceOf(NotDone.Refused.class);
        }
        assertThat(ofAll(name + "_count")).isGreaterThanOrEqualTo(before + 100);
    }

    /** Of many that ask for the same host, one waits for its row and the others for their turn: all of it is waiting. */
    @Test
    void matrixLockWaitIsFromTheAskingOn() throws Exception {
        double before = ofAll("apportion_matrix_lock_wait_seconds_sum");
        List<Thread> asking = IntStream.range(0, 8)
                .mapToObj(i -> new Thread(
                        () -> service.putHost(host, new HostSettings(null, null, null, null, null), PLAINLY)))
                .toList();
        long begin = System.nanoTime();
        new TransactionTemplate(transactions).executeWithoutResult(locked -> {
            jdbc.queryForList("select id from hosts where name = ? for update", host);
            asking.forEach(Thread::start);
            // For their turn; the one that has it waits in the database.
            await().until(() -> asking.stream()
                            .filter(thread -> thread.getState() == Thread.State.TIMED_WAITING)
                            .count()
                    >= asking.size() - 1);
            long allWait = System.nanoTime();
            await().pollInterval(Duration.ofMillis(1)).until(() -> System.nanoTime() - allWait > allWait - begin);
        });
        double seconds = (System.nanoTime() - begin) / 1e9;
        for (Thread thread : asking) {
            thread.join();
        }

        // At least half of that time each.
        assertThat(ofAll("apportion_matrix_lock_wait_seconds_sum") - before).isGreaterThan(2 * seconds);
    }

    /** Who waits in vain is who waits longest. */
    @Test
    void matrixLockWaitHasThoseThatGaveUp() throws Exception {
        MatrixSettings impatient = new Binder(
                        new MapConfigurationPropertySource(Map.of("impatient.lock-timeout", "50ms")))
                .bindOrCreate("impatient", MatrixSettings.class);
        SimpleMeterRegistry meters = new SimpleMeterRegistry();
        MatrixLocks locks = new MatrixLocks(transactions, stores, event -> {}, impatient, clock, meters);
        CountDownLatch locked = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        Thread holder = Thread.ofPlatform()
                .start(() -> locks.withLock(host, Caller.SERVER, row -> {
                    locked.countDown();
                    try {
                        return end.await(1, TimeUnit.MINUTES);
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                }));
        locked.await();
        assertThatThrownBy(() -> locks.withLock(host, Caller.SERVER, row -> true))
                .isInstanceOf(NotDone.Busy.class);
        end.countDown();
        holder.join();

        assertThat(meters.get("apportion.matrix.lock.wait").timer().count()).isEqualTo(2);
        assertThat(meters.get("apportion.matrix.lock.wait").timer().max(TimeUnit.MILLISECONDS))
                .isGreaterThanOrEqualTo(50);
    }

    // ---- all together

    @Test
    void deletedHostsDisappear() throws Exception {
        startAgent();
        createMdevOnTheHost();
        attachGuest();
        simulated.closeGuest("vm17");
        await().until(() -> metric("apportion_guest_queues", Map.of()) == 0);
        service.deleteMdev(mdev, PLAINLY);
        await().until(() -> metric("apportion_commits_pending", Map.of()) == 0);
        assertThat(samples()).anyMatch(this::isOfThisHost);
        stopAgentNow();

        service.deleteHost(host, PLAINLY);

        assertThat(samples()).noneMatch(this::isOfThisHost);
    }

    private boolean isOfThisHost(Sample sample) {
        return host.equals(sample.labels().get("host"));
    }

    @Test
    void aDatabaseThatIsAwayTakesOnlyTheHostsMetrics() {
        assertThat(metric("apportion_mdevs", Map.of())).isZero();
        jdbc.execute("alter table plug_counts rename to plug_counts_out_of_reach");
        try {
            await().until(() -> samples().stream().noneMatch(this::isOfThisHost));
            assertThat(samples()).extracting(Sample::name).contains("apportion_matrix_lock_wait_seconds_count");
            assertThat(ofAll("apportion_database_up")).isZero();
        } finally {
            jdbc.execute("alter table plug_counts_out_of_reach rename to plug_counts");
        }
        await().until(() -> metric("apportion_mdevs", Map.of()) == 0);
        assertThat(ofAll("apportion_database_up")).isEqualTo(1);
    }

    @Test
    void aDatabaseThatTakesNoChangesIsNotUp() {
        watch.heed(new UncategorizedSQLException("store", "update", new SQLException("no room", "53100")));
        assertThat(ofAll("apportion_database_up")).isZero();
        assertThat(metric("apportion_mdevs", Map.of())).as("it can be read").isZero();
        await().until(() -> ofAll("apportion_database_up") == 1);
    }

    @Test
    void hasExactlyTheLabelsThatItPromises() throws Exception {
        startAgent();
        createMdevOnTheHost();
        attachGuest();

        Map<String, Set<String>> labels = new TreeMap<>();
        for (Sample sample : samples()) {
            labels.computeIfAbsent(sample.name(), name -> new HashSet<>())
                    .addAll(sample.labels().keySet());
        }
        Set<String> host = Set.of("host");
        Set<String> none = Set.of();
        Set<String> plugs = Set.of("host", "kind", "cause");
        Map<String, Set<String>> promised = new TreeMap<>(Map.ofEntries(
                Map.entry("apportion_guest_plugs_total", plugs),
                Map.entry("apportion_guest_unplugs_total", plugs),
                Map.entry("apportion_commits_total", Set.of("host", "result")),
                Map.entry("apportion_mdevs", host),
                Map.entry("apportion_mdevs_filtered", host),
                Map.entry("apportion_mdevs_drifted", host),
                Map.entry("apportion_host_drifted", host),
                Map.entry("apportion_host_paused", host),
                Map.entry("apportion_database_up", none),
                Map.entry("apportion_queues", Set.of("host", "state")),
                Map.entry("apportion_guest_queues", host),
                Map.entry("apportion_guest_queues_impaired", host),
                Map.entry("apportion_guest_queues_lost", host),
                Map.entry("apportion_commits_pending", host),
                Map.entry("apportion_commits_failed", host),
                Map.entry("apportion_agent_connected", host),
                Map.entry("apportion_agent_last_seen_seconds", host)));
        for (String timer : List.of(
                "apportion_commit_seconds",
                "apportion_matrix_lock_wait_seconds",
                "apportion_matrix_lock_held_seconds")) {
            promised.put(timer + "_bucket", Set.of("le"));
            promised.put(timer + "_count", none);
            promised.put(timer + "_sum", none);
            promised.put(timer + "_max", none);
        }
        assertThat(labels).isEqualTo(promised);
    }

    /** Whatever happens: for each kind, what was plugged less what was unplugged is what the attached guests hold. */
    @ParameterizedTest
    @ValueSource(longs = {4, 8, 23})
    void plugsLessUnplugsIsWhatAttachedGuestsHold(long seed) throws Exception {
        Life life = new Life(new Random(seed));
        int attached = 0;
        for (int step = 0; step < 250; step++) {
            String what = life.step();
            if (step % 10 == 9) {
                attached += check("seed " + seed + ", step " + step + ": " + what);
            }
        }
        // It means nothing if no guest ever ran.
        assertThat(attached).as("seed %d", seed).isGreaterThan(10);
    }

    private int check(String context) {
        long adapters = 0;
        long domains = 0;
        long controlDomains = 0;
        long queues = 0;
        int attached = 0;
        for (Mdev one : queries.host(host).matrix().mdevs().values()) {
            if (one.guest() != null) {
                attached++;
                adapters += one.guestMatrix().adapters().count();
                domains += one.guestMatrix().domains().count();
                controlDomains += one.guestMatrix().controlDomains().count();
                queues += one.guestMatrix().queueCount();
            }
        }
        List<Sample> samples = samples().stream().filter(this::isOfThisHost).toList();
        assertThat(held(samples, "adapter")).as(context).isEqualTo(adapters);
        assertThat(held(samples, "domain")).as(context).isEqualTo(domains);
        assertThat(held(samples, "control_domain")).as(context).isEqualTo(controlDomains);
        assertThat(samples.stream()
                        .filter(sample -> sample.name().equals("apportion_guest_queues"))
                        .mapToDouble(Sample::value)
                        .sum())
                .as(context)
                .isEqualTo(queues);
        return attached;
    }

    private static long held(List<Sample> samples, String kind) {
        double held = 0;
        for (Sample sample : samples) {
            if (kind.equals(sample.labels().get("kind"))) {
                held += sample.name().equals("apportion_guest_plugs_total") ? sample.value() : -sample.value();
            }
        }
        return Math.round(held);
    }

    /** A host on which anything may happen, one thing after the other. */
    private final class Life {

        private final Random random;
        private final Reconciler reconciler =
                new Reconciler(simulated, AgentMemory.ofThisProcess(), ObservedHost.Keep.NOTHING);
        private final Caller caller = new Caller("agent:" + host, false, "a1");
        private final long session;
        private long sequence;
        private int guests;

        Life(Random random) {
            this.random = random;
            this.session = reports.open(
                            host, new Report.Hello("first", simulated.bootId(), simulated.machineId()), caller)
                    .session();
            report();
        }

        private int adapter() {
            return 4 + random.nextInt(2);
        }

        private int domain() {
            return new int[] {4, 0x47, 0x54}[random.nextInt(3)];
        }

        private Matrix someMatrix() {
            Matrix matrix = Matrix.EMPTY;
            for (int i = random.nextInt(4); i >= 0; i--) {
                matrix = matrix.or(
                        switch (random.nextInt(3)) {
                            case 0 -> matrix(List.of(adapter()), List.of(), List.of());
                            case 1 -> matrix(List.of(), List.of(domain()), List.of());
                            default -> matrix(List.of(), List.of(), List.of(domain()));
                        });
            }
            return matrix;
        }

        private @Nullable UUID someMdev() {
            List<UUID> all = List.copyOf(queries.host(host).mdevs().keySet());
            return all.isEmpty() ? null : all.get(random.nextInt(all.size()));
        }

        private Mode mode() {
            return random.nextBoolean() ? BY_FORCE : PLAINLY;
        }

        /** One thing, and mostly a report of it. What is refused did not happen. */
        String step() {
            int what = random.nextInt(22);
            try {
                act(what);
            } catch (NotDone | KernelRefusal refused) {
                // It did not happen.
            }
            if (random.nextInt(4) != 0) {
                apply();
            }
            if (random.nextInt(4) != 0) {
                report();
            }
            return "action " + what;
        }

        private void act(int what) throws KernelRefusal {
            UUID some = someMdev();
            switch (what) {
                case 0, 1 ->
                    service.createMdev(
                            new UUID(random.nextLong(), random.nextLong()),
                            new MdevSettings(host, null, someMatrix()),
                            PLAINLY);
                case 2 -> simulated.unbind(new Queue(adapter(), domain()));
                case 3 -> simulated.bind(new Queue(adapter(), domain()), true);
                case 4 -> simulated.removeCard(adapter());
                case 5 -> simulated.addCard(new Card(adapter(), "CEX8P", "EP11-Coproc", "1"));
                case 6 -> simulated.removeDomain(domain());
                case 7 -> simulated.addDomain(domain());
                case 8 ->
                    service.setDriver(
                            host,
                            new Queue(adapter(), domain()),
                            random.nextBoolean() ? null : random.nextBoolean() ? QueueDriver.NONE : QueueDriver.VFIO_AP,
                            mode());
                case 9 ->
                    service.putHost(
                            host,
                            new HostSettings(
                                    null,
                                    null,
                                    random.nextBoolean() ? GuestFilter.INCREMENTAL : GuestFilter.RECOMPUTE,
                                    null,
                                    null),
                            mode());
                case 10, 11, 12 -> {
                    List<ObservedHost.ObservedMdev> there = simulated.read().mdevs();
                    if (there != null && !there.isEmpty()) {
                        simulated.openGuest(
                                "vm" + guests++,
                                there.get(random.nextInt(there.size())).uuid());
                    }
                }
                case 13 -> {
                    List<String> running = List.copyOf(simulated.guests().keySet());
                    if (!running.isEmpty()) {
                        simulated.closeGuest(running.get(random.nextInt(running.size())));
                    }
                }
                case 14 -> {
                    if (random.nextInt(3) == 0) {
                        simulated.reboot();
                    }
                }
                case 20 -> simulated.createForeign(new UUID(random.nextLong(), random.nextLong()), someMatrix());
                case 21 -> {
                    List<UUID> foreign = List.copyOf(
                            queries.host(host).matrix().inventory().foreign().keySet());
                    if (!foreign.isEmpty()) {
                        service.adopt(host, foreign.get(random.nextInt(foreign.size())), PLAINLY);
                    }
                }
                default -> {
                    if (some != null) {
                        switch (what) {
                            case 15, 16 -> service.assign(some, someMatrix(), PLAINLY);
                            case 17 -> service.unassign(some, someMatrix(), PLAINLY);
                            case 18 -> service.replaceMatrix(some, someMatrix(), PLAINLY);
                            default -> service.deleteMdev(some, mode());
                        }
                    }
                }
            }
        }

        private void apply() {
            reconciler.apply(DesiredStates.of(queries.host(host)));
        }

        private void report() {
            ObservedHost observed = reconciler.observe();
            reports.take(
                    host,
                    new Report("first", simulated.bootId(), session, ++sequence, WireFormat.digest(observed), observed),
                    caller);
        }
    }
}
