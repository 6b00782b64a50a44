package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import com.jayway.jsonpath.JsonPath;
import io.apportion.server.ServerParts;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.ReportService;
import java.net.URI;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.http.MediaType;
import org.springframework.test.web.servlet.client.RestTestClient;
import org.springframework.test.web.servlet.client.RestTestClient.ResponseSpec;

/**
 * The whole server on an H2 of its own, asked over HTTP as an admin. Each test has its own host, so that none needs to
 * tidy up after another.
 */
@SpringBootTest(
        classes = {ServerParts.class, OpenAccess.class},
        webEnvironment = WebEnvironment.RANDOM_PORT,
        properties = "spring.datasource.url=jdbc:h2:mem:served-api;DB_CLOSE_DELAY=-1")
abstract class ServedApi {

    private static final AtomicInteger HOSTS = new AtomicInteger();

    @Autowired
    MatrixQueries queries;

    @Autowired
    ReportService reports;

    @LocalServerPort
    int port;

    RestTestClient api;

    /** A host that is there and has never reported. */
    String host;

    @BeforeEach
    void startWithANewHost() {
        api = RestTestClient.bindToServer()
                .baseUrl("http://localhost:" + port + "/api/v1")
                .build();
        host = "host" + HOSTS.incrementAndGet();
        put("/hosts/" + host, "{}").expectStatus().isCreated();
    }

    ResponseSpec get(String path) {
        return api.get().uri(encoded(path)).exchange();
    }

    ResponseSpec delete(String path, String... headers) {
        return api.delete()
                .uri(encoded(path))
                .headers(all -> add(headers, all::add))
                .exchange();
    }

    ResponseSpec put(String path, String json, String... headers) {
        return api.put()
                .uri(encoded(path))
                .contentType(MediaType.APPLICATION_JSON)
                .headers(all -> add(headers, all::add))
                .body(json)
                .exchange();
    }

    ResponseSpec put(String path) {
        return api.put().uri(encoded(path)).exchange();
    }

    ResponseSpec post(String path, String json, String... headers) {
        return api.post()
                .uri(encoded(path))
                .contentType(MediaType.APPLICATION_JSON)
                .headers(all -> add(headers, all::add))
                .body(json)
                .exchange();
    }

    /** Creates an mdev of this test's host. */
    UUID mdev(String adapters, String domains) {
        UUID uuid = UUID.randomUUID();
        put("/mdevs/" + uuid, mdevBody(adapters, domains)).expectStatus().isCreated();
        return uuid;
    }

    /** @param adapters JSON, for example {@code ["0x04"]} */
    String mdevBody(String adapters, String domains) {
        return """
            {"host": "%s", "adapters": %s, "domains": %s, "controlDomains": []}\
            """.formatted(host, adapters, domains);
    }

    /** An agent of this test's host, which has reported once. */
    ReportingAgent agent() {
        ReportingAgent agent = new ReportingAgent(host, queries, reports);
        agent.report();
        return agent;
    }

    /** The body of a success. */
    @SuppressWarnings("unchecked")
    static Map<String, Object> json(ResponseSpec answer) {
        return Objects.requireNonNull(answer.expectStatus()
                .is2xxSuccessful()
                .expectBody(Map.class)
                .returnResult()
                .getResponseBody());
    }

    /** The body of a problem of that kind. */
    @SuppressWarnings("unchecked")
    static Map<String, Object> problem(ResponseSpec answer, ProblemKind kind) {
        Map<String, Object> problem = Objects.requireNonNull(answer.expectHeader()
                .contentType(MediaType.APPLICATION_PROBLEM_JSON)
                .expectBody(Map.class)
                .returnResult()
                .getResponseBody());
        assertThat(problem).containsEntry("type", "/problems/" + kind.slug()).containsEntry("status", kind.status());
        return problem;
    }

    /** What is there under that path, for example {@code $.items[*].name}. */
    static <T> T at(String path, Map<String, Object> json) {
        return JsonPath.read(json, path);
    }

    static String tag(ResponseSpec answer) {
        return Objects.requireNonNull(
                answer.returnResult(String.class).getResponseHeaders().getETag());
    }

    /** As it is: without expanding templates, and with nothing encoded twice. */
    private URI encoded(String path) {
        return URI.create("http://localhost:" + port + "/api/v1" + path);
    }

    private interface Adding {
        void add(String name, String value);
    }

    private static void add(String[] headers, Adding all) {
        for (int i = 0; i < headers.length; i += 2) {
            all.add(headers[i], headers[i + 1]);
        }
    }
}
