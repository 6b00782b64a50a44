package io.apportion.endtoend;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.apportion.Apportion;
import io.apportion.agent.Agent;
import io.apportion.agent.AgentMemory;
import io.apportion.agent.AgentSettings;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/**
 * A server in a process of its own, on an H2 file, whose clients assign and unassign domains as fast as they get answers.
 * Every mdev has a running guest, so that each change plugs or unplugs. See {@code bench/README.md}.
 *
 * <p>At the end every mdev must be as its last acknowledged change left it.
 */
final class LoadRun {

    private static final int ADAPTERS = 16;
    private static final int DOMAINS_OF_MDEV = 4;
    private static final int MDEVS_OF_ADAPTER = 4;
    private static final String CHANGED = "/api/v1/mdevs/{uuid}/domains/{domain}";

    private final Settings settings;

    /** Lines of a table: the memory of each server. */
    private final List<String> resident = new ArrayList<>();

    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(10))
            .build();

    private LoadRun(Settings settings) {
        this.settings = settings;
    }

    /**
     * @param seconds measured, for each line of the table
     * @param warmUp seconds before them
     * @param clients each sends its next change when the one before is answered
     * @param hosts how many there are, their agents having reported and gone
     * @param connected as {@code hosts}, the agents staying; they run in the process of the clients
     * @param mdevs of each host; 0: 64 on a single host, otherwise 4
     * @param writers of one host, for what they cost another; 0: that is not measured
     * @param java options of the server's virtual machine
     * @param server options of the server: whatever starts with {@code --}
     */
    private record Settings(
            double seconds,
            double warmUp,
            int[] clients,
            int[] hosts,
            int[] connected,
            int mdevs,
            int writers,
            List<String> java,
            List<String> server) {

        static Settings of(String[] arguments) {
            RunArguments given = new RunArguments(
                    arguments,
                    Map.of(
                            "seconds",
                            "10",
                            "warm-up",
                            "5",
                            "clients",
                            "1,8,64",
                            "hosts",
                            "1,100",
                            "connected",
                            "1",
                            "mdevs",
                            "0",
                            "writers",
                            "64",
                            "java",
                            ""));
            return new Settings(
                    given.seconds("seconds"),
                    given.seconds("warm-up"),
                    given.numbers("clients"),
                    given.numbers("hosts"),
                    given.numbers("connected"),
                    given.number("mdevs"),
                    given.number("writers"),
                    given.texts("java"),
                    given.server());
        }

        int mdevsOfHost(int ofHosts) {
            return mdevs > 0 ? mdevs : ofHosts == 1 ? 64 : 4;
        }
    }

    public static void main(String[] arguments) throws Exception {
        ((Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME)).setLevel(Level.ERROR);
        LoadRun run = new LoadRun(Settings.of(arguments));
        run.print();
        System.exit(0); // whatever agents left behind
    }

    private void print() throws Exception {
        System.out.printf(
                Locale.ROOT,
                "%nJava %s, %d processors, load of the machine before the run %.1f; %s s measured after %s s.%n%n",
                Runtime.version(),
                Runtime.getRuntime().availableProcessors(),
                ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage(),
                settings.seconds(),
                settings.warmUp());
        System.out.println("""
            | hosts | mdevs of each | agents | clients | changes/s | p50 ms | p99 ms | CPU ms | busy | waiting | database | rest | statements | applied after ms |
            |---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\
            """);
        List<String> statements = new ArrayList<>();
        int checked = 0;
        for (int hosts : settings.hosts()) {
            checked += measure(hosts, false, statements);
        }
        for (int hosts : settings.connected()) {
            checked += measure(hosts, true, statements);
        }
        if (settings.writers() > 0) {
            checked += measureNeighbour();
        }
        System.out.printf("%n%d mdevs are as their last acknowledged changes left them.%n", checked);
        System.out.println("\n"
                + "| hosts | agents | server resident after its start, MB | after the load, MB |\n"
                + "|---:|---|---:|---:|");
        resident.forEach(System.out::println);
        if (!statements.isEmpty()) {
            System.out.println("\n| statements of one change | how often | µs in each |\n|---|---:|---:|");
            statements.forEach(System.out::println);
        }
    }

    private int measure(int hosts, boolean connected, List<String> statements) throws Exception {
        Path folder = Files.createTempDirectory("apportion-load-");
        List<Agent> agents = new ArrayList<>();
        List<String> options = new ArrayList<>(settings.server());
        options.add("--spring.datasource.driver-class-name=" + TimedDriver.class.getName());
        try (ServerProcess server =
                new ServerProcess(Apportion.class, settings.java(), folder, options.toArray(String[]::new))) {
            server.start();
            long started = server.residentMegabytes();
            List<Domain> domains = build(server, hosts, settings.mdevsOfHost(hosts), agents);
            if (!connected) {
                agents.forEach(Agent::close);
            }
            for (int clients : settings.clients()) {
                if (clients > domains.size()) {
                    throw new IllegalArgumentException(clients + " clients need as many mdevs, not " + domains.size());
                }
                Round round = round(server, domains, clients);
                System.out.println(line(hosts, connected, clients, round));
                if (!connected && statements.isEmpty()) {
                    addStatements(round, statements);
                }
            }
            resident.add("| %d | %s | %d | %d |"
                    .formatted(hosts, connected ? "connected" : "gone", started, server.residentMegabytes()));
            for (Domain domain : domains) {
                domain.check(server);
            }
            return domains.size();
        } finally {
            agents.forEach(Agent::close);
            delete(folder);
        }
    }

    /** What the writers of one host cost one client of another: alone and beside them in turns, three of each. */
    private int measureNeighbour() throws Exception {
        Path folder = Files.createTempDirectory("apportion-load-");
        List<Agent> agents = new ArrayList<>();
        try (ServerProcess server = new ServerProcess(
                        Apportion.class,
                        settings.java(),
                        folder,
                        settings.server().toArray(String[]::new));
                ExecutorService beside = Executors.newVirtualThreadPerTaskExecutor()) {
            server.start();
            List<Domain> domains = build(server, 2, 64, agents);
            agents.forEach(Agent::close);
            List<Domain> busy =
                    domains.stream().filter(domain -> domain.host() == 0).toList();
            List<Domain> quiet =
                    domains.stream().filter(domain -> domain.host() == 1).toList();
            round(server, domains, settings.writers());
            List<Round> alone = new ArrayList<>();
            List<Round> loaded = new ArrayList<>();
            for (int turn = 0; turn < 3; turn++) {
                alone.add(round(server, quiet, 1));
                Future<Round> writers = beside.submit(() -> round(server, busy, settings.writers()));
                loaded.add(round(server, quiet, 1));
                writers.get();
            }
            Round before = Round.together(alone);
            Round with = Round.together(loaded);
            System.out.printf(
                    Locale.ROOT,
                    "%nOne client of a host: p50 %.2f ms, p99 %.2f ms. Beside %d writers of another host: p50 %.2f ms,"
                            + " p99 %.2f ms, which is %.2f times as long.%n",
                    before.millis(0.5),
                    before.millis(0.99),
                    settings.writers(),
                    with.millis(0.5),
                    with.millis(0.99),
                    with.millis(0.99) / before.millis(0.99));
            for (Domain domain : domains) {
                domain.check(server);
            }
            return domains.size();
        } finally {
            agents.forEach(Agent::close);
            delete(folder);
        }
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    // ---- hosts, mdevs, guests

    private List<Domain> build(ServerProcess server, int hosts, int mdevs, List<Agent> agents) throws Exception {
        if (mdevs > ADAPTERS * MDEVS_OF_ADAPTER) {
            throw new IllegalArgumentException("a host has queues for 64 mdevs, not " + mdevs);
        }
        List<SimulatedHost> machines = new ArrayList<>();
        for (int host = 0; host < hosts; host++) {
            String name = "host" + host;
            need(server, "PUT", "/api/v1/hosts/" + name, "{}");
            String token = need(
                            server,
                            "POST",
                            "/api/v1/tokens",
                            "{\"name\":\"%s\",\"role\":\"agent\",\"host\":\"%s\"}".formatted(name, name))
                    .path("token")
                    .asString();
            SimulatedHost machine = SimulatedHost.builder()
                    .machineId(name)
                    .highest(ADAPTERS - 1, MDEVS_OF_ADAPTER * DOMAINS_OF_MDEV - 1)
                    .cards(IntStream.range(0, ADAPTERS).toArray())
                    .domains(IntStream.range(0, MDEVS_OF_ADAPTER * DOMAINS_OF_MDEV)
                            .toArray())
                    .allForGuests()
                    .build();
            machine.tellEverything(true);
            Agent agent = new Agent(
                    new AgentSettings(
                            name, server.address(), token, ObservedHost.Keep.NOTHING, AgentSettings.Timings.DEFAULT),
                    machine,
                    AgentMemory.ofThisProcess(),
                    new Random(host));
            agents.add(agent);
            machines.add(machine);
            agent.start();
        }
        List<Domain> domains = new ArrayList<>();
        for (int mdev = 0; mdev < mdevs; mdev++) {
            for (int host = 0; host < hosts; host++) {
                int adapter = mdev / MDEVS_OF_ADAPTER;
                int first = mdev % MDEVS_OF_ADAPTER * DOMAINS_OF_MDEV;
                UUID uuid = new UUID(host, mdev);
                need(
                        server,
                        "PUT",
                        "/api/v1/mdevs/" + uuid,
                        "{\"host\":\"host%d\",\"adapters\":[%d],\"domains\":[%d,%d,%d]}"
                                .formatted(host, adapter, first, first + 1, first + 2));
                domains.add(new Domain(uuid, first + DOMAINS_OF_MDEV - 1));
            }
        }
        await(
                "commits to be applied",
                () -> need(server, "GET", "/api/v1/commits?state=pending", null)
                        .path("items")
                        .isEmpty());
        for (int host = 0; host < hosts; host++) {
            for (int mdev = 0; mdev < mdevs; mdev++) {
                machines.get(host).openGuest("vm" + mdev, new UUID(host, mdev));
            }
        }
        int queues = domains.size() * (DOMAINS_OF_MDEV - 1);
        await(
                "guests to be reported",
                () -> ServerMetrics.read(server, http).sum("apportion_guest_queues", Map.of()) == queues);
        return domains;
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    private static void await(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + Duration.ofMinutes(5).toNanos();
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("waited 5 minutes for " + what);
            }
            LockSupport.parkNanos(Duration.ofMillis(100).toNanos());
        }
    }

    private static JsonNode need(ServerProcess server, String method, String path, @Nullable String body)
            throws IOException, InterruptedException {
        ServerProcess.Answer answer = server.call(method, path, body);
        if (answer.status() >= 300) {
            throw new IllegalStateException(method + " " + path + ": " + answer);
        }
        return answer.body();
    }

    /** The one domain of one mdev that comes and goes. Used by one client at a time. */
    private static final class Domain {

        final UUID mdev;
        final int number;
        boolean assigned;
        int acknowledged;

        Domain(UUID mdev, int number) {
            this.mdev = mdev;
            this.number = number;
        }

        long host() {
            return mdev.getMostSignificantBits();
        }

        void check(ServerProcess server) throws IOException, InterruptedException {
            JsonNode found = need(server, "GET", "/api/v1/mdevs/" + mdev, null);
            int domains = found.path("guestMatrix").path("domains").size();
            if (found.path("version").asInt() != 1 + acknowledged
                    || domains != (assigned ? DOMAINS_OF_MDEV : DOMAINS_OF_MDEV - 1)) {
                throw new IllegalStateException(
                        "after " + acknowledged + " acknowledged changes, domain assigned " + assigned + ": " + found);
            }
        }
    }

    // ---- one line of the table

    /** @param nanos of each acknowledged change, ascending */
    private record Round(long[] nanos, int busy, double seconds, ServerMetrics server) {

        static Round together(List<Round> rounds) {
            return new Round(
                    rounds.stream()
                            .flatMapToLong(round -> Arrays.stream(round.nanos))
                            .sorted()
                            .toArray(),
                    rounds.stream().mapToInt(Round::busy).sum(),
                    rounds.stream().mapToDouble(Round::seconds).sum(),
                    rounds.getLast().server());
        }

        double millis(double quantile) {
            return nanos.length == 0 ? Double.NaN : nanos[(int) (quantile * (nanos.length - 1))] / 1e6;
        }
    }

    private Round round(ServerProcess server, List<Domain> domains, int clients) throws Exception {
        long start = System.nanoTime();
        long from = start + (long) (settings.warmUp() * 1e9);
        long until = from + (long) (settings.seconds() * 1e9);
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        List<Client> all = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < clients; i++) {
            int which = i;
            List<Domain> own = IntStream.range(0, domains.size())
                    .filter(index -> index % clients == which)
                    .mapToObj(domains::get)
                    .toList();
            Client client = new Client(server, own, from, until);
            all.add(client);
            threads.add(Thread.ofVirtual().start(() -> {
                try {
                    client.run();
                } catch (Throwable wrong) {
                    failure.set(wrong);
                }
            }));
        }
        while (System.nanoTime() < from) {
            LockSupport.parkNanos(from - System.nanoTime());
        }
        ServerMetrics before = ServerMetrics.read(server, http);
        while (System.nanoTime() < until) {
            LockSupport.parkNanos(until - System.nanoTime());
        }
        ServerMetrics after = ServerMetrics.read(server, http);
        for (Thread thread : threads) {
            thread.join();
        }
        if (failure.get() != null) {
            throw new IllegalStateException(failure.get());
        }
        long[] nanos = all.stream()
                .flatMapToLong(client -> client.nanos.stream().mapToLong(Long::longValue))
                .sorted()
                .toArray();
        int busy = all.stream().mapToInt(client -> client.busy).sum();
        return new Round(nanos, busy, settings.seconds(), after.since(before));
    }

    /** Sends one change after the other, each for the next of its mdevs. */
    private final class Client {

        private final ServerProcess server;
        private final List<Domain> domains;
        private final long from;
        private final long until;
        final List<Long> nanos = new ArrayList<>();
        int busy;

        Client(ServerProcess server, List<Domain> domains, long from, long until) {
            this.server = server;
            this.domains = domains;
            this.from = from;
            this.until = until;
        }

        void run() throws IOException, InterruptedException {
            for (int next = 0; System.nanoTime() < until; next++) {
                Domain domain = domains.get(next % domains.size());
                HttpRequest request = HttpRequest.newBuilder(
                                server.address().resolve("/api/v1/mdevs/" + domain.mdev + "/domains/" + domain.number))
                        .header("Authorization", "Bearer " + server.token())
                        .method(domain.assigned ? "DELETE" : "PUT", HttpRequest.BodyPublishers.noBody())
                        .build();
                long sent = System.nanoTime();
                HttpResponse<String> answer = http.send(request, BodyHandlers.ofString());
                long answered = System.nanoTime();
                boolean measured = answered >= from && answered < until;
                if (answer.statusCode() == 200) {
                    domain.assigned = !domain.assigned;
                    domain.acknowledged++;
                    if (measured) {
                        nanos.add(answered - sent);
                    }
                } else if (answer.statusCode() == 503) {
                    busy += measured ? 1 : 0;
                } else {
                    throw new IllegalStateException(request + ": " + answer.statusCode() + " " + answer.body());
                }
            }
        }
    }

    /**
     * The server's time for a change, from its first filter to the answer, is the whole. {@code waiting} is from asking for
     * the matrix lock to having it; {@code database} all other calls of the driver. Where agents are connected, their
     * requests are in the same sums, and no shares are told.
     */
    private String line(int hosts, boolean connected, int clients, Round round) {
        ServerMetrics server = round.server();
        String shares = "– | – | – | –";
        if (!connected) {
            Map<String, String> changes = Map.of("uri", CHANGED);
            double whole = server.sum("http_server_requests_seconds_sum", changes);
            double waiting = server.sum("apportion_matrix_lock_wait_seconds_sum", Map.of());
            Map<String, Double> calls = server.by("database_calls_seconds_sum", Map.of("by", "request"), "statement");
            double database =
                    calls.values().stream().mapToDouble(Double::doubleValue).sum()
                            - calls.getOrDefault(TimedDriver.LOCKING, 0.0);
            double statements =
                    server.by("database_calls_seconds_count", Map.of("by", "request"), "statement").entrySet().stream()
                            .filter(entry -> isStatement(entry.getKey()))
                            .mapToDouble(Map.Entry::getValue)
                            .sum();
            shares = String.format(
                    Locale.ROOT,
                    "%.0f %% | %.0f %% | %.0f %% | %.1f",
                    100 * waiting / whole,
                    100 * database / whole,
                    100 * (whole - waiting - database) / whole,
                    statements / server.sum("http_server_requests_seconds_count", changes));
        }
        double applied = server.sum("apportion_commit_seconds_count", Map.of());
        return String.format(
                Locale.ROOT,
                "| %d | %d | %s | %d | %.0f | %.2f | %.2f | %.2f | %d | %s | %s |",
                hosts,
                settings.mdevsOfHost(hosts),
                connected ? "connected" : "away",
                clients,
                round.nanos().length / round.seconds(),
                round.millis(0.5),
                round.millis(0.99),
                server.sum("process_cpu_time_ns_total", Map.of()) / 1e6 / round.nanos().length,
                round.busy(),
                shares,
                applied == 0
                        ? "–"
                        : String.format(
                                Locale.ROOT,
                                "%.1f",
                                1000 * server.sum("apportion_commit_seconds_sum", Map.of()) / applied));
    }

    private static boolean isStatement(String call) {
        return !call.equals("prepare") && !call.equals("commit") && !call.equals("rollback");
    }

    private static void addStatements(Round round, List<String> lines) {
        double changes = round.server().sum("http_server_requests_seconds_count", Map.of("uri", CHANGED));
        Map<String, Double> seconds =
                round.server().by("database_calls_seconds_sum", Map.of("by", "request"), "statement");
        round.server().by("database_calls_seconds_count", Map.of("by", "request"), "statement").entrySet().stream()
                .filter(entry -> entry.getValue() > changes / 100)
                .sorted(Comparator.comparing(entry -> -seconds.get(entry.getKey())))
                .forEach(entry -> lines.add(String.format(
                        Locale.ROOT,
                        "| %s | %.2f | %.0f |",
                        entry.getKey(),
                        entry.getValue() / changes,
                        1e6 * seconds.get(entry.getKey()) / entry.getValue())));
    }
}
