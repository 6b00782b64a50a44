package io.apportion.server.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import io.apportion.agent.Agent;
import io.apportion.agent.AgentMemory;
import io.apportion.agent.AgentSettings;
import io.apportion.agent.AgentSettings.Timings;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Policy;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.server.FullServer;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.server.matrix.MatrixService.Mode;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;
import org.yaml.snakeyaml.Yaml;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What whoever watches the server is given, held to the metrics of one run: all is well, and then one thing after the other
 * is not.
 */
@FullServer
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MonitoringTests {

    private static final Mode PLAINLY = new Mode(Preconditions.NONE, false, false, new Caller("test", true, "r1"));
    private static final Timings QUICK = new Timings(
            Duration.ofSeconds(1),
            Duration.ofSeconds(30),
            Duration.ofMillis(200),
            Duration.ofMillis(1),
            Duration.ofMillis(100),
            Duration.ofSeconds(1),
            Duration.ofSeconds(1));

    /** In the order of their coming; none of them goes away again. */
    private enum State {
        WELL,
        CARD_BROKEN,
        QUEUE_LOST,
        CHANGED_BY_HAND,
        COMMIT_FAILED,
        LOCK_HELD,
        AGENT_GONE,
        HOST_PAUSED,
        DATABASE_AWAY
    }

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
    JdbcTemplate jdbc;

    @Autowired
    DatabaseWatch watch;

    @Autowired
    HikariDataSource pool;

    @Autowired
    PlatformTransactionManager transactions;

    private final HttpClient client = HttpClient.newHttpClient();
    private final Map<String, Agent> agents = new TreeMap<>();
    private final Map<State, Scrape> run = new EnumMap<>(State.class);
    private String viewer = "";

    // ---- the run

    @BeforeAll
    void run() throws Exception {
        viewer = tokens.issue("prometheus", Role.VIEWER, null, null, "test", false)
                .secret();
        // Nobody has installed its agent yet.
        createHostOverHttp("watched3");
        SimulatedHost first = startHost("watched1");
        SimulatedHost second = startHost("watched2");
        createMdev("watched1", first, "vm1");
        createMdev("watched2", second, "vm2");
        // Its pauses are measured once there was one.
        System.gc();
        scrape(State.WELL);

        second.breakCard(4);
        scrape(State.CARD_BROKEN, "apportion_guest_queues_impaired", "watched2");

        first.unbind(new Queue(5, 4));
        scrape(State.QUEUE_LOST, "apportion_guest_queues_lost", "watched1");

        UUID idle = UUID.randomUUID();
        createMdev("watched1", idle, matrix(List.of(6), List.of(4)));
        first.edit(idle, Matrix.EMPTY);
        scrape(State.CHANGED_BY_HAND, "apportion_mdevs_drifted", "watched1");

        // The host has no such queue.
        service.setDriver("watched2", new Queue(4, 0x53), QueueDriver.NONE, PLAINLY);
        scrape(State.COMMIT_FAILED, "apportion_commits_failed", "watched2");

        holdLock(Duration.ofMillis(1500));
        scrape(State.LOCK_HELD);

        stopAgent("watched2");
        jdbc.update(
                "update agents set last_seen = ? where host_id = (select id from hosts where name = 'watched2')",
                Timestamp.from(Instant.now().minus(Duration.ofMinutes(2))));
        scrape(State.AGENT_GONE, "apportion_agent_last_seen_seconds", "watched2", 60);

        service.putHost("watched2", new HostSettings(null, null, null, Policy.PAUSED, null), PLAINLY);
        scrape(State.HOST_PAUSED);

        List<Connection> all = new ArrayList<>();
        try {
            for (int i = 0; i < pool.getMaximumPoolSize(); i++) {
                all.add(pool.getConnection());
            }
            // What was read a moment ago is told for a moment.
            await().atMost(Duration.ofMinutes(1)).until(() -> {
                Scrape scrape = read();
                run.put(State.DATABASE_AWAY, scrape);
                return value(scrape, "apportion_mdevs", "watched1") == 0;
            });
            // It is there, and whoever took this replica away for it would take away all.
            DatabaseHealthIndicator readiness = new DatabaseHealthIndicator(jdbc, watch);
            await().atMost(Duration.ofMinutes(1))
                    .until(() -> readiness.health().getStatus().equals(Status.UP));
        } finally {
            for (Connection connection : all) {
                connection.close();
            }
        }
    }

    @AfterAll
    void end() {
        List.copyOf(agents.keySet()).forEach(this::stopAgent);
        client.close();
    }

    private void createHostOverHttp(String host) throws IOException, InterruptedException {
        String admin =
                tokens.issue("admin", Role.ADMIN, null, null, "test", false).secret();
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://localhost:" + port + "/api/v1/hosts/" + host))
                .header("Authorization", "Bearer " + admin)
                .header("Content-Type", "application/json")
                .PUT(BodyPublishers.ofString("{}"))
                .build();
        assertThat(client.send(request, BodyHandlers.ofString()).statusCode()).isEqualTo(201);
    }

    private SimulatedHost startHost(String host) {
        service.putHost(host, new HostSettings(null, null, null, Policy.REPORT, null), PLAINLY);
        SimulatedHost simulated = SimulatedHost.builder()
                .highest(0x3f, 0xff)
                .cards(4, 5, 6)
                .domains(4, 0x47)
                .allForGuests()
                .build();
        simulated.tellEverything(true);
        String token = tokens.issue(host, Role.AGENT, host, null, "test", false).secret();
        AgentSettings settings = new AgentSettings(
                host, URI.create("http://localhost:" + port), token, ObservedHost.Keep.NOTHING, QUICK);
        Agent agent = new Agent(settings, simulated, AgentMemory.ofThisProcess(), new Random(1));
        agents.put(host, agent);
        agent.start();
        await().until(() -> queries.host(host).matrix().inventory().reported());
        return simulated;
    }

    private void stopAgent(String host) {
        agents.remove(host).close();
    }

    private static Matrix matrix(List<Integer> adapters, List<Integer> domains) {
        return new Matrix(ApMask.of(adapters), ApMask.of(domains), ApMask.NONE);
    }

    private void createMdev(String host, SimulatedHost simulated, String guest) throws Exception {
        UUID mdev = UUID.randomUUID();
        createMdev(host, mdev, matrix(List.of(4, 5), List.of(4, 0x47)));
        simulated.openGuest(guest, mdev);
        await().until(() -> queries.host(host).matrix().mdevs().get(mdev).guest() != null);
    }

    private void createMdev(String host, UUID mdev, Matrix assigned) {
        service.createMdev(mdev, new MdevSettings(host, null, assigned), PLAINLY);
        await().until(() -> value(read(), "apportion_commits_pending", host) == 0);
    }

    /** Several wait so long for the first host's lock. */
    private void holdLock(Duration time) throws InterruptedException {
        List<Thread> asking = IntStream.range(0, 8)
                .mapToObj(i -> new Thread(
                        () -> service.putHost("watched1", new HostSettings(null, null, null, null, null), PLAINLY)))
                .toList();
        new TransactionTemplate(transactions).executeWithoutResult(locked -> {
            jdbc.queryForList("select id from hosts where name = 'watched1' for update");
            asking.forEach(Thread::start);
            await().until(() -> asking.stream()
                            .filter(thread -> thread.getState() == Thread.State.TIMED_WAITING)
                            .count()
                    >= asking.size() - 1);
            long allWait = System.nanoTime();
            await().until(() -> System.nanoTime() - allWait > time.toNanos());
        });
        for (Thread thread : asking) {
            thread.join();
        }
    }

    private void scrape(State state, String metric, String host) throws SQLException {
        scrape(state, metric, host, 0);
    }

    private void scrape(State state, String metric, String host, double moreThan) throws SQLException {
        await().until(() -> value(read(), metric, host) > moreThan);
        scrape(state);
    }

    private void scrape(State state) {
        // Elsewhere each ten seconds.
        reports.heard(agents.keySet());
        run.put(state, read());
    }

    /** Without what the hosts of other tests of this server have left. */
    private Scrape read() {
        try {
            HttpResponse<String> response = client.send(
                    HttpRequest.newBuilder(URI.create("http://localhost:" + port + "/actuator/prometheus"))
                            .header("Authorization", "Bearer " + viewer)
                            .build(),
                    BodyHandlers.ofString());
            assertThat(response.statusCode()).isEqualTo(200);
            return Scrape.of(response.body())
                    .only(sample ->
                            sample.labels().getOrDefault("host", "watched").startsWith("watched"));
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static double value(Scrape scrape, String metric, String host) {
        return scrape.samples().stream()
                .filter(sample -> sample.name().equals(metric)
                        && host.equals(sample.labels().get("host")))
                .mapToDouble(Scrape.Sample::value)
                .sum();
    }

    // ---- what is documented

    private static final Pattern ROW = Pattern.compile("\\| `(\\w+)`( †)? \\| (\\w+) \\| ([^|]*)\\|[^|]*\\|");

    @Test
    void everyMetricIsDocumentedAndNoOther() throws IOException {
        Map<String, String> documented = new TreeMap<>();
        Set<String> notAlways = new HashSet<>();
        for (String line : Files.readAllLines(Path.of("docs/metrics.md"))) {
            Matcher row = ROW.matcher(line);
            if (row.matches()) {
                String type = row.group(3).equals("timer") ? "histogram" : row.group(3);
                documented.put(
                        row.group(1),
                        type + " "
                                + Arrays.stream(row.group(4).strip().split(", "))
                                        .sorted()
                                        .collect(Collectors.joining(", ")));
                if (row.group(2) != null) {
                    notAlways.add(row.group(1));
                }
            }
        }
        Map<String, String> there = new TreeMap<>();
        run.values()
                .forEach(scrape -> scrape.metrics().forEach((name, is) -> {
                    // The greatest of a timer is documented with it.
                    if (!scrape.isGreatest(name)) {
                        there.put(name, is);
                    }
                }));
        notAlways.removeAll(there.keySet());
        documented.keySet().removeAll(notAlways);
        assertThat(documented).isEqualTo(there);
    }

    // ---- alerts

    private static final Path ALERTS = Path.of("helm/apportion/alerts/apportion.yaml");

    /** @param labels beside its name and severity */
    private record Fires(String alert, State since, List<Map<String, String>> labels, String value) {

        static Fires of(String alert, State since, String host, String value) {
            return new Fires(alert, since, List.of(Map.of("host", host)), value);
        }
    }

    /** Of two replicas, each of which tells the same of hosts: what is wrong with one of these is told once. */
    private static final List<String> REPLICAS = List.of("a:8081", "b:8081");

    private static final List<Fires> ALL = List.of(
            Fires.of("ApportionGuestQueuesImpaired", State.CARD_BROKEN, "watched2", "2"),
            Fires.of("ApportionGuestLostQueues", State.QUEUE_LOST, "watched1", "2"),
            Fires.of("ApportionDriftNotRepaired", State.CHANGED_BY_HAND, "watched1", "1"),
            Fires.of("ApportionCommitFailing", State.COMMIT_FAILED, "watched2", "1"),
            new Fires("ApportionLockWaitHigh", State.LOCK_HELD, List.of(Map.of()), ""),
            Fires.of("ApportionAgentAway", State.AGENT_GONE, "watched2", "0"),
            new Fires(
                    "ApportionDatabaseAway",
                    State.DATABASE_AWAY,
                    REPLICAS.stream()
                            .map(instance -> Map.of("job", "apportion", "instance", instance))
                            .toList(),
                    "0"));

    @Test
    void alertsAreUnderstoodByPrometheus() {
        promtool("check", "rules", ALERTS.toString());
    }

    @Test
    void eachAlertFiresWhileItIsSoAndNotBefore(@TempDir Path folder) throws IOException {
        Map<String, Map<String, Object>> rules = rules();
        List<Object> tests = new ArrayList<>();
        for (Fires fires : ALL) {
            Map<String, Object> rule = rules.remove(fires.alert());
            assertThat(rule).as(fires.alert()).isNotNull();
            Scrape during = run.get(fires.since());
            tests.add(
                    unitTest(run.get(before(fires.since())), during, fires.alert(), List.of(), expected(rule, fires)));
        }
        Scrape nothing = new Scrape(Map.of(), List.of());
        Map<String, Object> notScraped = rules.remove("ApportionNotScraped");
        Fires silence = new Fires("ApportionNotScraped", State.WELL, List.of(Map.of()), "1");
        tests.add(unitTest(
                run.get(State.WELL), nothing, "ApportionNotScraped", List.of(), expected(notScraped, silence)));
        assertThat(rules).as("alerts of which no run shows that they fire").isEmpty();
        test(folder, tests);
    }

    @Test
    void nobodyIsToldOfTheAgentOfAPausedHost(@TempDir Path folder) throws IOException {
        Fires away = Fires.of("ApportionAgentAway", State.AGENT_GONE, "watched2", "0");
        test(
                folder,
                List.of(unitTest(
                        run.get(State.AGENT_GONE),
                        run.get(State.HOST_PAUSED),
                        away.alert(),
                        expected(rules().get(away.alert()), away),
                        List.of())));
    }

    @Test
    void eachAlertHasItsPlaceInTheRunbook() throws IOException {
        List<String> headings = Files.readAllLines(Path.of("docs/runbook.md")).stream()
                .filter(line -> line.startsWith("## Apportion"))
                .map(line -> line.substring(3))
                .toList();
        assertThat(headings).containsExactlyInAnyOrderElementsOf(rules().keySet());
        rules().forEach((name, rule) -> {
            assertThat(texts(rule, "annotations"))
                    .containsOnlyKeys("summary", "description", "runbook_url")
                    .containsEntry("runbook_url", "docs/runbook.md#" + name.toLowerCase(Locale.ROOT));
            assertThat(texts(rule, "labels").get("severity")).isIn("critical", "warning");
        });
    }

    private static State before(State state) {
        return State.values()[state.ordinal() - 1];
    }

    private static Map<String, Map<String, Object>> rules() throws IOException {
        Map<String, Map<String, Object>> rules = new LinkedHashMap<>();
        Map<String, List<Map<String, List<Map<String, Object>>>>> file = new Yaml().load(Files.readString(ALERTS));
        file.get("groups")
                .forEach(group -> group.get("rules").forEach(rule -> rules.put((String) rule.get("alert"), rule)));
        return rules;
    }

    @SuppressWarnings("unchecked")
    private static Map<String, String> texts(Map<String, Object> rule, String key) {
        return (Map<String, String>) rule.get(key);
    }

    private static List<Map<String, Object>> expected(Map<String, Object> rule, Fires fires) {
        return fires.labels().stream()
                .map(labels -> {
                    Map<String, String> annotations = new TreeMap<>();
                    texts(rule, "annotations").forEach((name, text) -> {
                        String filled = text.replace("{{ $value }}", fires.value());
                        for (Map.Entry<String, String> label : labels.entrySet()) {
                            filled = filled.replace("{{ $labels." + label.getKey() + " }}", label.getValue());
                        }
                        annotations.put(name, filled);
                    });
                    Map<String, String> all = new TreeMap<>(labels);
                    all.putAll(texts(rule, "labels"));
                    return Map.<String, Object>of("exp_labels", all, "exp_annotations", annotations);
                })
                .toList();
    }

    // ---- dashboards

    private static final Path DASHBOARDS = Path.of("helm/apportion/dashboards");

    private static final Pattern NAME = Pattern.compile(
            "\\b(?:apportion|application|disk|executor|hikaricp|http|jdbc|jvm|logback|process|system)_\\w+");
    private static final Pattern SELECTOR = Pattern.compile("(\\w+)\\{([^}]*)}");
    private static final Pattern MATCHED = Pattern.compile("(\\w+)\\s*(?:=~|!~|!=|=)");
    private static final Pattern ONCE = Pattern.compile("max by \\(host[^)]*\\) \\((?:increase\\()?$");
    private static final Pattern VALUES = Pattern.compile("label_values\\((\\w+), (\\w+)\\)");

    private static Map<String, JsonNode> dashboards() throws IOException {
        try (Stream<Path> files = Files.list(DASHBOARDS)) {
            return files.collect(Collectors.toMap(
                    file -> file.getFileName().toString(),
                    file -> JsonMapper.shared().readTree(file),
                    (a, b) -> a,
                    TreeMap::new));
        }
    }

    /** What is asked for, with where. */
    private static Map<String, String> expressions() throws IOException {
        Map<String, String> expressions = new LinkedHashMap<>();
        dashboards().forEach((file, board) -> {
            for (JsonNode panel : board.path("panels")) {
                for (JsonNode target : panel.path("targets")) {
                    expressions.put(
                            file + ", " + panel.path("title").asString() + ", "
                                    + target.path("refId").asString(),
                            target.path("expr").asString());
                }
            }
            for (JsonNode variable : board.path("templating").path("list")) {
                Matcher values = VALUES.matcher(variable.path("definition").asString(""));
                if (values.matches()) {
                    expressions.put(
                            file + ", $" + variable.path("name").asString(),
                            "max by (" + values.group(2) + ") (" + values.group(1) + ")");
                }
            }
        });
        return expressions;
    }

    @Test
    void eachPanelShowsSomething(@TempDir Path folder) throws IOException {
        Map<String, String> expressions = expressions();
        assertThat(expressions).hasSizeGreaterThan(50);
        List<Object> shown = expressions.values().stream()
                .<Object>map(expression -> Map.of(
                        "expr",
                        "count("
                                + expression
                                        .replace("$__rate_interval", "10m")
                                        .replace("$__range", "1h")
                                        .replace("$host", "watched2")
                                + ") > bool 0",
                        "eval_time",
                        "59m",
                        "exp_samples",
                        List.of(Map.of("labels", "{}", "value", 1))))
                .toList();
        test(
                folder,
                List.of(Map.of(
                        "interval",
                        "30s",
                        "input_series",
                        series(run.get(State.WELL), run.get(State.HOST_PAUSED)),
                        "promql_expr_test",
                        shown)));
    }

    /** Also where a panel has another answer for what is not there; and what two replicas tell of a host is told once. */
    @Test
    void panelsAndAlertsNameWhatThereIs() throws IOException {
        Map<String, Set<String>> labels = new TreeMap<>();
        run.values()
                .forEach(scrape -> scrape.samples()
                        .forEach(sample -> labels.computeIfAbsent(sample.name(), name -> new TreeSet<>())
                                .addAll(sample.labels().keySet())));
        Map<String, String> expressions = expressions();
        rules().forEach((name, rule) -> expressions.put(name, (String) rule.get("expr")));
        expressions.forEach((where, expression) -> {
            Matcher name = NAME.matcher(expression);
            while (name.find()) {
                assertThat(labels).as(where).containsKey(name.group());
                if (labels.get(name.group()).contains("host") && !name.group().equals("apportion_commits_total")) {
                    assertThat(ONCE.matcher(expression.substring(0, name.start()))
                                    .find())
                            .as(where + ": max by (host) of " + name.group())
                            .isTrue();
                }
            }
            Matcher selector = SELECTOR.matcher(expression);
            while (selector.find()) {
                assertThat(labels.get(selector.group(1)))
                        .as(where)
                        .containsAll(MATCHED.matcher(selector.group(2))
                                .results()
                                .map(matched -> matched.group(1))
                                .toList());
            }
        });
    }

    @Test
    void dashboardsAreForAnySite() throws IOException {
        Map<String, JsonNode> boards = dashboards();
        boards.forEach((file, board) -> {
            assertThat(board.path("uid").asString()).isEqualTo("apportion-" + file.replace(".json", ""));
            assertThat(board.has("id")).as("Grafana's own number").isFalse();
            assertThat(board.path("templating")
                            .path("list")
                            .path(0)
                            .path("type")
                            .asString())
                    .isEqualTo("datasource");
            List<JsonNode> sources = board.findValues("datasource");
            assertThat(sources)
                    .as(file)
                    .isNotEmpty()
                    .allSatisfy(
                            source -> assertThat(source.path("uid").asString()).isEqualTo("${datasource}"));
            assertThat(board.toString()).doesNotContain("instance=").doesNotContain("job=");
            Set<Integer> ids = new HashSet<>();
            for (JsonNode panel : board.path("panels")) {
                assertThat(ids.add(panel.path("id").asInt()))
                        .as(panel.toString())
                        .isTrue();
                assertThat(panel.at("/gridPos/x").asInt()
                                + panel.at("/gridPos/w").asInt())
                        .isBetween(1, 24);
            }
        });
        assertThat(boards).containsOnlyKeys("agents.json", "commits.json", "fleet.json", "host.json");
    }

    // ---- promtool

    private static final int STEPS = 60;

    /** Half an hour of the one, and then half an hour of the other, for two replicas; an alert takes its time to fire. */
    private static Map<String, Object> unitTest(
            Scrape before, Scrape during, String alert, List<?> expectedBefore, List<?> expectedAfter) {
        return Map.of(
                "name",
                alert,
                "interval",
                "30s",
                "input_series",
                series(before, during),
                "alert_rule_test",
                List.of(
                        Map.of("eval_time", "29m30s", "alertname", alert, "exp_alerts", expectedBefore),
                        Map.of("eval_time", "59m", "alertname", alert, "exp_alerts", expectedAfter)));
    }

    private static List<Object> series(Scrape before, Scrape during) {
        Map<String, Double> first = values(before);
        Map<String, Double> second = values(during);
        Set<String> all = new TreeSet<>(first.keySet());
        all.addAll(second.keySet());
        List<Object> series = new ArrayList<>();
        for (String one : all) {
            Double from = first.get(one);
            Double to = second.get(one);
            String name = one.substring(0, one.indexOf('{'));
            // What counted so much from one scrape to the next goes on like that.
            double more = to != null && during.isCounter(name) ? Math.max(0, to - (from == null ? 0 : from)) : 0;
            series.add(Map.of(
                    "series",
                    one,
                    "values",
                    (from == null ? "_x" + STEPS : plain(from) + "+0x" + (STEPS - 1))
                            + " "
                            + (to == null ? "stale _x" + STEPS : plain(to) + "+" + plain(more) + "x" + STEPS)));
        }
        return series;
    }

    private static Map<String, Double> values(Scrape scrape) {
        Map<String, Double> values = new HashMap<>();
        for (Scrape.Sample sample : scrape.samples()) {
            if (!Double.isNaN(sample.value())) {
                for (String replica : REPLICAS) {
                    values.put(
                            sample.with("job", "apportion")
                                    .with("instance", replica)
                                    .series(),
                            sample.value());
                }
            }
        }
        return values;
    }

    private static String plain(double value) {
        return new BigDecimal(value).setScale(9, RoundingMode.HALF_UP).toPlainString();
    }

    private static void test(Path folder, List<?> tests) throws IOException {
        Path file = folder.resolve("tests.yaml");
        // JSON is YAML.
        Files.writeString(
                file,
                JsonMapper.shared()
                        .writeValueAsString(Map.of(
                                "rule_files",
                                List.of(ALERTS.toAbsolutePath().toString()),
                                "evaluation_interval",
                                "30s",
                                "tests",
                                tests)));
        promtool("test", "rules", file.toString());
    }

    private static void promtool(String... arguments) {
        List<String> command = new ArrayList<>(List.of("promtool"));
        command.addAll(List.of(arguments));
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException missing) {
            throw new AssertionError("There is no promtool: apt-get install prometheus", missing);
        }
        try {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor()).as(output).isZero();
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
