package io.apportion.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.beans.factory.annotation.Autowired;
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

    /** Those that others need, and after all others those that would take from them what they need. */
    private static final List<String> FIRST = List.of("putHost", "putMdev");

    private static final List<String> LAST =
            List.of("deleteMdev", "deleteHost", "deleteToken", "deleteCard", "deleteDomain", "deleteQueue", "reboot");

    @TempDir
    static Path folder;

    @DynamicPropertySource
    static void data(DynamicPropertyRegistry properties) {
        properties.add("apportion.data", folder::toString);
    }

    @LocalServerPort
    int port;

    @Autowired
    DemoHosts hosts;

    private final HttpClient http = HttpClient.newHttpClient();
    private final JsonMapper json = JsonMapper.shared();

    /** Instead of an example that only a server that made it before can know. */
    private final Map<String, String> made = new HashMap<>();

    @Test
    void eachExampleWorksWhenPasted() throws Exception {
        Contract contract =
                Contract.of(send("GET", "/v3/api-docs.yaml", null, null).body());
        // The agents have reported, and the guests that the demo starts run.
        await().untilAsserted(() -> assertThat(json.readTree(send("GET", "/api/v1/mdevs?host=lpar1", null, null)
                                .body())
                        .at("/items/0/guest/attached")
                        .asBoolean(false))
                .isTrue());
        prepare();
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
                if (operation.id().equals("createToken")) {
                    String token = json.readTree(answer.body()).path("id").asString();
                    made.put("/api/v1/tokens/{id}", token);
                }
            }
        }
        assertThat(failed).isEmpty();
    }

    /** What a demo does not have: an mdev that somebody made by hand, and one whose guest no agent sees. */
    private void prepare() throws Exception {
        UUID foreign = UUID.fromString("3d0c9e14-7f3b-4a2e-9b61-5e8f0a4d2c17");
        hosts.host("lpar1").simulated().createForeign(foreign, new Matrix(ApMask.of(4), ApMask.of(0x54), ApMask.NONE));
        await().untilAsserted(() -> assertThat(send("GET", "/api/v1/hosts/lpar1/foreign-mdevs", null, null)
                        .body())
                .contains(foreign.toString()));
        UUID unseen = UUID.fromString("9e1b7c52-3d84-4f06-8a2d-c05f6e7b1d48");
        send("PUT", "/api/v1/hosts/lpar9", null, "{}");
        send("PUT", "/api/v1/mdevs/" + unseen, null, "{\"host\": \"lpar9\"}");
        made.put("/api/v1/mdevs/{uuid}/guest", unseen.toString());
    }

    private static int turn(Operation operation) {
        int first = FIRST.indexOf(operation.id());
        int last = LAST.indexOf(operation.id());
        if (first >= 0) {
            return first;
        }
        return last >= 0
                ? 1000 + last
                : switch (operation.method()) {
                    case "POST", "PUT" -> 10;
                    case "GET" -> 20;
                    default -> 30;
                };
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
                boolean isId = name.equals("id") || name.equals("uuid");
                path = path.replace(
                        "{" + name + "}", encoded(isId ? made.getOrDefault(operation.path(), example) : example));
            }
        }
        JsonNode body = operation.node().path("requestBody").path("content").path("application/json");
        return send(
                operation.method(),
                path,
                media,
                body.isMissingNode() ? null : body.path("example").toString());
    }

    private static String encoded(String value) {
        return URLEncoder.encode(value, UTF_8);
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

    @Test
    void swaggerUiShowsTheDemoToo() throws Exception {
        assertThat(send("GET", "/swagger-ui/index.html", null, null).statusCode())
                .isEqualTo(200);
    }
}
