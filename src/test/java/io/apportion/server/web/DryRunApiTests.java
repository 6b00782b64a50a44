package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.test.web.servlet.client.EntityExchangeResult;

/** A dry run answers what the change then answers, and with nothing that says it were done. */
class DryRunApiTests extends ServedApi {

    private static final String NEW = UUID.randomUUID().toString();
    private static final String FOREIGN = UUID.randomUUID().toString();

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "PUT | /hosts/HOST | {}",
                "PUT | /hosts/HOST | {'description': 'x', 'filter': 'recompute'}",
                "PUT | /hosts/HOST | {'policy': 'paused'}",
                "PUT | /hosts/HOST | {'bindingMode': 'masks'}",
                "PUT | /hosts/HOST | {'policy': 'report', 'labels': {'zone': 'a'}}",
                "PUT | /hosts/HOST-new | {'labels': {'zone': 'a'}, 'policy': 'paused'}",
                "DELETE | /hosts/HOST/claim | ``",
                "PUT | /hosts/HOST/reservation | {'adapters': [5], 'domains': [84]}",
                "DELETE | /hosts/HOST/reservation | ``",
                "PUT | /hosts/HOST/queues/05.0047/driver | {'driver': 'none'}",
                "DELETE | /hosts/HOST/queues/05.0047/driver | ``",
                "POST | /hosts/HOST/foreign-mdevs/FOREIGN/adopt | ``",
                "POST | /mdevs | {'host': 'HOST', 'adapters': [5], 'domains': [4]}",
                "PUT | /mdevs/NEW | {'host': 'HOST', 'labels': {'a': 'b'}, 'adapters': [5], 'domains': [4]}",
                "PUT | /mdevs/MDEV | {'host': 'HOST', 'labels': {'a': 'b'}, 'adapters': [5], 'domains': [4]}",
                "PUT | /mdevs/MDEV | {'host': 'HOST', 'labels': {'a': 'b'}, 'adapters': [4], 'domains': [4, 71]}",
                "PUT | /mdevs/MDEV | {'host': 'HOST', 'labels': {}, 'adapters': [4], 'domains': [4, 71]}",
                "PUT | /mdevs/MDEV/adapters/5 | ``",
                "PUT | /mdevs/MDEV/adapters/4 | ``",
                "DELETE | /mdevs/MDEV/domains/71 | ``",
                "PUT | /mdevs/MDEV/matrix | {'adapters': [5], 'controlDomains': [4]}",
                "DELETE | /mdevs/MDEV | ``"
            })
    void answersAsTheChangeDoes(HttpMethod method, String path, String body) {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4, 71]");
        agent.foreign.put(UUID.fromString(FOREIGN), new Matrix(ApMask.of(6), ApMask.of(0x53), ApMask.NONE));
        agent.report();
        String uri = path.replace("HOST", host)
                .replace("MDEV", mdev.toString())
                .replace("NEW", NEW)
                .replace("FOREIGN", FOREIGN);
        String json = body.replace("HOST", host).replace('\'', '"');
        Map<String, Object> before = everything();

        EntityExchangeResult<Map<String, Object>> planned = send(method, uri + "?dryRun=true", json);
        assertThat(planned.getStatus().value()).isEqualTo(200);
        assertThat(planned.getResponseHeaders().headerNames()).doesNotContain(HttpHeaders.LOCATION, HttpHeaders.ETAG);
        assertThat(everything()).isEqualTo(before);

        EntityExchangeResult<Map<String, Object>> done = send(method, uri, json);
        assertThat(withoutNames(done)).isEqualTo(withoutNames(planned));
    }

    private Map<String, Object> everything() {
        Map<String, Object> hosts = json(get("/hosts"));
        // Agents of other tests fall silent in time.
        ServedApi.<List<Map<String, Object>>>at("$.items[*].agent", hosts).forEach(agent -> agent.remove("connected"));
        return Map.of(
                "hosts", hosts,
                "mdevs", json(get("/mdevs")),
                "foreign", json(get("/hosts/" + host + "/foreign-mdevs")),
                "commits", json(get("/commits?host=" + host)));
    }

    @SuppressWarnings("unchecked")
    private EntityExchangeResult<Map<String, Object>> send(HttpMethod method, String path, String body) {
        var request = api.method(method).uri("http://localhost:" + port + "/api/v1" + path);
        var answer = body.isEmpty()
                ? request.exchange()
                : request.contentType(MediaType.APPLICATION_JSON).body(body).exchange();
        return (EntityExchangeResult<Map<String, Object>>)
                (EntityExchangeResult<?>) answer.expectBody(Map.class).returnResult();
    }

    /** But for what only a stored change has: its commit, when it was, and the UUID that the server picked. */
    private static Map<String, Object> withoutNames(EntityExchangeResult<Map<String, Object>> answer) {
        Map<String, Object> view = answer.getResponseBody();
        List.of("commit", "createdAt", "uuid").forEach(view::remove);
        return view;
    }
}
