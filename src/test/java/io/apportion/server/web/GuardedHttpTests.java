package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.server.ServerApplication;
import io.apportion.server.identity.IdentityProvider;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.HostSettings;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.Preconditions;
import io.apportion.server.web.RawHttp.Answer;
import io.apportion.server.web.RawHttp.Request;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/** What protects the server from those who ask, and browsers from what others make of its answers. */
@SpringBootTest(
        classes = ServerApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
        properties = {
            "spring.datasource.url=jdbc:h2:mem:guarded-http",
            "apportion.identity.admin-token-file=target/guarded-http/admin-token",
            "apportion.identity.remember-tokens=1s",
            "apportion.push.look-every=1h",
            "apportion.web.failed-logins=5",
            "apportion.web.streams-of-caller=2",
            "apportion.web.streams-of-address=5",
            "apportion.web.allowed-origins=https://console.example",
            "server.forward-headers-strategy=native",
            "server.tomcat.remoteip.internal-proxies=127\\.0\\.0\\.9"
        })
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class GuardedHttpTests {

    private static final IdentityProvider PROVIDER = new IdentityProvider();
    private static final AtomicInteger ADDRESSES = new AtomicInteger();

    @DynamicPropertySource
    static void provider(DynamicPropertyRegistry properties) {
        PROVIDER.down(true);
        String prefix = "spring.security.oauth2.resourceserver.jwt.";
        properties.add(prefix + "issuer-uri", PROVIDER::issuer);
        properties.add(prefix + "audiences", () -> IdentityProvider.AUDIENCE);
    }

    @AfterAll
    static void stop() {
        PROVIDER.close();
    }

    @LocalServerPort
    int port;

    @Autowired
    TokenService tokens;

    @Autowired
    MatrixService matrix;

    @Autowired
    JdbcClient database;

    /** Each test has an address of its own, as the server sees only at its next word that a stream's reader has gone. */
    private final HttpClient client = HttpClient.newBuilder()
            .localAddress(InetAddress.ofLiteral("127.0.1." + ADDRESSES.incrementAndGet()))
            .build();

    private final List<Stream> streams = new ArrayList<>();
    private RawHttp http;
    private String viewer = "";

    @BeforeEach
    void connect() {
        http = new RawHttp(port);
        viewer = token(Role.VIEWER);
    }

    @AfterEach
    void disconnect() {
        streams.forEach(Stream::close);
        client.shutdownNow();
    }

    private String token(Role role) {
        return tokens.issue(UUID.randomUUID().toString(), role, null, null, "test", false)
                .secret();
    }

    // Headers.

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/api/v1/hosts",
                "/nowhere",
                "/problems",
                "/v3/api-docs",
                "/actuator/health",
                "/a//b",
                "/%zz",
                "/a;b",
                "/swagger-ui/index.html"
            })
    void browsersAreToldToDoNothingMoreWithAnAnswer(String path) {
        Answer answer = http.send(Request.of("GET", path));
        assertThat(answer.header("x-content-type-options")).isEqualTo("nosniff");
        assertThat(answer.header("x-frame-options")).isEqualTo("DENY");
        assertThat(answer.header("referrer-policy")).isEqualTo("no-referrer");
        assertThat(answer.header("cross-origin-resource-policy")).isEqualTo("same-origin");
        assertThat(answer.header("content-security-policy"))
                .startsWith("default-src 'none'")
                .contains("frame-ancestors 'none'")
                .doesNotContain("unsafe-eval", "*", "http");
        assertThat(answer.header("cache-control")).contains("no-store");
        assertThat(answer.headers()).doesNotContainKeys("set-cookie", "server", "strict-transport-security");
    }

    // Other origins.

    private Request from(String origin) {
        return Request.of("GET", "/api/v1/hosts")
                .with("Authorization", "Bearer " + viewer)
                .with("Origin", origin);
    }

    @Test
    void pagesOfTheOriginsThatAreNamedMayAsk() {
        Answer answer = http.send(from("https://console.example"));
        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.header("access-control-allow-origin")).isEqualTo("https://console.example");
        assertThat(answer.header("access-control-expose-headers")).contains("ETag", "X-Request-Id");
        assertThat(answer.headers()).doesNotContainKey("access-control-allow-credentials");
        Answer before = http.send(Request.of("OPTIONS", "/api/v1/mdevs/x")
                .with("Origin", "https://console.example")
                .with("Access-Control-Request-Method", "PUT")
                .with("Access-Control-Request-Headers", "authorization, content-type, if-match, prefer"));
        assertThat(before.status()).isEqualTo(200);
        assertThat(before.header("access-control-allow-methods")).contains("PUT");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"https://evil.example", "http://console.example", "https://console.example.evil.example", "null"
            })
    void pagesOfOthersMayNot(String origin) {
        Answer answer = http.send(from(origin));
        assertThat(answer.status()).isEqualTo(403);
        assertThat(answer.json().path("type").asString()).isEqualTo("/problems/forbidden");
        assertThat(answer.headers()).doesNotContainKey("access-control-allow-origin");
    }

    // Wrong tokens.

    /** From an address of this machine's own network, of which each test has one for itself. */
    private int statusFrom(String address, String token, String... headers) throws IOException {
        try (Socket socket = new Socket()) {
            socket.bind(new InetSocketAddress(InetAddress.ofLiteral(address), 0));
            socket.connect(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port));
            Request request = Request.of("GET", "/api/v1/hosts").with("Authorization", "Bearer " + token);
            for (String header : headers) {
                request = request.with(header.split(": ")[0], header.split(": ")[1]);
            }
            socket.getOutputStream().write(request.bytes());
            Answer answer = RawHttp.parse(socket.getInputStream().readAllBytes());
            if (answer.status() == 429) {
                assertThat(answer.json().path("type").asString()).isEqualTo("/problems/too-many-failed-logins");
                assertThat(Integer.parseInt(answer.header("retry-after"))).isBetween(1, 60);
            }
            return answer.status();
        }
    }

    @Test
    void tooManyWrongTokensShutOutWhatIsNotKnownOfTheirAddressAlone() throws IOException {
        String unknown = token(Role.VIEWER);
        for (int i = 0; i < 5; i++) {
            assertThat(statusFrom("127.0.0.2", i % 2 == 0 ? "apportion_no" : "a.b.c"))
                    .isEqualTo(401);
            assertThat(statusFrom("127.0.0.2", viewer)).isEqualTo(200);
        }
        assertThat(statusFrom("127.0.0.2", "apportion_no")).isEqualTo(429);
        assertThat(statusFrom("127.0.0.2", "a.b.c")).isEqualTo(429);
        assertThat(statusFrom("127.0.0.2", unknown)).isEqualTo(429);
        // Behind a proxy it is not theirs alone: those who were let in before go on, whoever else is revoked.
        tokens.revoke(tokens.issue("other", Role.VIEWER, null, null, "test", false)
                .token()
                .id());
        assertThat(statusFrom("127.0.0.2", viewer)).isEqualTo(200);
        assertThat(statusFrom("127.0.0.3", unknown)).isEqualTo(200);
    }

    /** Somebody's page that goes on with an old token is no guess. */
    @Test
    void expiredTokensOfTheProviderShutOutNobody() throws IOException {
        PROVIDER.down(false);
        String old = PROVIDER.token(PROVIDER.claims("jane", "viewer")
                .expirationTime(Date.from(Instant.now().minusSeconds(600))));
        for (int i = 0; i < 6; i++) {
            assertThat(statusFrom("127.0.0.5", old)).isEqualTo(401);
        }
        assertThat(statusFrom("127.0.0.5", viewer)).isEqualTo(200);
    }

    @Test
    void forwardedAddressCountsOnlyWhereAProxyIsTrusted() throws IOException {
        for (int i = 0; i < 6; i++) {
            // Whoever makes addresses up is known by the own.
            statusFrom("127.0.0.4", "apportion_no", "X-Forwarded-For: 10.0.0." + i);
        }
        assertThat(statusFrom("127.0.0.4", "apportion_no", "X-Forwarded-For: 10.0.0.77"))
                .isEqualTo(429);
        for (int i = 0; i < 6; i++) {
            statusFrom("127.0.0.9", "apportion_no", "X-Forwarded-For: 10.0.1.1");
        }
        assertThat(statusFrom("127.0.0.9", "apportion_no", "X-Forwarded-For: 10.0.1.1"))
                .isEqualTo(429);
        assertThat(statusFrom("127.0.0.9", viewer, "X-Forwarded-For: 10.0.1.2")).isEqualTo(200);
    }

    /** Before all others: it is away when the server starts. */
    @Test
    @Order(1)
    void providerThatIsAwayIsAProblemOfItsOwn() {
        String jwt = PROVIDER.token(PROVIDER.claims("jane", "viewer"));
        Request request = Request.of("GET", "/api/v1/hosts");
        Answer answer = http.send(request.with("Authorization", "Bearer " + jwt));
        assertThat(answer.status()).as(answer.toString()).isEqualTo(503);
        assertThat(answer.json().path("type").asString()).isEqualTo("/problems/identity-provider-unavailable");
        assertThat(answer.header("retry-after")).isNotBlank();
        assertThat(http.send(request.with("Authorization", "Bearer " + viewer)).status())
                .as("a token of Apportion's own")
                .isEqualTo(200);
        PROVIDER.down(false);
        assertThat(http.send(request.with("Authorization", "Bearer " + jwt)).status())
                .isEqualTo(200);
    }

    // Revoked tokens.

    /** Revoked at another replica: this one sees only that it is gone. */
    @Test
    void tokenRevokedElsewhereIsRefusedSoon() {
        TokenService.Issued issued = tokens.issue("elsewhere", Role.VIEWER, null, null, "test", false);
        Request request = Request.of("GET", "/api/v1/hosts").with("Authorization", "Bearer " + issued.secret());
        assertThat(http.send(request).status()).isEqualTo(200);
        revokeElsewhere(issued);
        await().atMost(Duration.ofMinutes(1)).until(() -> http.send(request).status() == 401);
    }

    private void revokeElsewhere(TokenService.Issued issued) {
        assertThat(database.sql("delete from tokens where id = ?")
                        .param(issued.token().id())
                        .update())
                .isEqualTo(1);
    }

    // Streams.

    private final class Stream {
        private final HttpResponse<InputStream> response;

        Stream(String path, String token) throws IOException, InterruptedException {
            response = client.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                            .header("Accept", "text/event-stream, application/problem+json")
                            .header("Authorization", "Bearer " + token)
                            .build(),
                    BodyHandlers.ofInputStream());
            streams.add(this);
        }

        int status() {
            return response.statusCode();
        }

        /** Returns when the server has ended it, and fails if the connection broke instead. */
        void awaitEnd() throws IOException {
            BufferedReader lines = new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8));
            String line;
            do {
                line = lines.readLine();
            } while (line != null);
        }

        void close() {
            try {
                response.body().close();
            } catch (IOException gone) {
                // As it shall be.
            }
        }
    }

    private Stream events(String token) throws IOException, InterruptedException {
        return new Stream("/api/v1/events", token);
    }

    @Test
    void oneCallerHoldsOnlySoManyStreamsAndOneAddressToo() throws Exception {
        assertThat(events(viewer).status()).isEqualTo(200);
        assertThat(events(viewer).status()).isEqualTo(200);
        Stream refused = events(viewer);
        assertThat(refused.status()).isEqualTo(429);
        assertThat(refused.response.headers().firstValue("retry-after")).contains("5");
        assertThat(new String(refused.response.body().readAllBytes(), StandardCharsets.UTF_8))
                .contains("/problems/too-many-streams", "has 2 streams open");
        for (int i = 0; i < 3; i++) {
            assertThat(events(token(Role.OPERATOR)).status()).isEqualTo(200);
        }
        Stream sixth = events(token(Role.ADMIN));
        assertThat(sixth.status()).isEqualTo(429);
        streams.getFirst().close();
        await().atMost(Duration.ofMinutes(1)).until(() -> {
            matrix.putHost(
                    "streams",
                    new HostSettings(Map.of("n", UUID.randomUUID().toString()), null, null, null, null),
                    mode());
            return events(viewer).status() == 200;
        });
    }

    private static MatrixService.Mode mode() {
        return new MatrixService.Mode(Preconditions.NONE, false, false, new Caller("test", true, "seed"));
    }

    @Test
    void streamEndsWhenItsTokenIsRevokedElsewhere() throws Exception {
        TokenService.Issued issued = tokens.issue("watcher", Role.VIEWER, null, null, "test", false);
        Stream stream = events(issued.secret());
        assertThat(stream.status()).isEqualTo(200);
        Stream another = events(viewer);
        revokeElsewhere(issued);
        stream.awaitEnd();
        assertThat(events(issued.secret()).status()).isEqualTo(401);
        // Others go on.
        matrix.putHost("revoked", new HostSettings(null, null, null, null, null), mode());
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(another.response.body(), StandardCharsets.UTF_8));
        String line;
        do {
            line = lines.readLine();
            assertThat(line).isNotNull();
        } while (!line.contains("\"host\":\"revoked\""));
    }

    @Test
    void streamEndsWhenItsTokenExpires() throws Exception {
        Date soon = Date.from(Instant.now().plusSeconds(3));
        Stream provided =
                events(PROVIDER.token(PROVIDER.claims("jane", "viewer").expirationTime(soon)));
        Stream own = events(tokens.issue("short", Role.VIEWER, null, soon.toInstant(), "test", false)
                .secret());
        assertThat(provided.status()).isEqualTo(200);
        assertThat(own.status()).isEqualTo(200);
        provided.awaitEnd();
        own.awaitEnd();
        assertThat(Instant.now()).isAfter(soon.toInstant().minusSeconds(1));
    }

    @Test
    void agentsStreamEndsToo() throws Exception {
        matrix.putHost("watched", new HostSettings(null, null, null, null, null), mode());
        TokenService.Issued agent = tokens.issue("watched", Role.AGENT, "watched", null, "test", false);
        Answer session = http.send(Request.of("POST", "/agent/v1/hosts/watched/session")
                .with("Authorization", "Bearer " + agent.secret())
                .with("Content-Type", "application/json")
                .with("{\"instance\":\"i\",\"machineId\":\"m\",\"bootId\":\"b\"}".getBytes(StandardCharsets.UTF_8)));
        assertThat(session.status()).as(session.toString()).isEqualTo(200);
        Stream stream = new Stream(
                "/agent/v1/hosts/watched/desired?session="
                        + session.json().path("session").asLong(),
                agent.secret());
        assertThat(stream.status()).isEqualTo(200);
        revokeElsewhere(agent);
        stream.awaitEnd();
    }
}
