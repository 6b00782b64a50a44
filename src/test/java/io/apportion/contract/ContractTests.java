package io.apportion.contract;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.contract.Contract.Operation;
import io.apportion.server.ServerApplication;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import tools.jackson.databind.JsonNode;

/**
 * The committed contract is what the server says of itself, to the byte; {@code -Dapportion.contract=write} writes it
 * anew. And it says enough: each operation, each parameter, each body with an example that fits.
 */
@SpringBootTest(classes = ServerApplication.class, webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ContractTests {

    @LocalServerPort
    int port;

    private String served = "";
    private Contract contract;

    @BeforeEach
    void read() throws IOException, InterruptedException {
        if (served.isEmpty()) {
            HttpResponse<String> answer = get("/v3/api-docs.yaml");
            assertThat(answer.statusCode()).isEqualTo(200);
            served = answer.body();
            if ("write".equals(System.getProperty("apportion.contract"))) {
                Files.createDirectories(Contract.FILE.getParent());
                Files.writeString(Contract.FILE, served);
            }
            contract = Contract.of(served);
        }
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                            .build(),
                    BodyHandlers.ofString());
        }
    }

    @Test
    void isCommittedToTheByte() throws IOException {
        assertThat(served)
                .as("%s; if the change is meant, run this test with -Dapportion.contract=write", Contract.FILE)
                .isEqualTo(Files.readString(Contract.FILE));
    }

    @Test
    void isTheSameWhenAskedForAgain() throws IOException, InterruptedException {
        assertThat(get("/v3/api-docs.yaml").body()).isEqualTo(served);
    }

    @Test
    void namesNoMachineAndEndsLinesAsGitDoes() {
        assertThat(served).doesNotContain("localhost", "127.0.0.1", String.valueOf(port), "\r");
        assertThat(served).endsWith("\n");
    }

    @Test
    void swaggerUiShowsIt() throws IOException, InterruptedException {
        assertThat(get("/swagger-ui/index.html").statusCode()).isEqualTo(200);
    }

    @Test
    void everyOperationSaysWhatItDoes() {
        Set<String> ids = new HashSet<>();
        List<String> poor = new ArrayList<>();
        for (Operation operation : contract.operations()) {
            if (!ids.add(operation.id()) || !operation.id().matches("[a-z][A-Za-z]+")) {
                poor.add(operation + ": operation id " + operation.id());
            }
            if (operation.node().path("summary").asString("").isBlank()) {
                poor.add(operation + ": no summary");
            }
            if (operation.node().path("tags").size() != 1) {
                poor.add(operation + ": tags");
            }
        }
        assertThat(ids).hasSizeGreaterThan(30);
        assertThat(poor).isEmpty();
    }

    @Test
    void everyParameterSaysWhatItTakes() {
        List<String> poor = new ArrayList<>();
        for (Operation operation : contract.operations()) {
            for (JsonNode parameter : operation.node().path("parameters")) {
                String at = operation + ": " + parameter.path("name").asString();
                boolean inPath = parameter.path("in").asString().equals("path");
                if (inPath && parameter.path("example").isMissingNode()) {
                    poor.add(at + " has no example");
                }
                if (!inPath && parameter.path("description").asString("").isBlank()) {
                    poor.add(at + " has no description");
                }
                if (parameter.path("schema").isMissingNode()) {
                    poor.add(at + " has no schema");
                }
            }
        }
        assertThat(poor).isEmpty();
    }

    @Test
    void everyBodyHasAnExampleThatFits() {
        List<String> poor = new ArrayList<>();
        for (Operation operation : contract.operations()) {
            bodies(operation).forEach(body -> {
                JsonNode example = body.path("example");
                String ref = body.path("schema").path("$ref").asString("");
                if (example.isMissingNode()) {
                    poor.add(operation + ": a body without example, " + ref);
                } else if (!ref.isEmpty() && !example.isString()) {
                    poor.addAll(contract.shape(operation + " ", ref.substring(1), example));
                }
            });
        }
        assertThat(poor).isEmpty();
    }

    /** Of the request and of the success. */
    private static Stream<JsonNode> bodies(Operation operation) {
        Stream<JsonNode> answers = operation.node().path("responses").properties().stream()
                .filter(response -> response.getKey().startsWith("2"))
                .flatMap(response -> response.getValue().path("content").properties().stream()
                        .map(Map.Entry::getValue));
        return Stream.concat(
                operation.node().path("requestBody").path("content").properties().stream()
                        .map(Map.Entry::getValue),
                answers);
    }

    @Test
    void everyProblemHasAnExampleOfItsStatus() {
        List<String> poor = new ArrayList<>();
        for (Operation operation : contract.operations()) {
            operation.node().path("responses").properties().stream()
                    .filter(response -> response.getKey().compareTo("400") >= 0)
                    .forEach(response -> contract.resolved(response.getValue())
                            .path("content")
                            .path("application/problem+json")
                            .path("examples")
                            .properties()
                            .forEach(example -> {
                                JsonNode problem =
                                        contract.resolved(example.getValue()).path("value");
                                String at = operation + " " + response.getKey() + " " + example.getKey() + ": ";
                                poor.addAll(contract.shape(at, "/components/schemas/Problem", problem));
                                if (!problem.path("type").asString("").equals("/problems/" + example.getKey())
                                        || !problem.path("status").asString("").equals(response.getKey())) {
                                    poor.add(at + problem);
                                }
                            }));
            for (String status : List.of("400", "401", "403", "406", "503")) {
                if (!operation.node().path("responses").has(status)) {
                    poor.add(operation + ": no " + status);
                }
            }
        }
        assertThat(poor).isEmpty();
    }

    /** The check of this contract is worth what it refuses. */
    @Test
    void anAnswerThatIsNotDocumentedIsRefused() {
        String path = "/api/v1/mdevs/0b5c6b9e-2c1d-4f6a-8e53-6d1f2a7c9b01/matrix";
        String right = "{\"adapters\":[\"0x04\"],\"domains\":[],\"controlDomains\":[]}";
        assertThat(check("GET", path, 200, "application/json", right)).isEmpty();
        assertThat(check("GET", path, 200, "text/plain;charset=UTF-8", "04.\n")).isEmpty();
        assertThat(check("GET", path, 200, "application/json", right.replace("0x04", "4")))
                .hasSize(1);
        assertThat(check("GET", path, 200, "application/json", right.replace("adapters", "adaptors")))
                .isNotEmpty();
        assertThat(check("GET", path, 200, "application/json", right.replace("{", "{\"more\":1,")))
                .hasSize(1);
        assertThat(check("GET", path, 200, "text/html", right)).hasSize(1);
        assertThat(check("GET", path, 202, "application/json", right)).hasSize(1);
        assertThat(check("GET", path + "es", 200, "application/json", right)).hasSize(1);
        String problem = """
            {"type":"/problems/%s","title":"t","status":404,"detail":"d","instance":"i","requestId":"r","remedy":"m"}\
            """;
        assertThat(check("GET", path, 404, "application/problem+json", problem.formatted("not-found")))
                .isEmpty();
        assertThat(check("GET", path, 404, "application/problem+json", problem.formatted("gone")))
                .hasSize(1);
        assertThat(check(
                        "GET",
                        path,
                        404,
                        "application/problem+json",
                        problem.formatted("not-found").replace("title", "titel")))
                .isNotEmpty();
        assertThat(check("GET", "/api/v1/nosuch", 404, "application/problem+json", problem.formatted("not-found")))
                .isEmpty();
        assertThat(check("GET", "/api/v1/nosuch", 409, "application/problem+json", problem.formatted("queue-in-use")))
                .hasSize(1);
    }

    private List<String> check(String method, String path, int status, String type, String body) {
        return contract.violations(method, path, status, type, body.getBytes(UTF_8));
    }
}
