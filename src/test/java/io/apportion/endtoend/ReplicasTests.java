package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.QueueSet;
import io.apportion.endtoend.LiveServer.Answer;
import io.apportion.endtoend.LiveServer.RunningHost;
import io.apportion.postgresql.Postgresql;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.ReportService;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost.ObservedMdev;
import io.apportion.wire.Report;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.sql.Timestamp;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.jdbc.core.JdbcTemplate;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Two replicas on one PostgreSQL, and hosts whose agents dial one of them. */
class ReplicasTests {

    private static final long SEED = Long.getLong("apportion.seed", new Random().nextLong());
    private static final JsonMapper JSON = JsonMapper.shared();

    private static ConfigurableApplicationContext one;
    private static ConfigurableApplicationContext other;
    private static LiveServer here;
    private static LiveServer there;

    @BeforeAll
    static void startTwo() {
        String database = Postgresql.newDatabase();
        one = replica(database);
        other = replica(database);
        here = one.getBean(LiveServer.class);
        there = other.getBean(LiveServer.class);
    }

    private static ConfigurableApplicationContext replica(String database) {
        return new SpringApplicationBuilder(LiveServer.class)
                .run("--spring.datasource.url=" + database, "--server.port=0");
    }

    @AfterAll
    static void stopBoth() {
        one.close();
        other.close();
    }

    private static RunningHost hostWithItsAgentThere() throws IOException, InterruptedException {
        SimulatedHost machine = SimulatedHost.builder()
                .cards(0, 1, 2, 3, 4, 5, 6, 7)
                .domains(0, 1, 2, 3, 4, 5, 6, 7)
                .allForGuests()
                .build();
        return there.run(here.newHost("{}"), machine);
    }

    private static JdbcTemplate jdbc() {
        return one.getBean(JdbcTemplate.class);
    }

    private static String body(String host, Matrix wanted) {
        return "{\"host\":\"%s\",\"adapters\":%s,\"domains\":%s}"
                .formatted(
                        host,
                        LiveServer.list(wanted.adapters()::iterator),
                        LiveServer.list(wanted.domains()::iterator));
    }

    private record Attempt(Matrix wanted, Answer answer) {}

