package io.apportion.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.context.ConfigurableApplicationContext;
import tools.jackson.databind.json.JsonMapper;

/** The server as it starts by itself: health and metrics have a port of their own. */
class ManagementPortTests {

    @TempDir
    static Path folder;

    private static ConfigurableApplicationContext server;
    private static HttpClient client;

    @BeforeAll
    static void start() {
        client = HttpClient.newHttpClient();
        server = ServerApplication.start(
                "--server.port=0",
                // Any, as others may run beside this test; that it has one is not said here.
                "--management.server.port=0",
                "--spring.datasource.url=jdbc:h2:mem:management-port",
                "--apportion.identity.admin-token-file=" + folder.resolve("admin-token"));
    }

    @AfterAll
    static void stop() {
        server.close();
        client.close();
    }

    private static String port(String which) {
        return server.getEnvironment().getRequiredProperty("local." + which + ".port");
    }

    private static HttpResponse<String> get(String which, String path, @Nullable String role)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port(which) + path));
        if (role != null) {
            Role of = Role.valueOf(role);
            String token = server.getBean(TokenService.class)
                    .issue("port", of, of == Role.AGENT ? "lpar1" : null, null, "test", false)
                    .secret();
            request.header("Authorization", "Bearer " + token);
        }
        return client.send(request.build(), BodyHandlers.ofString());
    }

    @Test
    void hasAPortOfItsOwn() {
        assertThat(port("management")).isNotEqualTo(port("server"));
        assertThat(server.getEnvironment().getProperty("management.server.address"))
                .isEqualTo("127.0.0.1");
    }

    @ParameterizedTest
    @CsvSource({
        "management, /actuator/health,           ,       200",
        "management, /actuator/health/liveness,  ,       200",
        "management, /actuator/health/readiness, ,       200",
        "management, /actuator/prometheus,       ,       401",
        "management, /actuator/prometheus,       AGENT,  403",
        "management, /actuator/prometheus,       VIEWER, 200",
        "management, /actuator,                  ,       401",
        "management, /actuator/env,              ,       401",
        "management, /.well-known/oauth-protected-resource, , 401",
        "management, /actuator/env,              ADMIN,  404",
        "management, /api/v1/hosts,              ADMIN,  404",
        "management, /agent/v1/hosts/lpar1/desired, AGENT, 404",
        "server,     /actuator/health,           ,       404",
        "server,     /actuator/prometheus,       ADMIN,  404",
        "server,     /api/v1/hosts,              VIEWER, 200",
    })
    void eachPortServesItsOwn(String which, String path, @Nullable String role, int status) throws Exception {
        HttpResponse<String> answer = get(which, path, role);
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(status);
        assertThat(answer.headers().firstValue("x-request-id")).isPresent();
        assertThat(answer.headers().firstValue("x-content-type-options")).contains("nosniff");
        if (status == 401 || status == 403) {
            assertThat(answer.headers().firstValue("content-type")).contains("application/problem+json");
        }
    }

    @ParameterizedTest
    @CsvSource({"/a//b", "/a;b=c", "/actuator/%2e%2e/x", "/actuator/health%00"})
    void badInputIsAProblemHereToo(String path) throws Exception {
        HttpResponse<String> answer = get("management", path, "ADMIN");
        assertThat(answer.statusCode()).isBetween(400, 499);
        assertThat(JsonMapper.shared().readTree(answer.body()).path("status").asInt())
                .isEqualTo(answer.statusCode());
    }
}
