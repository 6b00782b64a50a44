package io.apportion.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A demo that is started again is the one that was stopped. */
class RestartTests {

    private static final String OLD = "/api/v1/hosts/lpar2/foreign-mdevs";

    @TempDir
    Path folder;

    private final HttpClient http = HttpClient.newHttpClient();
    private ConfigurableApplicationContext demo;

    @BeforeEach
    void start() {
        demo = DemoApplication.start(
                "--server.port=0",
                "--apportion.data=" + folder,
                "--spring.datasource.url=jdbc:h2:file:" + folder.resolve("db") + ";WRITE_DELAY=0");
    }

    @AfterEach
    void stop() {
        demo.close();
    }

    private JsonNode send(String method, String path) throws Exception {
        int port = ((ServletWebServerApplicationContext) demo).getWebServer().getPort();
        HttpResponse<String> answer = http.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                        .method(method, BodyPublishers.noBody())
                        .build(),
                BodyHandlers.ofString());
        assertThat(answer.statusCode()).as(answer.body()).isLessThan(300);
        return JsonMapper.shared().readTree(answer.body());
    }

    @Test
    void findsItsMachinesAsTheyWere() throws Exception {
        List.of("lpar1", "lpar2", "lpar3").forEach(this::awaitSettled);
        send("DELETE", "/demo/v1/hosts/lpar1/queues/04.0047");
        JsonNode before = send("GET", "/demo/v1/hosts/lpar1");
        assertThat(before.at("/guests/0/adapters")).hasSize(1);

        restart();

        await().untilAsserted(
                        () -> assertThat(send("GET", "/demo/v1/hosts/lpar1")).isEqualTo(before));
        assertThat(send("GET", OLD).at("/items")).hasSize(1);
    }

    @Test
    void findsNoMdevThatWasMadeByHandOnceApportionHasHadIt() throws Exception {
        awaitSettled("lpar2");
        String mdev = send("GET", OLD).at("/items/0/uuid").asString();
        send("POST", OLD + "/" + mdev + "/adopt");
        awaitSettled("lpar2");
        send("DELETE", "/api/v1/mdevs/" + mdev);
        awaitSettled("lpar2");

        restart();

        // Only mdevctl still knows it.
        assertThat(send("GET", OLD).findValuesAsString("state")).containsExactly("defined");
    }

    private void restart() throws Exception {
        Map<String, String> boots = new TreeMap<>();
        for (String host : List.of("lpar1", "lpar2", "lpar3")) {
            boots.put(
                    host,
                    send("GET", "/api/v1/hosts/" + host).at("/agent/bootId").asString());
        }
        stop();
        start();
        boots.forEach(this::awaitSettled);
    }

    private void awaitSettled(String host) {
        awaitSettled(host, "");
    }

    private void awaitSettled(String host, String bootBefore) {
        await().untilAsserted(() -> {
            JsonNode shown = send("GET", "/api/v1/hosts/" + host);
            assertThat(shown.at("/agent/bootId").asString(bootBefore)).isNotEqualTo(bootBefore);
            assertThat(shown.at("/agent/appliedGeneration").asLong(-1))
                    .isEqualTo(shown.at("/generation").asLong());
        });
    }
}
