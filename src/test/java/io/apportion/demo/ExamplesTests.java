package io.apportion.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.contract.Contract;
import io.apportion.contract.Contract.Operation;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Whoever pastes an example of the contract into a demo that was just started gets an answer and no problem. */
@SpringBootTest(
        classes = DemoApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
        properties = "apportion.documented-paths=/api/**,/demo/**")
class ExamplesTests {

    @TempDir
    static Path folder;

    @DynamicPropertySource
    static void data(DynamicPropertyRegistry properties) {
        properties.add("apportion.data", folder::toString);
    }

    @LocalServerPort
    int port;

    private final HttpClient http = HttpClient.newHttpClient();
    private final JsonMapper json = JsonMapper.shared();

    @Test
    void eachExampleWorksWhenPasted() throws Exception {
        Contract contract =
                Contract.of(send("GET", "/v3/api-docs.yaml", null, null).body());
        await().untilAsserted(() -> {
            // The agents have reported, and the guests that the demo starts run.
            assertThat(get("/api/v1/hosts").findValuesAsString("appliedGeneration"))
                    .isEqualTo(get("/api/v1/hosts").findValuesAsString("generation"))
                    .hasSize(3);
            assertThat(get("/api/v1/mdevs").findValuesAsString("name")).contains("shop-vm", "bank-vm");
        });
        List<String> failed = new ArrayList<>();
        List<Operation> operations = contract.operations().stream()
                .sorted(Comparator.comparing(ExamplesTests::turn))
                .toList();
        assertThat(operations).anyMatch(operation -> operation.path().startsWith("/demo/"));
        for (Operation operation : operations) {
            for (String media : answered(operation)) {
                HttpResponse<String> answer = paste(operation, media);
                if (answer.statusCode() >= 300) {
                    failed.add(operation.id() + " " + answer.request().uri() + ": " + answer.body());
                    continue;
                }
                failed.addAll(contract.violations(
                        operation.method(),
                        answer.request().uri().getRawPath(),
                        answer.statusCode(),
                        answer.headers().firstValue("Content-Type").orElse(null),
                        answer.body().getBytes(UTF_8)));
            }
        }
        assertThat(failed).isEmpty();
    }

    /** What there is to delete was put before; a reboot comes last, as it takes a moment. */
    private static int turn(Operation operation) {
        return operation.id().equals("reboot")
                ? 4
                : List.of("PUT", "POST", "GET", "DELETE").indexOf(operation.method());
    }

    /** A stream would not end. */
    private static List<String> answered(Operation operation) {
        return operation.node().path("responses").properties().stream()
                .filter(response -> response.getKey().startsWith("2"))
                .flatMap(response -> response.getValue().path("content").propertyNames().stream())
                .filter(media -> !media.equals("text/event-stream"))
                .distinct()
                .toList();
    }

    private HttpResponse<String> paste(Operation operation, String media) throws Exception {
        String path = operation.path();
        for (JsonNode parameter : operation.node().path("parameters")) {
            if (parameter.path("in").asString().equals("path")) {
                String name = parameter.path("name").asString();
                String example = parameter.path("example").asString("");
                path = path.replace("{" + name + "}", URLEncoder.encode(example, UTF_8));
            }
        }
        JsonNode body = operation.node().path("requestBody").path("content").path("application/json");
        return send(
                operation.method(),
                path,
                media,
                body.isMissingNode() ? null : body.path("example").toString());
    }

    private HttpResponse<String> send(String method, String path, @Nullable String accept, @Nullable String body)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        if (accept != null) {
            request.header("Accept", accept);
        }
        if (body != null) {
            request.header("Content-Type", "application/json");
        }
        return http.send(request.build(), BodyHandlers.ofString());
    }

    private JsonNode get(String path) throws IOException, InterruptedException {
        return json.readTree(send("GET", path, null, null).body());
    }

    @Test
    void swaggerUiShowsTheDemoToo() throws Exception {
        assertThat(send("GET", "/swagger-ui/index.html", null, null).statusCode())
                .isEqualTo(200);
    }
}