    @Test
    void writersAtBothGetNoQueueTwiceAndLoseNoGeneration() throws Exception {
        Random random = new Random(SEED);
        try (RunningHost host = hostWithItsAgentThere()) {
            long before = host.state().generation();
            List<Future<Attempt>> attempts = new ArrayList<>();
            try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
                for (int i = 0; i < 64; i++) {
                    LiveServer at = i % 2 == 0 ? here : there;
                    Matrix wanted = new Matrix(
                            ApMask.of(random.nextInt(8)), ApMask.of(random.nextInt(8), random.nextInt(8)), ApMask.NONE);
                    String path = "/api/v1/mdevs/" + UUID.randomUUID();
                    attempts.add(threads.submit(
                            () -> new Attempt(wanted, at.call("PUT", path, body(host.name, wanted)))));
                }
            }
            QueueSet taken = QueueSet.NONE;
            List<Long> generations = new ArrayList<>();
            for (Future<Attempt> attempt : attempts) {
                Answer answer = attempt.get().answer();
                assertThat(answer.status())
                        .as("seed %d: %s", SEED, answer.body())
                        .isIn(201, 409);
                if (answer.status() == 201) {
                    QueueSet got = attempt.get().wanted().queues();
                    assertThat(taken.and(got)).as("seed %d", SEED).isEqualTo(QueueSet.NONE);
                    taken = taken.or(got);
                    generations.add(
                            answer.body().get("commit").get("generation").asLong());
                }
            }
            assertThat(generations)
                    .as("seed %d", SEED)
                    .hasSizeGreaterThan(4)
                    .containsExactlyInAnyOrderElementsOf(LongStream.rangeClosed(before + 1, before + generations.size())
                            .boxed()
                            .toList());
            host.awaitSettled();
            assertThat(host.state().generation()).isEqualTo(before + generations.size());
            QueueSet inTheKernel = QueueSet.NONE;
            for (ObservedMdev mdev : Objects.requireNonNull(host.machine.read().mdevs())) {
                QueueSet has = Objects.requireNonNull(mdev.assigned()).queues();
                assertThat(inTheKernel.and(has)).as("seed %d", SEED).isEqualTo(QueueSet.NONE);
                inTheKernel = inTheKernel.or(has);
            }
            assertThat(inTheKernel).as("seed %d", SEED).isEqualTo(taken);
        }
    }

    @Test
    void whoWaitsHereIsToldWhatTheAgentThereDid() throws Exception {
        try (RunningHost host = hostWithItsAgentThere();
                HttpClient http = HttpClient.newHttpClient()) {
            Matrix wanted = new Matrix(ApMask.of(1), ApMask.of(1), ApMask.NONE);
            HttpRequest request = HttpRequest.newBuilder(here.address().resolve("/api/v1/mdevs/" + UUID.randomUUID()))
                    .header("Content-Type", "application/json")
                    .header("Prefer", "wait=60")
                    .PUT(BodyPublishers.ofString(body(host.name, wanted)))
                    .build();

            JsonNode answer =
                    JSON.readTree(http.send(request, BodyHandlers.ofString()).body());

            assertThat(answer.get("commit").get("state").asString())
                    .as("%s", answer)
                    .isEqualTo("applied");
        }
    }

    @Test
    void aStreamOfEventsResumesAtTheOtherAndMissesNothing() throws Exception {
        List<String> hosts = List.of(here.newHost("{}"), here.newHost("{}"), here.newHost("{}"), here.newHost("{}"));
        awaitNumbers();
        long start = newest();
        List<Long> read = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
                HttpClient http = HttpClient.newHttpClient()) {
            List<Future<?>> writers = new ArrayList<>();
            for (int i = 0; i < hosts.size(); i++) {
                String host = hosts.get(i);
                LiveServer at = i % 2 == 0 ? here : there;
                writers.add(threads.submit(() -> {
                    for (int adapter = 0; adapter < 25; adapter++) {
                        at.change("PUT", "/api/v1/mdevs/" + UUID.randomUUID(), body(host, Matrix.EMPTY));
                    }
                    return null;
                }));
            }
            LiveServer at = there;
            while (read.size() < 100) {
                at = at == here ? there : here;
                long position = read.isEmpty() ? start : read.getLast();
                HttpRequest request = HttpRequest.newBuilder(at.address().resolve("/api/v1/events?type=mdev.created"))
                        .header("Accept", "text/event-stream")
                        .header("Last-Event-ID", String.valueOf(position))
                        .build();
                try (Stream<String> lines =
                        http.send(request, BodyHandlers.ofLines()).body()) {
                    Iterator<String> next = lines.iterator();
                    int enough = Math.min(100, read.size() + 10);
                    while (read.size() < enough) {
                        String line = next.next();
                        if (line.startsWith("data: ")) {
                            read.add(JSON.readTree(line.substring(6)).get("id").asLong());
                        }
                    }
                }
            }
            for (Future<?> writer : writers) {
                writer.get();
            }
        }
        awaitNumbers();
        assertThat(read)
                .isSorted()
                .containsExactlyElementsOf(jdbc().queryForList(
                                "select position from events where position > ? and type = 'mdev.created'"
                                        + " order by position",
                                Long.class,
                                start));
    }

    private static long newest() {
        return jdbc().queryForObject("select newest from event_positions", Long.class);
    }

    private static void awaitNumbers() {
        await().until(() ->
                jdbc().queryForObject("select count(*) from events where position is null", Integer.class) == 0);
    }

    @Test
    void thatAnAgentIsAwayIsToldOnceByBoth() throws Exception {
        String host = here.newHost("{}");
        one.getBean(ReportService.class)
                .open(host, new Report.Hello("first", "boot", "machine"), new Caller("agent:" + host, false, "r1"));
        long id = jdbc().queryForObject("select id from hosts where name = ?", Long.class, host);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int turn = 1; turn <= 10; turn++) {
                boolean away = turn % 2 == 1;
                jdbc().update(
                                "update agents set last_seen = ? where host_id = ?",
                                Timestamp.from(Instant.now().minusSeconds(away ? 60 : 0)),
                                id);
                List<Future<?>> rounds = new ArrayList<>();
                for (ConfigurableApplicationContext replica : List.of(one, other, one, other)) {
                    rounds.add(threads.submit(
                            () -> replica.getBean(ReportService.class).tellSilent()));
                }
                for (Future<?> round : rounds) {
                    round.get();
                }
                assertThat(jdbc().queryForList(
                                        "select type from events where host_id = ? and type like 'agent.%'"
                                                + " order by ordinal desc fetch first 1 rows only",
                                        String.class, id))
                        .containsExactly(away ? "agent.away" : "agent.up");
            }
        }
        // One more: that it came.
        assertThat(jdbc().queryForObject(
                                "select count(*) from events where host_id = ? and type like 'agent.%'",
                                Integer.class, id))
                .isEqualTo(11);
    }
}
