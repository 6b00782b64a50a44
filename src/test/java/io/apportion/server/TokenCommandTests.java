package io.apportion.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.apportion.server.identity.Identity;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.tls.Authority;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.pem.PemSslStoreBundle;
import org.springframework.boot.ssl.pem.PemSslStoreDetails;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;

@SpringBootTest(
        classes = ServerApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
        // As AccessTests, whose server serves here too.
        properties = "apportion.web.failed-logins=1000000")
class TokenCommandTests {

    @LocalServerPort
    int port;

    @Autowired
    TokenService tokens;

    @TempDir
    Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @BeforeEach
    void writeAdminsToken() throws IOException {
        Files.writeString(
                folder.resolve("admin"),
                tokens.issue("command", Role.ADMIN, null, null, "test", false).secret() + "\n");
    }

    @Test
    void printsTheTokenAndNothingElse() {
        assertThat(run("--name", "lpar1", "--role", "agent", "--host", "lpar1", "--expires", "P90D"))
                .isZero();
        assertThat(tokens.identify(printed(out)).orElseThrow())
                .extracting(Identity::actor, Identity::role, Identity::host)
                .containsExactly("agent:lpar1", Role.AGENT, "lpar1");
        assertThat(printed(err)).isEmpty();
    }

    @Test
    void limitsAnOperatorToHostsWithTheseLabels() {
        assertThat(run("--name", "zone-a", "--role", "operator", "--scope", "zone=a,rack=7"))
                .isZero();
        assertThat(tokens.identify(printed(out)).orElseThrow().scope()).isEqualTo(Map.of("zone", "a", "rack", "7"));
        assertThat(run("--name", "zone-a", "--role", "operator", "--scope", "zone"))
                .isEqualTo(2);
        assertThat(run("--name", "zone-a", "--role", "admin", "--scope", "zone=a"))
                .isEqualTo(1);
    }

    @Test
    void tellsWhyTheServerRefuses() {
        assertThat(run("--name", "x", "--role", "king")).isEqualTo(1);
        assertThat(printed(err)).contains("/role is not one of viewer, operator, admin, agent");
        assertThat(printed(out)).isEmpty();
    }

    @Test
    void tellsThatThereIsNoServer() {
        assertThat(run("--name", "x", "--role", "viewer", "--server", "http://127.0.0.1:1"))
                .isEqualTo(1);
        assertThat(printed(err)).isNotEmpty();
    }

    @Test
    void trustsTheAuthorityThatItIsGivenAndNoOther() throws IOException {
        Authority site = new Authority("site");
        Files.writeString(folder.resolve("site.pem"), site.certificate());
        Files.writeString(folder.resolve("other.pem"), new Authority("site").certificate());
        List<String> senders = new CopyOnWriteArrayList<>();
        HttpsServer server = server(site.issue("CN=server", "localhost"), senders);
        try {
            String url = "https://localhost:" + server.getAddress().getPort();
            for (List<String> others : List.of(List.<String>of(), trusting("other.pem"))) {
                assertThat(over(url, others)).isEqualTo(1);
                assertThat(printed(err)).contains("PKIX");
            }
            assertThat(senders).as("who gave away the admin's token").isEmpty();

            assertThat(over(url, trusting("site.pem"))).isZero();
            assertThat(printed(out)).isEqualTo("apportion_made");
            assertThat(senders).hasSize(1).first().asString().startsWith("Bearer apportion_");
        } finally {
            server.stop(0);
        }
    }

    private List<String> trusting(String file) {
        return List.of("--trusted-certificates", folder.resolve(file).toString());
    }

    private int over(String url, List<String> options) {
        List<String> all = new ArrayList<>(List.of("--name", "x", "--role", "viewer", "--server", url));
        all.addAll(options);
        return run(all.toArray(String[]::new));
    }

    private static HttpsServer server(Authority.Issued own, List<String> senders) throws IOException {
        SSLContext tls = SslBundle.of(
                        new PemSslStoreBundle(new PemSslStoreDetails(null, own.certificate(), own.key()), null))
                .createSslContext();
        HttpsServer https = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        https.setHttpsConfigurator(new HttpsConfigurator(tls));
        https.createContext("/api/v1/tokens", exchange -> {
            senders.add(exchange.getRequestHeaders().getFirst("Authorization"));
            byte[] answer = "{\"token\":\"apportion_made\"}".getBytes(StandardCharsets.UTF_8);
            try (exchange) {
                exchange.getRequestBody().readAllBytes();
                exchange.sendResponseHeaders(201, answer.length);
                exchange.getResponseBody().write(answer);
            }
        });
        https.start();
        return https;
    }

    @ParameterizedTest
    @ValueSource(strings = {"none.pem", "empty.pem", "text.pem", "torn.pem"})
    void tellsThatAFileHasNoCertificates(String file) throws IOException {
        Files.writeString(folder.resolve("empty.pem"), "");
        Files.writeString(folder.resolve("text.pem"), "/etc/apportion/ca.pem");
        Files.writeString(
                folder.resolve("torn.pem"), new Authority("site").certificate().substring(0, 100));
        assertThat(over("https://localhost:1", trusting(file))).isEqualTo(1);
        assertThat(printed(err)).contains("--trusted-certificates").contains(file);
    }

    @Test
    void tellsThatThereIsNoAdminsToken() {
        assertThat(run(
                        "--name",
                        "x",
                        "--role",
                        "viewer",
                        "--token-file",
                        folder.resolve("none").toString()))
                .isEqualTo(1);
        assertThat(printed(err)).contains("--token-file");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"http://server.example:8080", "ftp://localhost", "localhost:8080", "http://localhost.example"})
    void sendsNoTokenInTheClear(String server) {
        assertThat(run("--name", "x", "--role", "viewer", "--server", server)).isEqualTo(2);
        assertThat(printed(err)).contains("neither https nor this machine");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "create",
                "delete --name x --role viewer",
                "create --name x",
                "create --role viewer",
                "create --name",
                "create name x role viewer",
                "create --name x --role viewer --nosuch y",
                "create --name x --role viewer --expires soon"
            })
    void saysHowItIsCalled(String arguments) {
        String[] words = arguments.isEmpty() ? new String[0] : arguments.split(" ");
        assertThat(new TokenCommand(print(out), print(err)).run(words)).isEqualTo(2);
        assertThat(printed(err)).contains("Usage: apportion token create");
    }

    private int run(String... options) {
        List<String> all = new ArrayList<>(List.of("create"));
        all.addAll(List.of(
                "--server",
                "http://localhost:" + port,
                "--token-file",
                folder.resolve("admin").toString()));
        all.addAll(List.of(options));
        return new TokenCommand(print(out), print(err)).run(all.toArray(String[]::new));
    }

    private static PrintStream print(ByteArrayOutputStream bytes) {
        return new PrintStream(bytes, true, StandardCharsets.UTF_8);
    }

    private static String printed(ByteArrayOutputStream bytes) {
        return bytes.toString(StandardCharsets.UTF_8).strip();
    }
}
