package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueSet;
import io.apportion.endtoend.LiveServer.Answer;
import io.apportion.endtoend.LiveServer.RunningHost;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import tools.jackson.databind.JsonNode;

/** Many clients at once, over HTTP. */
@LiveServer.Tried
class ConcurrencyTests {

    private static final int CLIENTS = 64;
    private static final long SEED = Long.getLong("apportion.seed", new Random().nextLong());

    @Autowired
    LiveServer server;

    @Autowired
    DataSource dataSource;

    /** All begin at the same moment. */
    private static <T> List<T> atOnce(List<Callable<T>> works) throws Exception {
        CyclicBarrier start = new CyclicBarrier(works.size());
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<T>> running = new ArrayList<>();
            for (Callable<T> work : works) {
                running.add(threads.submit(() -> {
                    start.await();
                    return work.call();
                }));
            }
            List<T> results = new ArrayList<>();
            for (Future<T> result : running) {
                results.add(result.get());
            }
            return results;
        }
    }

    private record Attempt(UUID mdev, Matrix wanted, Answer answer) {

        boolean won() {
            return answer.status() == 201;
        }
    }

    private Attempt attempt(String host, Matrix wanted) throws IOException, InterruptedException {
        UUID mdev = UUID.randomUUID();
        String body = "{\"host\":\"%s\",\"adapters\":%s,\"domains\":%s}"
                .formatted(
                        host,
                        LiveServer.list(wanted.adapters()::iterator),
                        LiveServer.list(wanted.domains()::iterator));
        return new Attempt(mdev, wanted, server.call("PUT", "/api/v1/mdevs/" + mdev, body));
    }

    /** Of one of the timers of the lock. */
    private double measured(String name) throws IOException, InterruptedException {
        return server.text("/actuator/prometheus")
                .lines()
                .filter(line -> line.startsWith(name + " "))
                .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
                .findFirst()
                .orElseThrow();
    }

    private RunningHost host() throws IOException, InterruptedException {
        SimulatedHost machine = SimulatedHost.builder()
                .cards(0, 1, 2, 3, 4, 5, 6, 7)
                .domains(0, 1, 2, 3, 4, 5, 6, 7)
                .allForGuests()
                .build();
        return server.run(server.newHost("{}"), machine);
    }

    @Test
    void ofManyThatWantTheSameQueuesOneWinsAndTheOthersLearnWho() throws Exception {
        try (RunningHost host = host()) {
            double waited = measured("apportion_matrix_lock_wait_seconds_count");
            double waitedFor = measured("apportion_matrix_lock_wait_seconds_sum");
            double held = measured("apportion_matrix_lock_held_seconds_count");
            for (int round = 0; round < 4; round++) {
                Matrix wanted = new Matrix(ApMask.of(round), ApMask.of(0, 3), ApMask.NONE);
                List<Callable<Attempt>> clients = new ArrayList<>();
                for (int i = 0; i < CLIENTS; i++) {
                    clients.add(() -> attempt(host.name, wanted));
                }
                List<Attempt> attempts = atOnce(clients);

                List<Attempt> winners = attempts.stream().filter(Attempt::won).toList();
                assertThat(winners).hasSize(1);
                for (Attempt lost : attempts) {
                    if (lost.won()) {
                        continue;
                    }
                    JsonNode problem = lost.answer().body();
                    assertThat(lost.answer().status()).as("%s", problem).isEqualTo(409);
                    assertThat(problem.get("type").asString()).isEqualTo("/problems/queue-in-use");
                    assertThat(problem.get("errno").asString()).isEqualTo("EADDRINUSE");
                    assertThat(LiveServer.queues(problem.get("conflicts")))
                            .containsExactlyElementsOf(wanted.queues().queues().toList());
                    assertThat(problem.get("conflicts")
                                    .valueStream()
                                    .map(conflict -> conflict.get("mdev").asString()))
                            .containsOnly(winners.getFirst().mdev().toString());
                }
            }
            requireNoQueueTwice(host, 4);
            assertThat(measured("apportion_matrix_lock_wait_seconds_count") - waited)
                    .isGreaterThanOrEqualTo(4 * CLIENTS);
            assertThat(measured("apportion_matrix_lock_held_seconds_count") - held)
                    .isGreaterThanOrEqualTo(4 * CLIENTS);
            assertThat(measured("apportion_matrix_lock_wait_seconds_sum")).isGreaterThan(waitedFor);
        }
    }

    @Test
    void ofManyWhoseMatricesOverlapNoTwoGetTheSameQueue() throws Exception {
        Random random = new Random(SEED);
        try (RunningHost host = host()) {
            List<Callable<Attempt>> clients = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                Matrix wanted = new Matrix(
                        ApMask.of(random.nextInt(8), random.nextInt(8)),
                        ApMask.of(random.nextInt(8), random.nextInt(8)),
                        ApMask.NONE);
                clients.add(() -> attempt(host.name, wanted));
            }
            List<Attempt> attempts = atOnce(clients);

            Map<String, QueueSet> winners = new HashMap<>();
            QueueSet taken = QueueSet.NONE;
            for (Attempt attempt : attempts) {
                if (attempt.won()) {
                    QueueSet got = attempt.wanted().queues();
                    assertThat(taken.and(got)).as("seed %d", SEED).isEqualTo(QueueSet.NONE);
                    taken = taken.or(got);
                    winners.put(attempt.mdev().toString(), got);
                }
            }
            for (Attempt lost : attempts) {
                if (lost.won()) {
                    continue;
                }
                assertThat(lost.answer().status())
                        .as("seed %d: %s", SEED, lost.answer())
                        .isEqualTo(409);
                JsonNode conflicts = lost.answer().body().get("conflicts");
                assertThat(conflicts).as("seed %d", SEED).isNotEmpty();
                for (JsonNode conflict : conflicts) {
                    Queue queue = Queue.parse(conflict.get("queue").asString());
                    assertThat(lost.wanted().queues().has(queue)).isTrue();
                    assertThat(winners.get(conflict.get("mdev").asString()).has(queue))
                            .as("seed %d: %s", SEED, conflict)
                            .isTrue();
                }
            }
            requireNoQueueTwice(host, winners.size());
        }
    }

    /** In what is assigned, and in the kernel. */
    private void requireNoQueueTwice(RunningHost host, int mdevs) throws IOException, InterruptedException {
        QueueSet taken = QueueSet.NONE;
        JsonNode items =
                server.get("/api/v1/mdevs?limit=1000&host=" + host.name).get("items");
        assertThat(items).hasSize(mdevs);
        for (JsonNode item : items) {
            Matrix assigned = new Matrix(
                    mask(item.get("assigned").get("adapters")),
                    mask(item.get("assigned").get("domains")),
                    ApMask.NONE);
            assertThat(taken.and(assigned.queues())).as("seed %d", SEED).isEqualTo(QueueSet.NONE);
            taken = taken.or(assigned.queues());
        }
        host.awaitSettled();
        QueueSet inTheKernel = QueueSet.NONE;
        for (ObservedMdev mdev : Objects.requireNonNull(host.machine.read().mdevs())) {
            assertThat(inTheKernel.and(mdev.assigned().queues()))
                    .as("seed %d", SEED)
                    .isEqualTo(QueueSet.NONE);
            inTheKernel = inTheKernel.or(mdev.assigned().queues());
        }
        assertThat(inTheKernel).as("seed %d", SEED).isEqualTo(taken);
    }

    private static ApMask mask(JsonNode numbers) {
        return ApMask.of(numbers.valueStream()
                .map(JsonNode::asString)
                .map(Integer::decode)
                .toList());
    }

    // ---- neighbours

    private String newMdev(String host, int adapter) throws IOException, InterruptedException {
        String path = "/api/v1/mdevs/" + UUID.randomUUID();
        server.change("PUT", path, "{\"host\":\"%s\",\"adapters\":[%d],\"domains\":[0]}".formatted(host, adapter));
        return path;
    }

    private void toggle(String mdev, int i) throws IOException, InterruptedException {
        server.change(i % 2 == 0 ? "PUT" : "DELETE", mdev + "/domains/1", null);
    }

    @Test
    void manyThatWaitForOneHostTakeNoConnectionFromTheOthers() throws Exception {
        String quiet = newMdev(server.newHost("{}"), 0);
        String stuck = server.newHost("{}");
        List<String> mdevs = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            mdevs.add(newMdev(stuck, i));
        }
        HikariDataSource pool = dataSource.unwrap(HikariDataSource.class);
        AtomicInteger asking = new AtomicInteger();
        List<Future<Answer>> waiting = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            int mostAtOnce = 0;
            // As another replica would that holds the matrix lock and does not come to an end.
            try (Connection elsewhere = dataSource.getConnection();
                    PreparedStatement lock =
                            elsewhere.prepareStatement("select id from hosts where name = ? for update")) {
                elsewhere.setAutoCommit(false);
                lock.setString(1, stuck);
                lock.executeQuery();
                for (String mdev : mdevs) {
                    waiting.add(threads.submit(() -> {
                        asking.incrementAndGet();
                        return server.call("PUT", mdev + "/domains/1", null);
                    }));
                }
                await().until(() -> asking.get() == CLIENTS);
                for (int i = 0; i < 40; i++) {
                    toggle(quiet, i);
                    mostAtOnce = Math.max(mostAtOnce, pool.getHikariPoolMXBean().getActiveConnections());
                    assertThat(pool.getHikariPoolMXBean().getThreadsAwaitingConnection())
                            .isZero();
                }
                elsewhere.rollback();
                elsewhere.setAutoCommit(true);
            }
            assertThat(mostAtOnce).isLessThan(pool.getMaximumPoolSize());
            for (Future<Answer> answer : waiting) {
                // Nobody waits for ever, and nobody gets a 500: whose turn came too late is told to come again.
                if (answer.get().status() != 200) {
                    assertThat(answer.get().status()).as("%s", answer.get()).isEqualTo(503);
                    assertThat(answer.get().body().get("type").asString()).isEqualTo("/problems/busy");
                }
            }
        }
    }
}
