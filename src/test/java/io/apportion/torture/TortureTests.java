package io.apportion.torture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.Apportion;
import io.apportion.agent.Agent;
import io.apportion.agent.AgentMemory;
import io.apportion.agent.AgentSettings;
import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.simulator.SimulatedHost;
import io.apportion.torture.Call.Kind;
import io.apportion.torture.Record.Held;
import io.apportion.wire.ObservedHost;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.awaitility.core.ConditionTimeoutException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Two replicas on one PostgreSQL, writers that try again, and agents of simulated hosts, while replicas are killed and
 * paused, connections are cut and the database dies. What everybody saw is recorded; {@link Verdict} judges the record.
 *
 * <p>{@code -Dapportion.torture.faults=200} for longer, {@code -Dapportion.seed=…} for the same faults again. {@code
 * -Dapportion.torture.unlocked=true} takes the matrix lock away, and with it the second guard, that no two commits of a host
 * have one generation: then the verdict must find something.
 */
class TortureTests {

    private static final long SEED = Long.getLong("apportion.seed", new Random().nextLong());
    private static final int FAULTS = Integer.getInteger("apportion.torture.faults", 7);
    private static final boolean UNLOCKED = Boolean.getBoolean("apportion.torture.unlocked");
    private static final int WRITERS = 8;
    private static final int MDEVS = 6;
    private static final int NUMBERS = 6;
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final List<String> HOSTS = List.of("one", "two");

    @TempDir
    Path folder;

    private final Random random = new Random(SEED);
    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(PATIENCE)
            .build();
    private final Map<String, SimulatedHost> machines = new LinkedHashMap<>();
    private final Map<String, AgentMemory> memories = new HashMap<>();
    private final Map<String, String> tokens = new HashMap<>();
    private final Map<String, Agent> agents = new HashMap<>();
    private final AtomicInteger acknowledged = new AtomicInteger();
    private final AtomicInteger answered = new AtomicInteger();
    private final AtomicInteger doubtful = new AtomicInteger();
    private volatile boolean ending;
    private volatile long lastEvent;

    @Test
    void nothingIsLostAndNoQueueIsEverInTwoMdevs() throws Exception {
        Path file = folder.resolve("record");
        long start = System.nanoTime();
        try (Record record = new Record(file);
                Site site = site()) {
            try {
                build(site);
                run(site, record);
            } finally {
                ending = true;
                agents.values().forEach(Agent::close);
            }
        }
        List<String> wrong = Verdict.of(file);
        System.out.printf(
                "torture: seed %d, %d faults, %d s: %d calls acknowledged, %d answered, %d in doubt; the verdict: %s%n",
                SEED,
                FAULTS,
                (System.nanoTime() - start) / 1_000_000_000,
                acknowledged.get(),
                answered.get(),
                doubtful.get(),
                wrong.isEmpty() ? "nothing wrong" : wrong.size() + " wrong");
        if (UNLOCKED) {
            assertThat(wrong).as("without the matrix lock, seed %d", SEED).isNotEmpty();
            System.out.println(wrong.getFirst());
        } else {
            assertThat(wrong)
                    .as(() -> "seed " + SEED + ", the record is " + kept(file))
                    .isEmpty();
        }
        assertThat(acknowledged.get()).as("seed %d: acknowledged changes", SEED).isGreaterThan(100);
    }

