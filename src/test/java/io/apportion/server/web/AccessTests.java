package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.server.ServerApplication;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.server.web.RawHttp.Answer;
import io.apportion.server.web.RawHttp.Request;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Locale;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.BeansException;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.boot.web.server.context.WebServerApplicationContext;
import org.springframework.jdbc.core.simple.JdbcClient;

/** Who gets in, and who may do what. */
@SpringBootTest(
        classes = ServerApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
        // Wrong tokens come by the dozen here, and all from one address.
        properties = "apportion.web.failed-logins=1000000")
class AccessTests {

    @LocalServerPort
    int port;

    @Autowired
    TokenService tokens;

    @Autowired
    JdbcClient database;

    private RawHttp http;

    @BeforeEach
    void connect() {
        http = new RawHttp(port);
    }

    @ParameterizedTest
    @CsvSource({
        "viewer,   GET,    /api/v1/hosts,                                       200",
        "viewer,   GET,    /api/v1/mdevs,                                       200",
        "viewer,   GET,    /actuator,                                           200",
        "viewer,   GET,    /nowhere,                                            404",
        "viewer,   DELETE, /api/v1/mdevs/00000000-0000-4000-8000-00000000acce,  403",
        "viewer,   DELETE, /api/v1/mdevs/00000000-0000-4000-8000-00000000acce?dryRun=true, 403",
        "viewer,   POST,   /api/v1/mdevs,                                       403",
        "viewer,   POST,   /nowhere,                                            403",
        "viewer,   GET,    /api/v1/tokens,                                      403",
        "viewer,   GET,    /agent/v1/hosts/lpar1/desired?session=1,             403",
        "operator, GET,    /api/v1/hosts,                                       200",
        "operator, DELETE, /api/v1/mdevs/00000000-0000-4000-8000-00000000acce,  404",
        "operator, DELETE, /api/v1/mdevs/00000000-0000-4000-8000-00000000acce?force=false, 404",
        "operator, DELETE, /api/v1/mdevs/00000000-0000-4000-8000-00000000acce?force=true,  403",
        "operator, PUT,    /api/v1/hosts/lpar9,                                 403",
        "operator, DELETE, /api/v1/hosts/lpar9,                                 403",
        "operator, DELETE, /api/v1/hosts/lpar9/claim,                           403",
        "operator, GET,    /api/v1/tokens,                                      403",
        "operator, POST,   /api/v1/tokens,                                      403",
        "operator, DELETE, /api/v1/tokens/00000000-0000-4000-8000-00000000acce, 403",
        "admin,    DELETE, /api/v1/mdevs/00000000-0000-4000-8000-00000000acce?force=true,  404",
        "admin,    DELETE, /api/v1/hosts/lpar9,                                 404",
        "admin,    GET,    /api/v1/tokens,                                      200",
        "admin,    GET,    /agent/v1/hosts/lpar1/desired?session=1,             403",
        "agent,    GET,    /agent/v1/hosts/lpar9/desired?session=1,             404",
        "agent,    GET,    /agent/v1/hosts/lpar1/desired?session=1,             403",
        "agent,    GET,    /agent/v1/hosts/LPAR9/desired?session=1,             403",
        "agent,    GET,    /agent/v1/hosts/lpar9x/desired?session=1,            403",
        "agent,    GET,    /agent/v1/hosts/lpar9%20/desired?session=1,          403",
        "agent,    GET,    /agent/v1/hosts,                                     403",
        "agent,    GET,    /agent/v1/other/lpar9,                               403",
        "agent,    GET,    /api/v1/hosts,                                       403",
        "agent,    GET,    /actuator/prometheus,                                403",
        "agent,    DELETE, /api/v1/mdevs/00000000-0000-4000-8000-00000000acce,  403",
    })
    void eachRoleMayDoItsOwn(String role, String method, String path, int status) {
        Role which = Role.valueOf(role.toUpperCase(Locale.ROOT));
        String token = issue(which, which == Role.AGENT ? "lpar9" : null);
        Answer answer = http.send(Request.of(method, path).with("Authorization", "Bearer " + token));
        assertThat(answer.status()).as(answer.toString()).isEqualTo(status);
        if (status == 403) {
            assertThat(answer.json().path("type").asString("")).isEqualTo("/problems/forbidden");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/problems",
                "/problems/stale",
                "/v3/api-docs",
                "/v3/api-docs.yaml",
                "/swagger-ui/index.html",
                "/actuator/health"
            })
    void whatTellsNothingOfHostsIsOpen(String path) {
        assertThat(http.send(Request.of("GET", path)).status()).isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/",
                "/nowhere",
                "/api/v1/hosts",
                "/actuator",
                "/actuator/prometheus",
                "/actuator/env",
                "/error",
                "/agent/v1"
            })
    void everythingElseNeedsAToken(String path) {
        Answer answer = http.send(Request.of("GET", path));
        assertThat(answer.status()).isEqualTo(401);
        assertThat(answer.json().path("type").asString("")).isEqualTo("/problems/unauthenticated");
        assertThat(answer.headers()).containsKey("www-authenticate").doesNotContainKey("set-cookie");
    }

    @Test
    void tokenIsGoodUntilItIsRevoked() {
        TokenService.Issued issued = tokens.issue("short", Role.VIEWER, null, null, "test", false);
        assertThat(statusWith(issued.secret())).isEqualTo(200);
        tokens.revoke(issued.token().id());
        assertThat(statusWith(issued.secret())).isEqualTo(401);
    }

    @Test
    void tokenIsGoodUntilItExpires() {
        assertThat(statusWith(
                        tokens.issue("old", Role.VIEWER, null, Instant.now().minusSeconds(1), "test", false)
                                .secret()))
                .isEqualTo(401);
        assertThat(statusWith(
                        tokens.issue("new", Role.VIEWER, null, Instant.now().plusSeconds(600), "test", false)
                                .secret()))
                .isEqualTo(200);
    }

    @Test
    void dryRunMakesNoToken() {
        String admin = issue(Role.ADMIN, null);
        Request create = Request.of("POST", "/api/v1/tokens?dryRun=true")
                .with("Authorization", "Bearer " + admin)
                .with("Content-Type", "application/json")
                .with("{\"name\":\"x\",\"role\":\"viewer\"}".getBytes(StandardCharsets.UTF_8));
        Answer answer = http.send(create);
        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.body()).doesNotContain("apportion_");
        UUID id = UUID.fromString(answer.json().path("id").asString());
        assertThat(tokens.find(id)).isEmpty();
    }

    @Test
    void secretIsShownOnceAndStoredNowhere() {
        String admin = issue(Role.ADMIN, null);
        Answer made = http.send(Request.of("POST", "/api/v1/tokens")
                .with("Authorization", "Bearer " + admin)
                .with("Content-Type", "application/json")
                .with("{\"name\":\"x\",\"role\":\"viewer\"}".getBytes(StandardCharsets.UTF_8)));
        assertThat(made.status()).isEqualTo(201);
        String secret = made.json().path("token").asString();
        assertThat(statusWith(secret)).isEqualTo(200);
        Answer shown = http.send(Request.of("GET", made.header("location")).with("Authorization", "Bearer " + admin));
        assertThat(shown.status()).isEqualTo(200);
        assertThat(shown.body()).doesNotContain(secret);
        byte[] row = database.sql("select hash from tokens where id = ?")
                .param(UUID.fromString(made.json().path("id").asString()))
                .query(byte[].class)
                .single();
        assertThat(row).hasSize(32);
        assertThat(database.sql("select * from tokens").query().listOfRows().toString())
                .doesNotContain(secret);
    }

    @Test
    void agentsTokenNeedsAHostAndNoOtherHasOne() {
        String admin = issue(Role.ADMIN, null);
        for (String body : new String[] {
            "{\"name\":\"x\",\"role\":\"agent\"}", "{\"name\":\"x\",\"role\":\"viewer\",\"host\":\"lpar1\"}"
        }) {
            Answer answer = http.send(Request.of("POST", "/api/v1/tokens")
                    .with("Authorization", "Bearer " + admin)
                    .with("Content-Type", "application/json")
                    .with(body.getBytes(StandardCharsets.UTF_8)));
            assertThat(answer.status()).as(body).isEqualTo(400);
            assertThat(answer.json().path("type").asString()).isEqualTo("/problems/malformed-request");
        }
    }

    @Test
    void requestIdIsTakenIfItIsSane() {
        Request request = Request.of("GET", "/problems");
        assertThat(http.send(request.with("X-Request-Id", "my-id-1")).header("x-request-id"))
                .isEqualTo("my-id-1");
        for (String bad : new String[] {"", "with blank", "x".repeat(129), "\u00ff"}) {
            assertThat(http.send(request.with("X-Request-Id", bad)).header("x-request-id"))
                    .isNotBlank()
                    .isNotEqualTo(bad);
        }
    }

    /** Whatever is configured, the server does not start or asks for a token. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "--spring.autoconfigure.exclude=org.springframework.boot.security.autoconfigure.SecurityAutoConfiguration,"
                    + "org.springframework.boot.security.autoconfigure.web.servlet.ServletWebSecurityAutoConfiguration",
                "--spring.security.filter.dispatcher-types=error",
                "--spring.main.sources=io.apportion.server.web.OpenAccess",
                "--spring.profiles.active=demo"
            })
    void noPropertySwitchesAuthenticationOff(String property) {
        SpringApplication server = new SpringApplication(ServerApplication.class);
        try (var context = server.run(property, "--server.port=0", "--spring.jmx.enabled=false")) {
            int itsPort = ((WebServerApplicationContext) context).getWebServer().getPort();
            assertThat(new RawHttp(itsPort)
                            .send(Request.of("GET", "/api/v1/hosts"))
                            .status())
                    .isEqualTo(401);
        } catch (BeansException | IllegalStateException doesNotStart) {
            assertThat(doesNotStart).hasMessageContaining("access");
        }
    }

    private int statusWith(String secret) {
        return http.send(Request.of("GET", "/api/v1/hosts").with("Authorization", "Bearer " + secret))
                .status();
    }

    private String issue(Role role, String host) {
        return tokens.issue("access", role, host, null, "test", false).secret();
    }
}
