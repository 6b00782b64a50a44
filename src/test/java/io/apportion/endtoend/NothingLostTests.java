package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.Apportion;
import io.apportion.agent.Agent;
import io.apportion.agent.AgentMemory;
import io.apportion.agent.AgentSettings;
import io.apportion.ap.ApMask;
import io.apportion.ap.GuestFilter;
import io.apportion.ap.Matrix;
import io.apportion.ap.Notation;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueSet;
import io.apportion.endtoend.ServerProcess.Answer;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * A server is killed at random moments under eight writers, and started again on the same file: every acknowledged change
 * is there, none is there by half, no queue is in two mdevs, every guest matrix is what the rules give, and what was
 * pending is applied.
 *
 * <p>{@code -Dapportion.kills=N} kills N times; {@code -Dapportion.late-writes=true} runs it with H2's own write delay,
 * with which it must fail.
 */
class NothingLostTests {

    private static final int KILLS = Integer.getInteger("apportion.kills", 4);
    private static final boolean LATE_WRITES = Boolean.getBoolean("apportion.late-writes");
    private static final int WRITERS = 8;
    private static final int ACKNOWLEDGED_BETWEEN_KILLS = 20;
    private static final long SEED = Long.getLong("apportion.seed", new Random().nextLong());
    private static final ApMask ADAPTERS = ApMask.of(0, 1, 2, 3, 4, 5);
    private static final ApMask DOMAINS = ApMask.of(0, 1, 2, 3, 4, 5);

    @TempDir
    Path folder;

    private final AtomicInteger acknowledged = new AtomicInteger();
    private volatile boolean writing;

    @Test
    void everyAcknowledgedChangeSurvivesAKill() throws Exception {
        Random random = new Random(SEED);
        int all = 0;
        List<SimulatedHost> machines = new ArrayList<>();
        List<Agent> agents = new ArrayList<>();
        try (ServerProcess server =
                new ServerProcess(LATE_WRITES ? LateWritingServer.class : Apportion.class, folder)) {
            server.start();
            for (String host : List.of("one", "two")) {
                SimulatedHost machine = SimulatedHost.builder()
                        .machineId(host)
                        .highest(5, 5)
                        .cards(ADAPTERS.numbers().toArray())
                        .domains(DOMAINS.numbers().toArray())
                        .allForGuests()
                        .holes(new Queue(1, 1), new Queue(4, 2))
                        .build();
                machines.add(machine);
                assertThat(server.call("PUT", "/api/v1/hosts/" + host, "{}").status())
                        .isEqualTo(201);
                String token = server.call(
                                "POST",
                                "/api/v1/tokens",
                                "{\"name\":\"agent-%s\",\"role\":\"agent\",\"host\":\"%s\"}".formatted(host, host))
                        .body()
                        .path("token")
                        .asString();
                Agent agent = new Agent(
                        new AgentSettings(
                                host,
                                server.address(),
                                token,
                                ObservedHost.Keep.NOTHING,
                                AgentSettings.Timings.DEFAULT),
                        machine,
                        AgentMemory.ofThisProcess(),
                        new Random(SEED));
                agents.add(agent);
                agent.start();
            }
            List<Writer> writers = new ArrayList<>();
            for (int i = 0; i < WRITERS; i++) {
                writers.add(new Writer(server, i % 2 == 0 ? "one" : "two", new Random(random.nextLong())));
            }
            for (int kill = 1; kill <= KILLS; kill++) {
                acknowledged.set(0);
                writing = true;
                List<Thread> threads = new ArrayList<>();
                writers.forEach(writer -> threads.add(Thread.ofVirtual().start(writer::write)));
                int enough = ACKNOWLEDGED_BETWEEN_KILLS + random.nextInt(60);
                await().atMost(Duration.ofMinutes(2))
                        .pollInterval(Duration.ofMillis(1))
                        .until(() -> acknowledged.get() >= enough);
                server.kill();
                writing = false;
                for (Thread thread : threads) {
                    thread.join();
                }
                all += acknowledged.get();
                server.start();
                check(server, writers, "seed " + SEED + ", kill " + kill);
            }
            await().atMost(Duration.ofMinutes(2))
                    .untilAsserted(() -> assertThat(server.call("GET", "/api/v1/commits?state=pending", null)
                                    .body()
                                    .path("items"))
                            .as("seed %d: pending commits", SEED)
                            .isEmpty());
            for (Writer writer : writers) {
                JsonNode mdev = writer.get();
                if (mdev != null) {
                    assertThat(mdev.path("observed").path("adapters"))
                            .as("seed %d: %s", SEED, mdev)
                            .isEqualTo(mdev.path("guestMatrix").path("adapters"));
                }
            }
            System.out.printf("kills %d, acknowledged changes %d, lost 0, seed %d%n", KILLS, all, SEED);
        } finally {
            agents.forEach(Agent::close);
        }
    }