    /** Where it is after the test. */
    private static Path kept(Path file) {
        try {
            return Files.copy(
                    file, Files.createTempFile("apportion-torture-", ".record"), StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException failure) {
            return file;
        }
    }

    private Site site() throws IOException, InterruptedException {
        if (!UNLOCKED) {
            return new Site(folder, Apportion.class, 2);
        }
        Site site = new Site(
                folder, Apportion.class, 2, "--spring.datasource.driver-class-name=" + UnlockedDriver.class.getName());
        try (Connection connection = site.connect();
                Statement statement = connection.createStatement()) {
            statement.execute("alter table commits drop constraint commits_host_id_generation_key");
        } catch (SQLException failure) {
            throw new IOException(failure);
        }
        return site;
    }

    // Hosts, agents, guests.

    private void build(Site site) throws Exception {
        for (String host : HOSTS) {
            SimulatedHost machine = SimulatedHost.builder()
                    .machineId(host)
                    .highest(NUMBERS - 1, NUMBERS - 1)
                    .cards(0, 1, 2, 3, 4, 5)
                    .domains(0, 1, 2, 3, 4, 5)
                    .allForGuests()
                    .holes(new Queue(1, 1), new Queue(4, 2))
                    .build();
            machines.put(host, machine);
            memories.put(host, AgentMemory.ofThisProcess());
            assertThat(send(site, "PUT", "/api/v1/hosts/" + host, "{}").statusCode())
                    .isEqualTo(201);
            tokens.put(
                    host,
                    JSON.readTree(send(
                                            site,
                                            "POST",
                                            "/api/v1/tokens",
                                            "{\"name\":\"agent-%s\",\"role\":\"agent\",\"host\":\"%s\"}"
                                                    .formatted(host, host))
                                    .body())
                            .path("token")
                            .asString());
            startAgent(site, host);
        }
    }

    private void startAgent(Site site, String host) {
        Agent agent = new Agent(
                new AgentSettings(
                        host,
                        site.switchboard.address(),
                        tokens.get(host),
                        ObservedHost.Keep.NOTHING,
                        AgentSettings.Timings.DEFAULT),
                Objects.requireNonNull(machines.get(host)),
                Objects.requireNonNull(memories.get(host)),
                new Random(SEED));
        agents.put(host, agent);
        agent.start();
    }

    /** At any replica that takes connections: so both have writers for every host. */
    private HttpResponse<String> send(Site site, String method, String path, @Nullable String body, String... headers)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder()
                .timeout(PATIENCE)
                .header("Authorization", "Bearer " + site.token())
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        if (body != null) {
            request.header("Content-Type", "application/json");
        }
        for (int header = 0; header < headers.length; header += 2) {
            request.header(headers[header], headers[header + 1]);
        }
        for (int which = ThreadLocalRandom.current().nextInt(site.size()); ; which++) {
            try {
                URI address = site.replica(which % site.size()).address();
                return http.send(request.uri(address.resolve(path)).build(), BodyHandlers.ofString());
            } catch (ConnectException notSent) {
                pause(20);
            }
        }
    }

    // The run.

    private interface Work {
        void run() throws Exception;
    }

