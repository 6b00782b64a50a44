package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.AppenderBase;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.server.ServerApplication;
import io.apportion.server.identity.IdentityProvider;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.HostSettings;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MdevSettings;
import io.apportion.server.matrix.Preconditions;
import io.apportion.server.web.RawHttp.Answer;
import io.apportion.server.web.RawHttp.Request;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.context.ApplicationContext;
import org.springframework.http.MediaType;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.method.HandlerMethod;
import org.springframework.web.servlet.mvc.method.RequestMappingInfo;
import org.springframework.web.servlet.mvc.method.RequestMappingInfoHandlerMapping;

/**
 * Every endpoint with every caller. The endpoints are found by their mappings: one that has no row here, or that is not
 * there any more, fails the test.
 */
@SpringBootTest(
        classes = ServerApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
        properties = {
            "spring.datasource.url=jdbc:h2:mem:access-table",
            "apportion.identity.admin-token-file=target/access-table/admin-token",
            "apportion.identity.jwt.scope-claim=hosts",
            "apportion.web.failed-logins=100000",
            "management.prometheus.metrics.export.enabled=true",
            "logging.level.io.apportion=debug",
            "logging.level.org.springframework.security=debug",
            "logging.level.org.springframework.web=debug"
        })
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class AccessTableTests {

    /**
     * Who is let in: n nobody, v viewer, o operator, l operator limited to hosts of another zone than the one asked for, a
     * admin, h the agent of the host asked for, x the agent of another host. Then what the path's variables are, where it
     * matters, and the body.
     */
    private static final String TABLE = """
        GET    /api/v1/commits                                        | voLa
        GET    /api/v1/commits/{id}                                   | voLa
        GET    /api/v1/events                                         | voLa
        GET    /api/v1/events text/event-stream                       | voLa
        GET    /api/v1/hosts                                          | voLa
        GET    /api/v1/hosts/{host}                                   | voLa
        PUT    /api/v1/hosts/{host}                                   | a       | {}
        DELETE /api/v1/hosts/{host}                                   | a
        GET    /api/v1/hosts/{host}/adapters                          | voLa
        GET    /api/v1/hosts/{host}/adapters/{adapter}                | voLa
        DELETE /api/v1/hosts/{host}/claim                             | a
        GET    /api/v1/hosts/{host}/domains                           | voLa
        GET    /api/v1/hosts/{host}/domains/{domain}                  | voLa
        GET    /api/v1/hosts/{host}/foreign-mdevs                     | voLa
        POST   /api/v1/hosts/{host}/foreign-mdevs/{uuid}/adopt        | oa      | new
        GET    /api/v1/hosts/{host}/queues                            | voLa
        GET    /api/v1/hosts/{host}/queues/{queue}                    | voLa
        GET    /api/v1/hosts/{host}/queues/{queue}/driver             | voLa
        PUT    /api/v1/hosts/{host}/queues/{queue}/driver             | oa      | {"driver":"default"}
        DELETE /api/v1/hosts/{host}/queues/{queue}/driver             | oa
        GET    /api/v1/hosts/{host}/reservation                       | voLa
        PUT    /api/v1/hosts/{host}/reservation                       | oa      | {"apmask":"0x0000000000000000000000000000000000000000000000000000000000000001","aqmask":"0x0000000000000000000000000000000000000000000000000000000000000001"}
        DELETE /api/v1/hosts/{host}/reservation                       | oa
        GET    /api/v1/mdevs                                          | voLa
        POST   /api/v1/mdevs                                          | oa      | {"host":"zone-b","adapters":[9],"domains":[9]}
        GET    /api/v1/mdevs/{uuid}                                   | voLa
        PUT    /api/v1/mdevs/{uuid}                                   | oa      | {"host":"zone-b","adapters":[4],"domains":[5]}
        DELETE /api/v1/mdevs/{uuid}                                   | oa
        PUT    /api/v1/mdevs/{uuid}/adapters/{adapter}                | oa
        DELETE /api/v1/mdevs/{uuid}/adapters/{adapter}                | oa
        PUT    /api/v1/mdevs/{uuid}/domains/{domain}                  | oa
        DELETE /api/v1/mdevs/{uuid}/domains/{domain}                  | oa
        PUT    /api/v1/mdevs/{uuid}/control-domains/{domain}          | oa
        DELETE /api/v1/mdevs/{uuid}/control-domains/{domain}          | oa
        GET    /api/v1/mdevs/{uuid}/guest                             | voLa
        PUT    /api/v1/mdevs/{uuid}/guest                             | oa      | {"name":"vm1"}
        DELETE /api/v1/mdevs/{uuid}/guest                             | oa
        GET    /api/v1/mdevs/{uuid}/guest-matrix                      | voLa
        GET    /api/v1/mdevs/{uuid}/guest-matrix text/plain           | voLa
        GET    /api/v1/mdevs/{uuid}/matrix                            | voLa
        GET    /api/v1/mdevs/{uuid}/matrix text/plain                 | voLa
        PUT    /api/v1/mdevs/{uuid}/matrix                            | oa      | {"adapters":[4],"domains":[6],"controlDomains":[]}
        GET    /api/v1/placements                                     | voLa
        GET    /api/v1/tokens                                         | a
        POST   /api/v1/tokens                                         | a       | {"name":"x","role":"viewer"}
        GET    /api/v1/tokens/{id}                                    | a
        DELETE /api/v1/tokens/{id}                                    | a
        POST   /agent/v1/hosts/{host}/session                         | h       | {}
        PUT    /agent/v1/hosts/{host}/observed                        | h       | {}
        POST   /agent/v1/hosts/{host}/heartbeat                       | h       | {}
        GET    /agent/v1/hosts/{host}/desired                         | h       | ?session=1
        GET    /agent/v1/hosts/{host}/desired text/event-stream       | h       | ?session=1
        GET    /problems                                              | nvoLahx
        GET    /problems/{slug}                                       | nvoLahx
        """;

    private static final String EVERYBODY = "nvolahx";

    private static final UUID MDEV = UUID.fromString("0c0ffee0-0000-4000-8000-00000000000b");
    private static final UUID NEW_MDEV = UUID.fromString("0c0ffee0-0000-4000-8000-00000000000c");

    private static final Map<String, String> VARIABLES = Map.of(
            "{host}", "zone-b",
            "{uuid}", MDEV.toString(),
            "{adapter}", "4",
            "{domain}", "4",
            "{queue}", "04.0004",
            "{slug}", "stale");

    private static final IdentityProvider PROVIDER = new IdentityProvider();

    /** Of all that were shown: none may be seen in the log or in an answer. */
    private static final Set<String> SECRETS = new TreeSet<>();

    private static final StringBuffer LOG = new StringBuffer();

    /** What the console would show of each event, its causes included. */
    private static final AppenderBase<ILoggingEvent> APPENDER = new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
            LOG.append(event.getFormattedMessage()).append('\n');
            if (event.getThrowableProxy() != null) {
                LOG.append(ThrowableProxyUtil.asString(event.getThrowableProxy()));
            }
        }
    };

    @DynamicPropertySource
    static void provider(DynamicPropertyRegistry properties) {
        String prefix = "spring.security.oauth2.resourceserver.jwt.";
        properties.add(prefix + "issuer-uri", PROVIDER::issuer);
        properties.add(prefix + "audiences", () -> IdentityProvider.AUDIENCE);
    }

    @LocalServerPort
    int port;

    @Autowired
    ApplicationContext server;

    @Autowired
    MatrixService matrix;

    @Autowired
    TokenService tokens;

    private RawHttp http;

    /** By letter, with the ways in which each may show who it is. Null: it shows nothing. */
    private final Map<Character, List<String>> callers = new LinkedHashMap<>();

    private record Row(String endpoint, String method, String path, String accept, String letIn, String body) {

        static Row of(String line) {
            String[] cells = line.split("\\|");
            String[] endpoint = cells[0].strip().split(" +");
            return new Row(
                    String.join(" ", endpoint),
                    endpoint[0],
                    endpoint[1],
                    endpoint.length > 2 ? endpoint[2] : MediaType.APPLICATION_JSON_VALUE,
                    cells[1].strip().toLowerCase(java.util.Locale.ROOT),
                    cells.length > 2 ? cells[2].strip() : "");
        }

        boolean isChange() {
            return !method.equals("GET") && path.startsWith("/api/");
        }

        /** @param id where the path has one: the agents' and the API's dry runs change nothing */
        Request request(String id, boolean dry) {
            String target = path.replace("{id}", id);
            if (body.equals("new")) {
                target = target.replace("{uuid}", NEW_MDEV.toString());
            }
            for (Map.Entry<String, String> variable : VARIABLES.entrySet()) {
                target = target.replace(variable.getKey(), variable.getValue());
            }
            if (body.startsWith("?")) {
                target += body;
            }
            if (dry && isChange()) {
                target += "?dryRun=true";
            }
            // The head of a stream is its answer without the wait.
            boolean stream = accept.equals(MediaType.TEXT_EVENT_STREAM_VALUE);
            Request request =
                    Request.of(stream ? "HEAD" : method, target).with("Accept", accept + ", application/problem+json");
            return body.startsWith("{")
                    ? request.with("Content-Type", "application/json").with(body.getBytes(StandardCharsets.UTF_8))
                    : request;
        }
    }

    private static List<Row> rows() {
        return TABLE.lines().map(Row::of).toList();
    }

    @BeforeAll
    void issue() {
        APPENDER.start();
        rootLogger().addAppender(APPENDER);
        http = new RawHttp(port);
        Map<String, String> zoneA = Map.of("zone", "a");
        callers.put('n', new ArrayList<>(Stream.of((String) null).toList()));
        callers.put('v', List.of(own(Role.VIEWER, null, Map.of()), jwt("viewer", null)));
        callers.put('o', List.of(own(Role.OPERATOR, null, Map.of()), jwt("operator", "*")));
        callers.put('l', List.of(own(Role.OPERATOR, null, zoneA), jwt("operator", "zone=a"), jwt("operator", null)));
        callers.put('a', List.of(own(Role.ADMIN, null, Map.of()), jwt("admin", null)));
        callers.put('h', List.of(own(Role.AGENT, "zone-b", Map.of())));
        callers.put('x', List.of(own(Role.AGENT, "zone-a", Map.of())));
    }

    private String own(Role role, String host, Map<String, String> scope) {
        return kept(
                tokens.issue("table", role, host, scope, null, "test", false).secret());
    }

    private static String jwt(String role, String scope) {
        return kept(PROVIDER.token(PROVIDER.claims("jane", role).claim("hosts", scope)));
    }

    private static String kept(String secret) {
        SECRETS.add(secret);
        return secret;
    }

    private static Logger rootLogger() {
        return (Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME);
    }

    @AfterAll
    static void stop() {
        rootLogger().detachAppender(APPENDER);
        // The levels above are the whole process's, and outlive this context.
        for (String chatty : List.of("io.apportion", "org.springframework.security", "org.springframework.web")) {
            ((Logger) LoggerFactory.getLogger(chatty)).setLevel(null);
        }
        PROVIDER.close();
    }

    @BeforeEach
    void seed() {
        var mode = new MatrixService.Mode(Preconditions.NONE, false, false, new Caller("test", true, "seed"));
        for (String zone : List.of("a", "b")) {
            matrix.putHost("zone-" + zone, new HostSettings(Map.of("zone", zone), null, null, null, null), mode);
        }
        matrix.putMdev(
                MDEV, new MdevSettings("zone-b", null, new Matrix(ApMask.of(4), ApMask.of(4), ApMask.NONE)), mode);
    }

    private Answer send(Request request, String token) {
        Answer answer = http.send(token == null ? request : request.with("Authorization", "Bearer " + token));
        assertThat(SECRETS.stream().filter(answer.toString()::contains))
                .as("secrets in the answer to " + request.method() + " " + request.target())
                .isEmpty();
        return answer;
    }

    // The endpoints.

    @Test
    void everyEndpointHasARow() {
        Set<String> there = new TreeSet<>();
        for (RequestMappingInfoHandlerMapping mapping :
                server.getBeansOfType(RequestMappingInfoHandlerMapping.class).values()) {
            mapping.getHandlerMethods().forEach((info, method) -> there.addAll(names(info, method)));
        }
        assertThat(there.stream().filter(endpoint -> !OTHERS.containsKey(endpoint)))
                .containsExactlyInAnyOrderElementsOf(
                        rows().stream().map(Row::endpoint).toList());
        assertThat(there).containsAll(OTHERS.keySet());
    }

    /** What comes with libraries, with who is let in. */
    private static final Map<String, String> OTHERS = new TreeMap<>(Map.ofEntries(
            Map.entry("GET /actuator", "voLa"),
            Map.entry("GET /actuator/health", EVERYBODY),
            Map.entry("GET /actuator/health/**", EVERYBODY),
            Map.entry("GET /actuator/info", "voLa"),
            Map.entry("GET /actuator/prometheus", "voLa"),
            Map.entry("GET /v3/api-docs", EVERYBODY),
            Map.entry("GET /v3/api-docs.yaml", EVERYBODY),
            Map.entry("GET /v3/api-docs/swagger-config", EVERYBODY),
            Map.entry("GET /swagger-ui", EVERYBODY)));

    private static List<String> names(RequestMappingInfo info, HandlerMethod method) {
        String media = info.getProducesCondition().getProducibleMediaTypes().stream()
                .map(MediaType::toString)
                .filter(type -> type.equals(MediaType.TEXT_EVENT_STREAM_VALUE) || type.equals("text/plain"))
                .filter(type -> method.getBeanType().getName().startsWith("io.apportion."))
                .findFirst()
                .map(type -> " " + type)
                .orElse("");
        Set<String> methods =
                info.getMethodsCondition().getMethods().stream().map(Enum::name).collect(Collectors.toSet());
        return info.getPatternValues().stream()
                .flatMap(pattern -> (methods.isEmpty() ? Set.of("GET") : methods)
                        .stream().map(each -> each + " " + pattern + media))
                .toList();
    }

    // Who is let in.

    @TestFactory
    Stream<DynamicTest> everyCallerIsLetInOrNot() {
        Stream<Row> others = OTHERS.entrySet().stream().map(other -> Row.of(other.getKey() + "|" + other.getValue()));
        return Stream.concat(rows().stream(), others)
                .map(row -> DynamicTest.dynamicTest(row.endpoint(), () -> check(row)));
    }

    private void check(Row row) {
        callers.forEach((letter, tokensOfIt) -> tokensOfIt.forEach(token -> {
            boolean letIn = row.letIn().indexOf(letter) >= 0;
            List<Boolean> dry = row.isChange() && !letIn ? List.of(true, false) : List.of(true);
            for (boolean isDry : dry) {
                Answer answer = send(row.request(UUID.randomUUID().toString(), isDry), token);
                String caller = letter + " " + row + " → " + answer;
                if (letIn) {
                    assertThat(answer.status())
                            .as(caller)
                            .isNotIn(401, 403, 429)
                            .isLessThan(500);
                } else {
                    assertThat(answer.status()).as(caller).isEqualTo(letter == 'n' ? 401 : 403);
                    if (!row.accept().equals(MediaType.TEXT_EVENT_STREAM_VALUE)) {
                        assertThat(answer.json().path("type").asString())
                                .isEqualTo(letter == 'n' ? "/problems/unauthenticated" : "/problems/forbidden");
                    }
                }
            }
        }));
    }

    /** What is in an operator's scope it may change as any operator. */
    @TestFactory
    Stream<DynamicTest> limitedOperatorChangesWhatIsInItsScope() {
        String limited = own(Role.OPERATOR, null, Map.of("zone", "b"));
        String provided = jwt("operator", "zone=b");
        return rows().stream()
                .filter(row -> row.isChange() && row.letIn().contains("o"))
                .map(row -> DynamicTest.dynamicTest(row.endpoint(), () -> {
                    for (String token : List.of(limited, provided)) {
                        Answer answer = send(row.request("1", true), token);
                        assertThat(answer.status())
                                .as(answer.toString())
                                .isNotIn(401, 403)
                                .isLessThan(500);
                    }
                }));
    }

    @Test
    void limitedOperatorIsToldWhichHostsItMayChange() {
        Row row = rows().stream()
                .filter(each -> each.endpoint().equals("DELETE /api/v1/mdevs/{uuid}"))
                .findFirst()
                .orElseThrow();
        Answer answer = send(row.request("", false), callers.get('l').getFirst());
        assertThat(answer.json().path("detail").asString())
                .isEqualTo("token:table changes only hosts with the label zone=a, and zone-b has it not.");
    }

    /** Anything that takes force takes it from an admin only. */
    @TestFactory
    Stream<DynamicTest> forceIsForAdmins() {
        Set<String> forcible = new TreeSet<>();
        server.getBean("requestMappingHandlerMapping", RequestMappingInfoHandlerMapping.class)
                .getHandlerMethods()
                .forEach((info, method) -> {
                    if (Stream.of(method.getMethodParameters())
                            .anyMatch(parameter -> parameter.hasParameterAnnotation(RequestParam.class)
                                    && parameter.getParameter().getName().equals("force"))) {
                        forcible.addAll(names(info, method));
                    }
                });
        assertThat(forcible).hasSizeGreaterThanOrEqualTo(3);
        return rows().stream()
                .filter(row -> forcible.contains(row.endpoint()))
                .map(row -> DynamicTest.dynamicTest(row.endpoint(), () -> {
                    Request request = row.request("1", true);
                    Request forced = new Request(
                            request.method(), request.target() + "&force=true", request.headers(), request.body());
                    for (String token : callers.get('o')) {
                        assertThat(send(forced, token).status()).isEqualTo(403);
                    }
                    for (String token : callers.get('a')) {
                        assertThat(send(forced, token).status())
                                .isNotIn(401, 403)
                                .isLessThan(500);
                    }
                }));
    }

    // Who is not even looked at.

    @Test
    void badTokensLetNobodyIn() {
        Map<String, String> bad = new LinkedHashMap<>();
        var jane = PROVIDER.claims("jane", "admin");
        bad.put(
                "expired",
                PROVIDER.token(PROVIDER.claims("jane", "admin")
                        .expirationTime(Date.from(Instant.now().minusSeconds(120)))));
        bad.put(
                "for another audience",
                PROVIDER.token(PROVIDER.claims("jane", "admin").audience("payroll")));
        bad.put(
                "of another issuer",
                PROVIDER.token(PROVIDER.claims("jane", "admin").issuer("https://evil.example")));
        bad.put("plain", PROVIDER.plain(jane));
        bad.put("unsigned", PROVIDER.unsigned(jane));
        bad.put("altered", PROVIDER.altered(PROVIDER.claims("jane", "viewer"), jane));
        bad.put("signed with the public key", PROVIDER.confused(jane));
        bad.put("forged", PROVIDER.forged(PROVIDER.keyId(), jane));
        bad.put("forged under another name", PROVIDER.forged("nobody", jane));
        TokenService.Issued revoked = tokens.issue("table", Role.ADMIN, null, null, "test", false);
        send(Request.of("GET", "/api/v1/hosts"), revoked.secret());
        tokens.revoke(revoked.token().id());
        bad.put("revoked", revoked.secret());
        bad.put("made up", "apportion_" + "x".repeat(43));
        SECRETS.addAll(bad.values());
        bad.forEach((what, token) -> {
            for (String path : List.of("/api/v1/hosts", "/agent/v1/hosts/zone-b/desired?session=1", "/problems")) {
                Answer answer = send(Request.of("GET", path), token);
                assertThat(answer.status()).as(what + ": " + answer).isEqualTo(401);
                assertThat(answer.json().path("type").asString()).isEqualTo("/problems/unauthenticated");
                assertThat(answer.header("www-authenticate")).isEqualTo("Bearer");
            }
        });
    }

    /** At DEBUG Spring MVC reads the parameters for its log, also where nobody else would. */
    @Test
    void badParameterIsNoFaultOfTheServer() {
        assertThat(send(Request.of("GET", "/problems?a=%zz"), null).status()).isEqualTo(400);
    }

    /** Spring Security's way to take bearer tokens brings it unasked, and no mapping shows it. */
    @Test
    void nothingIsSaidOfHowToGetIn() {
        for (String path : List.of(
                "/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/api/v1/hosts")) {
            assertThat(send(Request.of("GET", path), null).status()).isEqualTo(401);
        }
    }

    @Test
    void goodTokenWithoutARoleMayNothing() {
        Answer answer = send(Request.of("GET", "/api/v1/hosts"), jwt("cook", null));
        assertThat(answer.status()).isEqualTo(403);
        assertThat(answer.json().path("detail").asString()).contains("roles");
    }

    @Test
    void otherSchemesLetNobodyIn() {
        // Not among the secrets: whoever puts one into an address finds it in logs.
        String admin =
                tokens.issue("table", Role.ADMIN, null, null, "test", false).secret();
        String basic = "Basic "
                + java.util.Base64.getEncoder().encodeToString(("x:" + admin).getBytes(StandardCharsets.UTF_8));
        for (String header : List.of(basic, "Bearer", "Bearer ", admin, "Bearer " + admin + " x", "Token " + admin)) {
            assertThat(http.send(Request.of("GET", "/api/v1/hosts").with("Authorization", header))
                            .status())
                    .as(header.substring(0, Math.min(10, header.length())))
                    .isEqualTo(401);
        }
        for (String elsewhere : List.of("/api/v1/hosts?access_token=" + admin, "/api/v1/hosts?token=" + admin)) {
            assertThat(http.send(Request.of("GET", elsewhere)).status()).isEqualTo(401);
        }
    }

    @Test
    void everyEventNamesTheActor() {
        for (String token : callers.get('o')) {
            send(
                    Request.of(
                            "PUT", "/api/v1/mdevs/" + MDEV + "/domains/" + (token.startsWith("apportion_") ? 21 : 22)),
                    token);
        }
        var events = send(
                        Request.of("GET", "/api/v1/events?mdev=" + MDEV + "&type=mdev.assigned&limit=200"),
                        callers.get('v').getFirst())
                .json()
                .path("items");
        Set<String> actors = new TreeSet<>();
        events.forEach(event -> actors.add(event.path("actor").asString()));
        assertThat(actors).contains("token:table", "user:jane");
    }

    /** After all others. */
    @Test
    @Order(Integer.MAX_VALUE)
    void noSecretIsInTheLog() {
        String everything = LOG.toString();
        assertThat(everything).contains("Securing GET /api/v1/hosts", "Securing DELETE /api/v1/mdevs");
        assertThat(SECRETS.stream().filter(everything::contains)).isEmpty();
    }
}