    private static void check(ServerProcess server, List<Writer> writers, String when)
            throws IOException, InterruptedException {
        List<QueueSet> taken = new ArrayList<>(List.of(QueueSet.NONE, QueueSet.NONE));
        for (Writer writer : writers) {
            JsonNode found = writer.get();
            Matrix assigned = found == null ? null : matrix(found.path("assigned"));
            assertThat(writer.possible()).as("%s: %s", when, writer.mdev).contains(String.valueOf(assigned));
            writer.believe(assigned);
            if (assigned == null) {
                continue;
            }
            int host = writer.host.equals("one") ? 0 : 1;
            assertThat(taken.get(host).and(assigned.queues()))
                    .as("%s: queues in two mdevs", when)
                    .isEqualTo(QueueSet.NONE);
            taken.set(host, taken.get(host).or(assigned.queues()));
            QueueSet bound = QueueSet.rectangle(ADAPTERS, DOMAINS)
                    .without(new Queue(1, 1))
                    .without(new Queue(4, 2));
            Matrix byTheRules =
                    GuestFilter.INCREMENTAL.apply(ApMask.NONE, assigned, new Matrix(ADAPTERS, DOMAINS, DOMAINS), bound);
            Matrix stored = matrix(Objects.requireNonNull(found).path("guestMatrix"));
            // Before the agent's first report nothing is known to be bound.
            if (server.call("GET", "/api/v1/hosts/" + writer.host, null).body().has("limits")) {
                assertThat(stored).as("%s: guest matrix of %s", when, found).isEqualTo(byTheRules);
            }
        }
    }

    private static Matrix matrix(JsonNode masks) {
        return new Matrix(
                mask(masks.path("adapters")), mask(masks.path("domains")), mask(masks.path("controlDomains")));
    }

    private static ApMask mask(JsonNode numbers) {
        ApMask mask = ApMask.NONE;
        for (JsonNode number : numbers) {
            mask = mask.with(Integer.decode(number.asString()));
        }
        return mask;
    }

    /** Changes one mdev, one change after the other, and knows what was acknowledged. */
    private final class Writer {

        final ServerProcess server;
        final String host;
        final Random random;
        final UUID mdev = UUID.randomUUID();

        @Nullable
        Matrix acknowledgedState;

        /** Of a change whose answer never came. */
        @Nullable
        Matrix doubtful;

        boolean inDoubt;

        Writer(ServerProcess server, String host, Random random) {
            this.server = server;
            this.host = host;
            this.random = random;
        }

        List<String> possible() {
            return inDoubt
                    ? List.of(String.valueOf(acknowledgedState), String.valueOf(doubtful))
                    : List.of(String.valueOf(acknowledgedState));
        }

        void believe(@Nullable Matrix found) {
            acknowledgedState = found;
            inDoubt = false;
        }

        void write() {
            while (writing && !inDoubt) {
                Matrix present = acknowledgedState;
                try {
                    if (present == null) {
                        Matrix first = some();
                        change(
                                first,
                                "PUT",
                                "",
                                "{\"host\":\"%s\",\"adapters\":%s,\"domains\":%s,\"controlDomains\":%s}"
                                        .formatted(
                                                host,
                                                list(first.adapters()),
                                                list(first.domains()),
                                                list(first.controlDomains())));
                    } else if (random.nextInt(12) == 0) {
                        change(null, "DELETE", "", null);
                    } else if (random.nextInt(3) == 0) {
                        Matrix next = some();
                        change(
                                next,
                                "PUT",
                                "/matrix",
                                "{\"adapters\":%s,\"domains\":%s,\"controlDomains\":%s}"
                                        .formatted(
                                                list(next.adapters()),
                                                list(next.domains()),
                                                list(next.controlDomains())));
                    } else {
                        int number = random.nextInt(6);
                        boolean add = random.nextBoolean();
                        ApMask adapters = add
                                ? present.adapters().with(number)
                                : present.adapters().without(number);
                        change(
                                new Matrix(adapters, present.domains(), present.controlDomains()),
                                add ? "PUT" : "DELETE",
                                "/adapters/" + Notation.adapter(number),
                                null);
                    }
                } catch (IOException killed) {
                    return;
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                    return;
                }
            }
        }

        private void change(@Nullable Matrix after, String method, String path, @Nullable String body)
                throws IOException, InterruptedException {
            doubtful = after;
            inDoubt = true;
            Answer answer = server.call(method, "/api/v1/mdevs/" + mdev + path, body);
            inDoubt = false;
            if (answer.status() / 100 == 2) {
                acknowledgedState = after;
                acknowledged.incrementAndGet();
            } else {
                assertThat(answer.status()).as("%s", answer.body()).isIn(409, 503);
            }
        }

        @Nullable
        JsonNode get() throws IOException, InterruptedException {
            Answer answer = server.call("GET", "/api/v1/mdevs/" + mdev, null);
            return answer.status() == 404 ? null : answer.body();
        }

        private Matrix some() {
            ApMask adapters = ApMask.of(random.nextInt(6), random.nextInt(6));
            ApMask domains = ApMask.of(random.nextInt(6), random.nextInt(6));
            return new Matrix(adapters, domains, ApMask.of(random.nextInt(6)));
        }

        private static String list(ApMask mask) {
            return mask.numbers().boxed().toList().toString();
        }
    }
}