    private void run(Site site, Record record) throws Exception {
        AtomicLong failures = new AtomicLong();
        List<String> failed = Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        List<Work> works = new ArrayList<>();
        for (int writer = 0; writer < WRITERS; writer++) {
            Random own = new Random(random.nextLong());
            works.add(() -> write(site, record, own));
        }
        Random guests = new Random(random.nextLong());
        works.add(() -> openAndCloseGuests(guests));
        works.add(() -> sample(site, record));
        for (Work work : works) {
            threads.add(Thread.ofVirtual().start(() -> {
                try {
                    work.run();
                } catch (Exception | AssertionError wrong) {
                    failed.add(wrong.toString());
                    failures.incrementAndGet();
                }
            }));
        }
        Thread listener = Thread.ofVirtual().start(() -> listen(site, record));
        for (int fault = 0; fault < FAULTS; fault++) {
            awaitAnswers(60);
            inflict(site, record, fault);
        }
        awaitAnswers(60);
        ending = true;
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failed).as("seed %d", SEED).isEmpty();
        recordEnd(site, record);
        awaitTold();
        listener.interrupt();
        listener.join();
    }

    private void awaitTold() {
        try {
            await().atMost(Duration.ofMinutes(1)).until(() -> lastEvent >= newestListed);
        } catch (ConditionTimeoutException never) {
            // The verdict says what the stream missed.
        }
    }

    private void awaitAnswers(int more) {
        int enough = answered.get() + more;
        await().atMost(Duration.ofMinutes(3))
                .pollInterval(Duration.ofMillis(10))
                .until(() -> answered.get() >= enough);
    }

    /** Each kind in turn, so that also a short run has them all. */
    private void inflict(Site site, Record record, int number) throws Exception {
        int which = random.nextInt(site.size());
        Site.Replica replica = site.replica(which);
        switch (number % 7) {
            case 0 -> {
                record.note("kill replica " + which);
                replica.kill();
                pause(random.nextInt(500));
                replica.start();
            }
            case 1 -> {
                record.note("cut all connections to the database");
                site.cutDatabaseConnections();
            }
            case 2 -> {
                record.note("pause replica " + which);
                replica.pause();
                pause(500 + random.nextInt(3000));
                replica.resume();
            }
            case 3 -> {
                record.note("crash the database");
                site.crashDatabase();
            }
            case 4 -> {
                record.note("cut all connections of agents and listeners");
                site.switchboard.cut();
            }
            case 5 -> {
                String host = HOSTS.get(random.nextInt(HOSTS.size()));
                record.note("restart the agent of host " + host);
                Objects.requireNonNull(agents.get(host)).close();
                startAgent(site, host);
            }
            default -> {
                record.note("pause replica " + which + ", and kill it as it stands");
                replica.pause();
                pause(random.nextInt(2000));
                replica.kill();
                replica.start();
            }
        }
    }

    private static void pause(long millis) {
        LockSupport.parkNanos(millis * 1_000_000);
    }

    // Writers.

    /** The even ones are made once and change with conditions; the odd ones come and go. */
    private static UUID mdev(int number) {
        return new UUID(0x7041, number);
    }

    private static String host(int number) {
        return HOSTS.get(number / 2 % HOSTS.size());
    }

    private void write(Site site, Record record, Random own) throws InterruptedException {
        Map<Integer, String> tags = new HashMap<>();
        Map<Integer, Long> versions = new HashMap<>();
        while (!ending) {
            int number = own.nextInt(MDEVS);
            boolean comesAndGoes = number % 2 == 1;
            Matrix matrix = new Matrix(
                    ApMask.of(own.nextInt(NUMBERS), own.nextInt(NUMBERS)),
                    ApMask.of(own.nextInt(NUMBERS), own.nextInt(NUMBERS)),
                    ApMask.of(own.nextInt(NUMBERS)));
            int dice = own.nextInt(20);
            Call call;
            if (dice < 3) {
                call = call(
                        site, record, number, Kind.CREATE, matrix, "PUT", "", body(host(number), matrix), null, null);
            } else if (dice < 5 && comesAndGoes) {
                call = call(site, record, number, Kind.DELETE, Matrix.EMPTY, "DELETE", "", null, null, null);
            } else if (dice < 8) {
                call = call(site, record, number, Kind.READ, Matrix.EMPTY, "GET", "", null, null, null);
            } else if (dice < 11) {
                String tag = comesAndGoes ? null : tags.get(number);
                call = call(
                        site,
                        record,
                        number,
                        Kind.SET,
                        matrix,
                        "PUT",
                        "/matrix",
                        body(null, matrix),
                        tag,
                        tag == null ? null : versions.get(number));
            } else {
                boolean assign = own.nextBoolean();
                boolean adapter = own.nextBoolean();
                int which = own.nextInt(NUMBERS);
                Matrix one = adapter
                        ? new Matrix(ApMask.of(which), ApMask.NONE, ApMask.NONE)
                        : new Matrix(ApMask.NONE, ApMask.of(which), ApMask.NONE);
                call = call(
                        site,
                        record,
                        number,
                        assign ? Kind.ASSIGN : Kind.UNASSIGN,
                        one,
                        assign ? "PUT" : "DELETE",
                        (adapter ? "/adapters/" : "/domains/") + which,
                        null,
                        null,
                        null);
            }
            if (call.assigned() != null) {
                tags.put(number, Objects.requireNonNull(lastTag.get()));
                versions.put(number, call.version());
            }
        }
    }

    private final ThreadLocal<@Nullable String> lastTag = new ThreadLocal<>();

    private static String body(@Nullable String host, Matrix matrix) {
        return "{%s\"adapters\":%s,\"domains\":%s,\"controlDomains\":%s}"
                .formatted(
                        host == null ? "" : "\"host\":\"" + host + "\",",
                        list(matrix.adapters()),
                        list(matrix.domains()),
                        list(matrix.controlDomains()));
    }

    private static String list(ApMask mask) {
        return mask.numbers().boxed().toList().toString();
    }

    private Call call(
            Site site,
            Record record,
            int number,
            Kind kind,
            Matrix matrix,
            String method,
            String path,
            @Nullable String body,
            @Nullable String ifMatch,
            @Nullable Long ifVersion)
            throws InterruptedException {
        String requestId = UUID.randomUUID().toString();
        List<String> headers = new ArrayList<>(List.of("X-Request-Id", requestId));
        if (ifMatch != null) {
            headers.addAll(List.of("If-Match", ifMatch));
        }
        long sent = System.nanoTime();
        Call call;
        try {
            HttpResponse<String> answer =
                    send(site, method, "/api/v1/mdevs/" + mdev(number) + path, body, headers.toArray(String[]::new));
            long now = System.nanoTime();
            JsonNode json = JSON.readTree(answer.body());
            boolean whole = answer.statusCode() / 100 == 2 && json.has("assigned");
            lastTag.set(answer.headers().firstValue("ETag").orElse(null));
            call = new Call(
                    requestId,
                    mdev(number),
                    sent,
                    now,
                    kind,
                    matrix,
                    ifVersion,
                    answer.statusCode(),
                    json.path("type").asString(null),
                    json.path("version").asLong(0),
                    whole ? Record.matrix(json.path("assigned")) : null);
        } catch (IOException | JacksonException unanswered) {
            call = new Call(requestId, mdev(number), sent, Long.MAX_VALUE, kind, matrix, ifVersion, 0, null, 0, null);
        }
        record.add(call);
        (call.isInDoubt() ? doubtful : answered).incrementAndGet();
        if (call.isAcknowledged() && kind != Kind.READ) {
            acknowledged.incrementAndGet();
        }
        return call;
    }

    // Guests.

    private void openAndCloseGuests(Random own) {
        while (!ending) {
            pause(own.nextInt(100));
            int number = own.nextInt(MDEVS);
            SimulatedHost machine = Objects.requireNonNull(machines.get(host(number)));
            String guest = "vm" + number;
            try {
                if (machine.guests().containsKey(guest)) {
                    machine.closeGuest(guest);
                } else {
                    machine.openGuest(guest, mdev(number));
                }
            } catch (KernelRefusal notThere) {
                // Another time.
            }
        }
    }

    // What is so.

    private void sample(Site site, Record record) {
        Map<String, Object> last = new HashMap<>();
        while (!ending) {
            pause(20);
            machines.forEach((host, machine) -> recordNew(
                    record,
                    last,
                    new Record.Sample(
                            "kernel",
                            host,
                            Objects.requireNonNull(machine.read().mdevs()).stream()
                                    .map(mdev -> new Held(mdev.uuid(), Objects.requireNonNull(mdev.assigned())))
                                    .toList())));
            try (Connection connection = site.connect();
                    Statement statement = connection.createStatement();
                    ResultSet rows = statement.executeQuery(
                            "select h.name, m.uuid, m.apm, m.aqm, m.adm from mdevs m join hosts h on h.id = m.host_id"
                                    + " order by h.name, m.uuid")) {
                Map<String, List<Held>> held = new HashMap<>();
                while (rows.next()) {
                    held.computeIfAbsent(rows.getString(1), _ -> new ArrayList<>())
                            .add(new Held(
                                    rows.getObject(2, UUID.class),
                                    new Matrix(
                                            ApMask.ofBytes(rows.getBytes(3)),
                                            ApMask.ofBytes(rows.getBytes(4)),
                                            ApMask.ofBytes(rows.getBytes(5)))));
                }
                held.forEach((host, mdevs) -> recordNew(record, last, new Record.Sample("database", host, mdevs)));
            } catch (SQLException away) {
                // It is tortured too.
            }
        }
    }

    private static void recordNew(Record record, Map<String, Object> last, Record.Sample sample) {
        if (!sample.equals(last.put(sample.where() + sample.host(), sample))) {
            record.add(sample);
        }
    }

    /** From the first event on, over every break. */
    private void listen(Site site, Record record) {
        while (!Thread.currentThread().isInterrupted()) {
            HttpRequest request = HttpRequest.newBuilder(
                            site.switchboard.address().resolve("/api/v1/events"))
                    .header("Authorization", "Bearer " + site.token())
                    .header("Accept", "text/event-stream")
                    .header("Last-Event-ID", String.valueOf(lastEvent))
                    .build();
            try {
                HttpResponse<Stream<String>> answer = http.send(request, BodyHandlers.ofLines());
                if (answer.statusCode() == 200) {
                    try (Stream<String> lines = answer.body()) {
                        lines.filter(line -> line.startsWith("data:")).forEach(line -> {
                            JsonNode event = JSON.readTree(line.substring("data:".length()));
                            record.add(event(event, true));
                            lastEvent = event.path("id").asLong();
                        });
                    }
                }
            } catch (IOException | RuntimeException broken) {
                // Again, from the last one seen.
            } catch (InterruptedException over) {
                return;
            }
            pause(50);
        }
    }

    private static Record.Event event(JsonNode event, boolean streamed) {
        String mdev = event.path("mdev").asString(null);
        boolean assignment = event.path("type").asString("").startsWith("mdev.");
        return new Record.Event(
                event.path("id").asLong(),
                streamed,
                event.path("type").asString(""),
                event.path("host").asString(""),
                mdev == null ? null : UUID.fromString(mdev),
                event.path("requestId").asString(""),
                assignment && event.has("before") ? Record.matrix(event.path("before")) : null,
                assignment && event.has("after") ? Record.matrix(event.path("after")) : null);
    }

    private volatile long newestListed;

    private void recordEnd(Site site, Record record) throws Exception {
        awaitApplied(site);
        for (int number = 0; number < MDEVS; number++) {
            Call last = call(site, record, number, Kind.READ, Matrix.EMPTY, "GET", "", null, null, null);
            if (last.assigned() != null) {
                JsonNode shown = get(site, "/api/v1/mdevs/" + mdev(number));
                record.add(new Record.End(
                        mdev(number),
                        host(number),
                        shown.path("version").asLong(),
                        Record.matrix(shown.path("assigned")),
                        Record.matrix(shown.path("guestMatrix")),
                        inKernel(number)));
            }
        }
        for (String host : HOSTS) {
            JsonNode shown = get(site, "/api/v1/hosts/" + host);
            record.add(new Record.HostEnd(
                    host,
                    shown.path("generation").asLong(),
                    shown.path("agent").path("appliedGeneration").asLong(-1),
                    get(site, "/api/v1/commits?state=pending&host=" + host)
                            .path("items")
                            .size()));
        }
        String next = "/api/v1/events?limit=1000";
        while (next != null) {
            JsonNode page = get(site, next);
            for (JsonNode event : page.path("items")) {
                record.add(event(event, false));
                newestListed = event.path("id").asLong();
            }
            String cursor = page.path("next").asString(null);
            next = cursor == null ? null : "/api/v1/events?limit=1000&cursor=" + cursor;
        }
    }

    /** Whether that is ever so, the verdict says. */
    private void awaitApplied(Site site) {
        try {
            await().atMost(Duration.ofSeconds(UNLOCKED ? 20 : 120))
                    .ignoreExceptions()
                    .until(() -> {
                        for (String host : HOSTS) {
                            JsonNode shown = get(site, "/api/v1/hosts/" + host);
                            if (shown.path("agent").path("appliedGeneration").asLong(-1)
                                            != shown.path("generation").asLong()
                                    || !get(site, "/api/v1/commits?state=pending&host=" + host)
                                            .path("items")
                                            .isEmpty()) {
                                return false;
                            }
                        }
                        return true;
                    });
        } catch (ConditionTimeoutException never) {
            // It goes on the record.
        }
    }

    private @Nullable Matrix inKernel(int number) {
        return Objects.requireNonNull(machines.get(host(number)).read().mdevs()).stream()
                .filter(mdev -> mdev.uuid().equals(mdev(number)))
                .findFirst()
                .map(ObservedHost.ObservedMdev::guestMatrix)
                .orElse(null);
    }

    private JsonNode get(Site site, String path) throws IOException, InterruptedException {
        HttpResponse<String> answer = send(site, "GET", path, null);
        assertThat(answer.statusCode()).as("%s: %s", path, answer.body()).isEqualTo(200);
        return JSON.readTree(answer.body());
    }
}
