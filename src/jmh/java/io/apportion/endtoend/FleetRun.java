package io.apportion.endtoend;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.apportion.Apportion;
import io.apportion.torture.Site;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Two replicas in processes of their own on one PostgreSQL, and a fleet of hosts whose agents, in another process, dial any
 * of them. The fleet grows, and at each size the same is measured. See {@code bench/README.md}.
 */
final class FleetRun implements AutoCloseable {

    private static final JsonMapper JSON = JsonMapper.shared();
    private static final int REPLICAS = 2;

    /** Of an mdev: 0, 1 and 2, and the one that comes and goes. */
    private static final int LAST_DOMAIN = 3;

    /** Calls of each kind that do not count. */
    private static final int WARM_UP = 20;

    /** In which dials are counted to find the most. */
    private static final long WINDOW = TimeUnit.MILLISECONDS.toNanos(100);

    private final Settings settings;
    private final Random random = new Random(1);
    private final Path folder = Files.createTempDirectory("apportion-fleet-");
    private final Site site;
    private final Process process;
    private final PrintStream toAgents;
    private final BlockingQueue<String> answers = new ArrayBlockingQueue<>(1);
    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(10))
            .build();

    /** By host, the replica from which its agent has its stream. */
    private final Map<String, Integer> streams = new ConcurrentHashMap<>();

    /** By host, when its agent had which generation. */
    private final Map<String, ConcurrentSkipListMap<Long, Long>> had = new ConcurrentHashMap<>();

    private final List<Told> told = new ArrayList<>();
    /** By their heads. */
    private final Map<String, List<String>> tables = new LinkedHashMap<>();

    private final Map<Integer, String> tokens = new ConcurrentHashMap<>();

    /** Whether the last domain is. */
    private final Map<UUID, Boolean> assigned = new ConcurrentHashMap<>();

    /** In nanoseconds, by what was done and by the number of hosts. */
    private final Map<String, NavigableMap<Integer, List<Long>>> times = new LinkedHashMap<>();

    private Memory memoryBefore = new Memory(0, 0, 0);
    private int hosts;

    /** What an agent did, and when. */
    private record Told(String what, String host, int replica, long at) {}

    /**
     * @param hosts how many there are in turn, ascending
     * @param mdevs of each host, at most 16, each with a running guest
     * @param clients that change, each waiting for the answer and the agent before its next change
     * @param changes of all clients
     * @param calls of each kind, one after the other
     * @param idle seconds in which nobody asks for anything
     * @param java options of the replicas' virtual machines
     * @param server options of the replicas: whatever starts with {@code --}
     */
    private record Settings(
            int[] hosts,
            int mdevs,
            int clients,
            int changes,
            int calls,
            int idle,
            List<String> java,
            List<String> server) {

        static Settings of(String[] arguments) {
            RunArguments given = new RunArguments(
                    arguments,
                    Map.of(
                            "hosts",
                            "10,100,1000",
                            "mdevs",
                            "16",
                            "clients",
                            "4",
                            "changes",
                            "400",
                            "calls",
                            "200",
                            "idle",
                            "20",
                            "java",
                            ""));
            return new Settings(
                    given.numbers("hosts"),
                    given.number("mdevs"),
                    given.number("clients"),
                    given.number("changes"),
                    given.number("calls"),
                    given.number("idle"),
                    given.texts("java"),
                    given.server());
        }
    }

    private FleetRun(Settings settings) throws IOException, InterruptedException {
        this.settings = settings;
        List<String> options = new ArrayList<>(settings.server());
        options.add("--spring.datasource.driver-class-name=" + TimedDriver.class.getName());
        site = new Site(folder, settings.java(), Apportion.class, REPLICAS, options.toArray(String[]::new));
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                FleetAgents.class.getName()));
        for (int replica = 0; replica < REPLICAS; replica++) {
            command.add(site.replica(replica).address().toString());
        }
        process = new ProcessBuilder(command)
                .redirectError(folder.resolve("agents.log").toFile())
                .start();
        toAgents = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
        Thread.ofVirtual().start(this::hear);
    }

    public static void main(String[] arguments) throws Exception {
        ((Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME)).setLevel(Level.ERROR);
        long start = System.nanoTime();
        try (FleetRun run = new FleetRun(Settings.of(arguments))) {
            run.run();
            run.print();
        }
        System.out.printf("%nThe whole took %d s.%n", (System.nanoTime() - start) / 1_000_000_000);
        System.exit(0);
    }

    @Override
    public void close() throws IOException {
        process.destroyForcibly();
        site.close();
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    private void run() throws Exception {
        System.out.printf(
                Locale.ROOT,
                "%nJava %s, %d processors, load of the machine before the run %.1f; %d mdevs on each host.%n",
                Runtime.version(),
                Runtime.getRuntime().availableProcessors(),
                ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage(),
                settings.mdevs());
        warmUp();
        addMemory(0);
        for (int size : settings.hosts()) {
            int before = streams.size();
            grow(size);
            addMemory(before);
            measureIdle();
        }
        measureStorm();
        // The same virtual machines at all sizes, and warm: from the largest on, and one of them was just started.
        for (int turn = 0; turn < 2; turn++) {
            measureChanges();
            measureCalls();
        }
        times.clear();
        for (int size : Arrays.stream(settings.hosts()).boxed().toList().reversed()) {
            shrink(size);
            measureChanges();
            measureCalls();
        }
    }

    /** What is loaded and compiled with the first calls is not what agents cost. */
    private void warmUp() throws Exception {
        makeHosts(0, settings.hosts()[0]);
        hosts = settings.hosts()[0];
        for (int call = 0; call < 200; call++) {
            need(call % REPLICAS, "GET", "/api/v1/mdevs?limit=10", null);
            need(call % REPLICAS, "PUT", lastDomain(mdev(call % hosts)) + "?dryRun=true", null);
            scrape(call % REPLICAS);
        }
    }

    private void print() {
        tables.forEach((head, lines) -> {
            System.out.println();
            System.out.println(head);
            System.out.println(
                    "|" + "---:|".repeat(head.length() - head.replace("|", "").length() - 1));
            lines.forEach(System.out::println);
        });
        printTimes();
    }

    private void printTimes() {
        String sizes =
                Arrays.stream(settings.hosts()).mapToObj(" %d |"::formatted).collect(Collectors.joining());
        int columns = 2 * settings.hosts().length + 1;
        System.out.printf("%n| p50 ms, then p99 ms, at hosts |%s%s p50 of the most over the fewest |%n", sizes, sizes);
        System.out.println("|---|" + "---:|".repeat(columns));
        times.forEach((what, bySize) -> {
            StringBuilder line = new StringBuilder("| " + what + " |");
            for (double quantile : new double[] {0.5, 0.99}) {
                bySize.values().forEach(nanos -> line.append(" %.1f |".formatted(milliseconds(nanos, quantile))));
            }
            double fewest = milliseconds(bySize.firstEntry().getValue(), 0.5);
            double most = milliseconds(bySize.lastEntry().getValue(), 0.5);
            System.out.println(line + " %.2f |".formatted(most / fewest));
        });
    }

    private void add(String head, String line) {
        tables.computeIfAbsent(head, begun -> new ArrayList<>()).add(line);
        System.out.println(line);
    }

    // ---- the agents' process

    private void hear() {
        try (BufferedReader in =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] words = line.split(" ");
                if (words[0].equals("ok")) {
                    answers.add(line);
                } else {
                    hear(words[0], words[1], Long.parseLong(words[2]), Long.parseLong(words[3]));
                }
            }
        } catch (IOException ended) {
            // So it has.
        }
    }

    private void hear(String what, String host, long number, long at) {
        if (what.equals("has")) {
            had.computeIfAbsent(host, first -> new ConcurrentSkipListMap<>()).put(number, at);
            return;
        }
        synchronized (told) {
            told.add(new Told(what, host, (int) number, at));
        }
        if (what.equals("open")) {
            streams.put(host, (int) number);
        } else if (what.equals("lost")) {
            streams.remove(host, (int) number);
        }
    }

    private String tell(String line) throws InterruptedException, IOException {
        toAgents.println(line);
        String answer = answers.poll(5, TimeUnit.MINUTES);
        if (answer == null) {
            throw new IllegalStateException(line + ": " + Files.readString(folder.resolve("agents.log")));
        }
        return answer;
    }

    private List<Told> toldSince(long begin) {
        synchronized (told) {
            return told.stream().filter(one -> one.at() >= begin).toList();
        }
    }

    // ---- calls

    private JsonNode need(int replica, String method, String path, @Nullable String body, String... headers)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(
                        site.replica(replica).address().resolve(path))
                .timeout(Duration.ofSeconds(60))
                .header("Authorization", "Bearer " + site.token())
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        if (body != null) {
            request.header("Content-Type", "application/json");
        }
        if (headers.length > 0) {
            request.headers(headers);
        }
        HttpResponse<String> answer = http.send(request.build(), BodyHandlers.ofString());
        if (answer.statusCode() >= 300) {
            throw new IllegalStateException(method + " " + path + ": " + answer.statusCode() + " " + answer.body());
        }
        return JSON.readTree(answer.body());
    }

    private ServerMetrics scrape(int replica) throws IOException, InterruptedException {
        return ServerMetrics.read(site.replica(replica).management(), site.token(), http);
    }

    private static String lastDomain(UUID mdev) {
        return "/api/v1/mdevs/" + mdev + "/domains/" + LAST_DOMAIN;
    }

    /** One of all, by a number below their count. */
    private UUID mdev(int which) {
        return FleetAgents.mdev(which % hosts, which / hosts);
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
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
    }

    private interface Work {
        void run(int which) throws Exception;
    }

    private static void forEach(int from, int until, int clients, Work work) throws Exception {
        List<Future<?>> all = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int client = 0; client < clients; client++) {
                int first = from + client;
                all.add(threads.submit(() -> {
                    for (int which = first; which < until; which += clients) {
                        work.run(which);
                    }
                    return null;
                }));
            }
        }
        for (Future<?> one : all) {
            one.get();
        }
    }

    // ---- hosts

    /** Their agents have not dialled yet, and will find everything wanted. */
    private void makeHosts(int from, int until) throws Exception {
        forEach(from, until, 16, host -> {
            int replica = host % REPLICAS;
            String name = FleetAgents.name(host);
            need(replica, "PUT", "/api/v1/hosts/" + name, "{}");
            tokens.put(
                    host,
                    need(
                                    replica,
                                    "POST",
                                    "/api/v1/tokens",
                                    "{\"name\":\"%s\",\"role\":\"agent\",\"host\":\"%s\"}".formatted(name, name))
                            .path("token")
                            .asString());
            for (int mdev = 0; mdev < settings.mdevs(); mdev++) {
                need(
                        replica,
                        "PUT",
                        "/api/v1/mdevs/" + FleetAgents.mdev(host, mdev),
                        "{\"host\":\"%s\",\"adapters\":[%d],\"domains\":[0,1,2]}".formatted(name, mdev));
            }
        });
    }

    private void grow(int size) throws Exception {
        long start = System.nanoTime();
        makeHosts(hosts, size);
        long made = System.nanoTime();
        hosts = size;
        for (int host = 0; host < size; host++) {
            String token = tokens.remove(host);
            if (token != null) {
                tell("start " + host + " " + token);
            }
        }
        await("streams to be open", () -> streams.size() == size);
        awaitNothingPending();
        tell("guests " + settings.mdevs());
        awaitGuests(size * settings.mdevs());
        vacuum();
        awaitQuiet();
        System.out.printf(
                "%n%d hosts, made in %d s, at rest after %d s more%n",
                size,
                TimeUnit.NANOSECONDS.toSeconds(made - start),
                TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - made));
    }

    /** Behind the replicas' backs: what deleting costs is not measured. */
    private void shrink(int size) throws Exception {
        if (size == hosts) {
            return;
        }
        hosts = size;
        tell("stop " + size);
        await("streams to be closed", () -> streams.size() == size);
        String gone = "'" + FleetAgents.name(size) + "'";
        try (Connection connection = site.connect();
                Statement statement = connection.createStatement()) {
            statement.execute("delete from mdevs using hosts where host_id = hosts.id and name >= " + gone);
            statement.execute("delete from hosts where name >= " + gone);
            statement.execute("delete from tokens where host >= " + gone);
        }
        vacuum();
        awaitQuiet();
        System.out.printf("%n%d hosts left%n", size);
    }

    private void awaitNothingPending() throws Exception {
        await("commits to be applied", () -> count("commit_objects where state = 'pending'") == 0);
    }

    private void awaitGuests(int guests) throws Exception {
        await("guests to be reported", () -> count("mdevs where guest_identity is not null") == guests);
    }

    /** What the guests changed has been pushed and reported too. */
    private void awaitQuiet() throws Exception {
        await("agents to have nothing to tell", () -> {
            long lately = System.nanoTime() - TimeUnit.SECONDS.toNanos(5);
            return count("hosts where reported_at > now() - interval '5 s'") == 0
                    && toldSince(lately).isEmpty();
        });
    }

    private long count(String what) throws SQLException {
        return ask("select count(*) from " + what);
    }

    private long ask(String question) throws SQLException {
        try (Connection connection = site.connect();
                Statement statement = connection.createStatement();
                ResultSet answer = statement.executeQuery(question)) {
            answer.next();
            return answer.getLong(1);
        }
    }

    /** As PostgreSQL itself would a minute later, in the middle of what is measured. */
    private void vacuum() throws SQLException {
        try (Connection connection = site.connect();
                Statement statement = connection.createStatement()) {
            statement.execute("vacuum analyze");
        }
    }

    // ---- memory

    /** Of all replicas together, after a collection. */
    private record Memory(double heap, double resident, double threads) {}

    private Memory memory() throws Exception {
        double heap = 0;
        double resident = 0;
        double threads = 0;
        for (int replica = 0; replica < REPLICAS; replica++) {
            long pid = site.replica(replica).pid();
            new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "jcmd")
                                    .toString(),
                            String.valueOf(pid),
                            "GC.run")
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start()
                    .waitFor();
            ServerMetrics now = scrape(replica);
            heap += now.sum("jvm_memory_used_bytes", Map.of("area", "heap"));
            resident += Files.readAllLines(Path.of("/proc", String.valueOf(pid), "status")).stream()
                            .filter(line -> line.startsWith("VmRSS:"))
                            .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                            .sum()
                    * 1024.0;
            threads += now.sum("jvm_threads_live_threads", Map.of());
        }
        return new Memory(heap, resident, threads);
    }

    /** @param before how many agents were connected when it was measured last */
    private void addMemory(int before) throws Exception {
        Memory now = memory();
        int agents = streams.size();
        add(
                "| agents | heap MB | resident MB | threads | heap of each further agent KB | resident of each further"
                        + " agent KB |",
                String.format(
                        Locale.ROOT,
                        "| %d | %.1f | %.0f | %.0f | %s | %s |",
                        agents,
                        now.heap() / 1e6,
                        now.resident() / 1e6,
                        now.threads(),
                        agents == 0
                                ? "–"
                                : "%.0f".formatted((now.heap() - memoryBefore.heap()) / 1e3 / (agents - before)),
                        agents == 0
                                ? "–"
                                : "%.0f"
                                        .formatted(
                                                (now.resident() - memoryBefore.resident()) / 1e3 / (agents - before))));
        memoryBefore = now;
    }

    // ---- an idle fleet

    /** Seconds of processor since its start; of a process that is no more, what its parent was told. */
    private static double processor(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc", String.valueOf(pid), "stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        long ticks = Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
        return ticks / 100.0;
    }

    private double processorOfDatabase() throws IOException {
        long pid = site.databasePid();
        String stat = Files.readString(Path.of("/proc", String.valueOf(pid), "stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        double all = processor(pid) + (Long.parseLong(fields[13]) + Long.parseLong(fields[14])) / 100.0;
        for (ProcessHandle child :
                ProcessHandle.of(pid).orElseThrow().children().toList()) {
            try {
                all += processor(child.pid());
            } catch (IOException ended) {
                // Its parent has it.
            }
        }
        return all;
    }

    private void measureIdle() throws Exception {
        awaitQuiet();
        List<ServerMetrics> before = List.of(scrape(0), scrape(1));
        double[] processor = {
            processor(site.replica(0).pid()),
            processor(site.replica(1).pid()),
            processorOfDatabase(),
            processor(process.pid())
        };
        String[] bytes = tell("bytes").split(" ");
        long log = ask("select pg_current_wal_insert_lsn() - '0/0'");
        long start = System.nanoTime();
        LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(settings.idle()));
        double seconds = (System.nanoTime() - start) / 1e9;
        double[] spent = {
            processor(site.replica(0).pid()),
            processor(site.replica(1).pid()),
            processorOfDatabase(),
            processor(process.pid())
        };
        long dials = toldSince(start).stream()
                .filter(one -> one.what().equals("dial"))
                .count();
        long logged = ask("select pg_current_wal_insert_lsn() - '0/0'") - log;
        String[] bytesAfter = tell("bytes").split(" ");
        double requests = 0;
        Map<String, Double> statements = new TreeMap<>();
        for (int replica = 0; replica < REPLICAS; replica++) {
            ServerMetrics during = scrape(replica).since(before.get(replica));
            requests +=
                    during.sum("http_server_requests_seconds_count", Map.of("uri", "/agent/v1/hosts/{host}/heartbeat"));
            for (String by : List.of("request", "round")) {
                during.by("database_calls_seconds_count", Map.of("by", by), "statement")
                        .forEach((statement, count) -> {
                            if (!statement.equals("prepare")
                                    && !statement.equals("commit")
                                    && !statement.equals("rollback")) {
                                statements.merge(by + ": " + statement, count, Double::sum);
                            }
                        });
            }
        }
        double ofRequests = sum(statements, "request");
        double ofRounds = sum(statements, "round");
        add(
                "| agents | CPU of each replica % | CPU of PostgreSQL % | heartbeats/s | statements/s of heartbeats |"
                        + " statements/s of rounds | from agents B/s | to agents B/s | log of PostgreSQL B/s | CPU of"
                        + " agents % | dials |",
                String.format(
                        Locale.ROOT,
                        "| %d | %.1f | %.1f | %.1f | %.1f | %.1f | %.0f | %.0f | %.0f | %.1f | %d |",
                        hosts,
                        100 * (spent[0] + spent[1] - processor[0] - processor[1]) / REPLICAS / seconds,
                        100 * (spent[2] - processor[2]) / seconds,
                        requests / seconds,
                        ofRequests / seconds,
                        ofRounds / seconds,
                        (Long.parseLong(bytesAfter[1]) - Long.parseLong(bytes[1])) / seconds,
                        (Long.parseLong(bytesAfter[2]) - Long.parseLong(bytes[2])) / seconds,
                        logged / seconds,
                        100 * (spent[3] - processor[3]) / seconds,
                        dials));
        if (hosts == settings.hosts()[settings.hosts().length - 1]) {
            statements.forEach((statement, count) -> {
                if (count / seconds >= 0.05) {
                    add(
                            "| statements of an idle fleet | in a second |",
                            String.format(Locale.ROOT, "| %s | %.1f |", statement, count / seconds));
                }
            });
        }
    }

    private static double sum(Map<String, Double> statements, String by) {
        return statements.entrySet().stream()
                .filter(entry -> entry.getKey().startsWith(by + ":"))
                .mapToDouble(Map.Entry::getValue)
                .sum();
    }

    // ---- changes

    private static double milliseconds(List<Long> nanos, double quantile) {
        return 1e3 * quantile(nanos.stream().mapToLong(Long::longValue).sorted().toArray(), quantile);
    }

    private void add(String what, List<Long> nanos) {
        times.computeIfAbsent(what, first -> new TreeMap<>()).put(hosts, nanos);
        System.out.printf(
                Locale.ROOT,
                "%s: p50 %.1f ms, p99 %.1f ms%n",
                what,
                milliseconds(nanos, 0.5),
                milliseconds(nanos, 0.99));
    }

    private static <T> List<T> synchronizedList() {
        return Collections.synchronizedList(new ArrayList<>());
    }

    private JsonNode toggle(int replica, UUID mdev, String... headers) throws IOException, InterruptedException {
        boolean isAssigned = assigned.getOrDefault(mdev, false);
        JsonNode answer = need(replica, isAssigned ? "DELETE" : "PUT", lastDomain(mdev), null, headers);
        assigned.put(mdev, !isAssigned);
        return answer;
    }

    private void measureChanges() throws Exception {
        List<Long> answered = synchronizedList();
        List<Long> reachedHere = synchronizedList();
        List<Long> reachedElsewhere = synchronizedList();
        List<Long> applied = synchronizedList();
        int[] order =
                random.ints(2 * settings.changes(), 0, hosts * settings.mdevs()).toArray();
        int[] replicas = random.ints(2 * settings.changes(), 0, REPLICAS).toArray();
        forEach(0, 2 * settings.changes(), settings.clients(), turn -> {
            boolean waits = turn >= settings.changes();
            UUID mdev = mdev(order[turn]);
            String host = FleetAgents.name(order[turn] % hosts);
            Integer connected = streams.get(host);
            long sent = System.nanoTime();
            JsonNode answer = toggle(replicas[turn], mdev, waits ? new String[] {"Prefer", "wait=30"} : new String[0]);
            long answeredAt = System.nanoTime();
            if (waits) {
                if (answer.path("commit").path("state").asString("").equals("applied")) {
                    applied.add(answeredAt - sent);
                }
                return;
            }
            answered.add(answeredAt - sent);
            long generation = answer.path("commit").path("generation").asLong(Long.MAX_VALUE);
            ConcurrentSkipListMap<Long, Long> ofHost = Objects.requireNonNull(had.get(host));
            await(host + " to have generation " + generation, () -> ofHost.ceilingEntry(generation) != null);
            long reached = ofHost.ceilingEntry(generation).getValue() - sent;
            (connected != null && connected == replicas[turn] ? reachedHere : reachedElsewhere).add(reached);
        });
        List<Long> reached = new ArrayList<>(reachedHere);
        reached.addAll(reachedElsewhere);
        add("a change answered", answered);
        add("at the agent", reached);
        add("at the agent, which the same replica serves", reachedHere);
        add("at the agent, which the other replica serves", reachedElsewhere);
        add("applied, with `Prefer: wait`", applied);
    }

    // ---- calls that must not get slower

    private void measureCalls() throws Exception {
        int[] order = random.ints(settings.calls() + WARM_UP, 0, hosts * settings.mdevs())
                .toArray();
        for (String list : List.of(
                "/hosts?limit=10",
                "/mdevs?limit=10",
                "/mdevs?limit=100",
                "/mdevs?adapter=5&limit=10",
                "/mdevs?host=%s&limit=16",
                "/hosts/%s",
                "/commits?host=%s&limit=10",
                "/events?host=%s&limit=10",
                "/events?limit=100")) {
            time(
                    "GET " + list.replace("%s", "…"),
                    call -> need(
                            call % REPLICAS,
                            "GET",
                            "/api/v1" + list.replace("%s", FleetAgents.name(order[call] % hosts)),
                            null));
        }
        time(
                "PUT …/domains/3?dryRun=true",
                call -> need(call % REPLICAS, "PUT", lastDomain(mdev(order[call])) + "?dryRun=true", null));
        time("PUT or DELETE …/domains/3", call -> toggle(call % REPLICAS, mdev(order[call])));
        time("GET /actuator/prometheus", call -> scrape(call % REPLICAS));
    }

    private void time(String what, Work work) throws Exception {
        List<Long> nanos = new ArrayList<>();
        for (int call = 0; call < WARM_UP + settings.calls(); call++) {
            long sent = System.nanoTime();
            work.run(call);
            if (call >= WARM_UP) {
                nanos.add(System.nanoTime() - sent);
            }
        }
        add(what, nanos);
    }

    // ---- a replica dies

    private void measureStorm() throws Exception {
        awaitNothingPending();
        long atFirst = streams.values().stream().filter(replica -> replica == 0).count();
        double[] processor = {processor(site.replica(1).pid()), processorOfDatabase()};
        long start = System.nanoTime();
        site.replica(0).kill();
        await(
                "agents to lose their streams",
                () -> toldSince(start).stream()
                                .filter(one -> one.what().equals("lost"))
                                .count()
                        >= atFirst);
        await("all agents to be back", () -> streams.size() == hosts);
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(500));
        double[] spent = {processor(site.replica(1).pid()) - processor[0], processorOfDatabase() - processor[1]};
        List<Told> since = toldSince(start);
        long[] back = since.stream()
                .filter(one -> one.what().equals("open"))
                .mapToLong(one -> one.at() - start)
                .sorted()
                .toArray();
        long[] dials = since.stream()
                .filter(one -> one.what().equals("dial"))
                .mapToLong(one -> one.at() - start)
                .sorted()
                .toArray();
        site.replica(0).start();
        LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(5));
        add(
                "| agents | lost their stream | back: first s | p50 | p99 | last | dials | most in 100 ms | spread"
                    + " evenly | CPU of the other replica s | of PostgreSQL s | streams of the one that came back |",
                String.format(
                        Locale.ROOT,
                        "| %d | %d | %.2f | %.2f | %.2f | %.2f | %d | %d | %.1f | %.2f | %.2f | %d |",
                        hosts,
                        atFirst,
                        quantile(back, 0),
                        quantile(back, 0.5),
                        quantile(back, 0.99),
                        quantile(back, 1),
                        dials.length,
                        most(dials),
                        dials.length / Math.max(1, quantile(back, 1) * 1e9 / WINDOW),
                        spent[0],
                        spent[1],
                        streams.values().stream()
                                .filter(replica -> replica == 0)
                                .count()));
    }

    /** In seconds. */
    private static double quantile(long[] sorted, double quantile) {
        return sorted.length == 0 ? Double.NaN : sorted[(int) (quantile * (sorted.length - 1))] / 1e9;
    }

    private static long most(long[] dials) {
        return LongStream.of(dials)
                .map(first -> LongStream.of(dials)
                        .filter(dial -> dial >= first && dial < first + WINDOW)
                        .count())
                .max()
                .orElse(0);
    }
}
