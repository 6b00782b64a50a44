package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.agent.Agent;
import io.apportion.agent.AgentMemory;
import io.apportion.agent.AgentSettings;
import io.apportion.agent.HostKernel;
import io.apportion.ap.Inventory;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Queue;
import io.apportion.server.ServerParts;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MdevState;
import io.apportion.server.web.OpenAccess;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.io.IOException;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.context.annotation.Import;
import org.springframework.core.env.Environment;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A server in this process that listens for HTTP, open as the demo is, and simulated hosts whose agents dial it. One for
 * all classes that are {@link Tried on it}: each test makes hosts of its own.
 */
@Import({ServerParts.class, OpenAccess.class, StatementCount.class})
final class LiveServer {

    @Retention(RetentionPolicy.RUNTIME)
    @SpringBootTest(
            classes = LiveServer.class,
            webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
            properties = {
                "spring.datasource.url=jdbc:h2:mem:live-server",
                "apportion.matrix.repair-backoff=50ms",
                "management.prometheus.metrics.export.enabled=true"
            })
    @interface Tried {}

    private static final JsonMapper JSON = JsonMapper.shared();
    private static final AtomicInteger HOSTS = new AtomicInteger();
    private static final Duration LONG = Duration.ofMinutes(2);

    /** Most looks come from what the host tells; a poll would only hide a change that it did not tell. */
    private static final AgentSettings.Timings TIMINGS = new AgentSettings.Timings(
            Duration.ofSeconds(2),
            Duration.ofSeconds(30),
            Duration.ofMinutes(10),
            Duration.ofMillis(1),
            Duration.ofMillis(50),
            Duration.ofSeconds(1),
            Duration.ofSeconds(60));

    private final Environment environment;
    private final MatrixQueries queries;
    private final HttpClient http = HttpClient.newHttpClient();

    LiveServer(Environment environment, MatrixQueries queries) {
        this.environment = environment;
        this.queries = queries;
    }

    URI address() {
        return URI.create("http://127.0.0.1:" + environment.getRequiredProperty("local.server.port"));
    }

    record Answer(int status, JsonNode body) {}

    /** @param body null: none */
    Answer call(String method, String path, @Nullable String body) throws IOException, InterruptedException {
        HttpResponse<String> response = http.send(request(method, path, body), BodyHandlers.ofString());
        return new Answer(response.statusCode(), JSON.readTree(response.body()));
    }

    private HttpRequest request(String method, String path, @Nullable String body) {
        HttpRequest.Builder request = HttpRequest.newBuilder(address().resolve(path))
                .timeout(LONG)
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        if (body != null) {
            request.header("Content-Type", "application/json");
        }
        return request.build();
    }

    /** A change that is to be done. */
    JsonNode change(String method, String path, @Nullable String body) throws IOException, InterruptedException {
        Answer answer = call(method, path, body);
        assertThat(answer.status()).as("%s %s: %s", method, path, answer.body()).isBetween(200, 299);
        return answer.body();
    }

    JsonNode get(String path) throws IOException, InterruptedException {
        return change("GET", path, null);
    }

    String text(String path) throws IOException, InterruptedException {
        return http.send(request("GET", path, null), BodyHandlers.ofString()).body();
    }

    static String list(Iterable<Integer> numbers) {
        StringBuilder list = new StringBuilder();
        numbers.forEach(number -> list.append(list.isEmpty() ? "" : ",").append(number));
        return "[" + list + "]";
    }

    /** @param queues of texts, or of objects that name a queue */
    static List<Queue> queues(JsonNode queues) {
        return queues.valueStream()
                .map(queue -> queue.isObject() ? queue.get("queue") : queue)
                .map(JsonNode::asString)
                .map(Queue::parse)
                .toList();
    }

    /** A host that the server knows under a name of its own, without an agent yet. */
    String newHost(String settings) throws IOException, InterruptedException {
        String name = "live" + HOSTS.incrementAndGet();
        change("PUT", "/api/v1/hosts/" + name, settings);
        return name;
    }

    /** Makes that host one with an agent, which hears of everything that anybody does there. */
    RunningHost run(String name, SimulatedHost machine) {
        return run(name, machine, machine);
    }

    /** @param kernel that machine, as its agent sees it; stays the caller's */
    RunningHost run(String name, SimulatedHost machine, HostKernel kernel) {
        machine.tellEverything(true);
        Agent agent = new Agent(
                new AgentSettings(name, address(), null, ObservedHost.Keep.NOTHING, TIMINGS),
                kernel,
                AgentMemory.ofThisProcess(),
                new Random(1));
        agent.start();
        RunningHost host = new RunningHost(name, machine, agent);
        host.awaitSettled();
        return host;
    }

    /** That host as this server knows it: another one ran when it was made. Is closed with that. */
    RunningHost again(RunningHost host) {
        return new RunningHost(host.name, host.machine, host.agent);
    }

    final class RunningHost implements AutoCloseable {

        final String name;
        final SimulatedHost machine;
        private final Agent agent;

        private RunningHost(String name, SimulatedHost machine, Agent agent) {
            this.name = name;
            this.machine = machine;
            this.agent = agent;
        }

        UUID newMdev(Matrix assigned) throws IOException, InterruptedException {
            UUID uuid = UUID.randomUUID();
            change(
                    "PUT",
                    "/api/v1/mdevs/" + uuid,
                    "{\"host\":\"%s\",\"adapters\":%s,\"domains\":%s,\"controlDomains\":%s}"
                            .formatted(
                                    name,
                                    list(assigned.adapters()::iterator),
                                    list(assigned.domains()::iterator),
                                    list(assigned.controlDomains()::iterator)));
            return uuid;
        }

        HostState state() {
            return queries.host(name);
        }

        /** Until the server knows the host as it is now, and the host has what the server wants. */
        void awaitSettled() {
            await().atMost(LONG)
                    .pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(5))
                    .untilAsserted(this::requireSettled);
        }

        private void requireSettled() {
            HostState state = state();
            ObservedHost now = machine.read();
            Inventory known = state.matrix().inventory();
            assertThat(known.reported()).as("reported").isTrue();
            assertThat(state.agent().appliedGeneration()).as("generation").isEqualTo(state.generation());
            assertThat(known.hostConfiguration()).isEqualTo(now.hostConfiguration());
            assertThat(known.masks()).isEqualTo(now.masks());
            for (ObservedAdapter card : Objects.requireNonNull(now.adapters())) {
                assertThat(known.bound().domains(card.adapter())).isEqualTo(card.bound());
                assertThat(known.devices().domains(card.adapter())).isEqualTo(card.devices());
            }
            var there = Objects.requireNonNull(now.mdevs()).stream()
                    .collect(Collectors.toMap(ObservedMdev::uuid, mdev -> mdev));
            for (MdevState mdev : state.mdevs().values()) {
                Mdev wanted = mdev.mdev();
                ObservedMdev seen = there.get(wanted.uuid());
                assertThat(mdev.observed() == null).isEqualTo(seen == null);
                if (seen != null && mdev.observed() != null) {
                    assertThat(mdev.observed().assigned()).isEqualTo(seen.assigned());
                    assertThat(wanted.guest() == null ? null : wanted.guest().identity())
                            .isEqualTo(
                                    seen.guest() == null ? null : seen.guest().identity());
                }
            }
        }

        @Override
        public void close() {
            agent.close();
            machine.close();
        }
    }
}
