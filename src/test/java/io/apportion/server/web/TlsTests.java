package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.apportion.server.ServerApplication;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.HostSettings;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.Preconditions;
import io.apportion.tls.Authority;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.pem.PemSslStoreBundle;
import org.springframework.boot.ssl.pem.PemSslStoreDetails;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/** A server that speaks TLS, with certificates that are renewed, and agents that show theirs. */
@SpringBootTest(
        classes = ServerApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
        properties = {
            "spring.datasource.url=jdbc:h2:mem:tls",
            "apportion.identity.admin-token-file=target/tls/admin-token",
            "server.ssl.bundle=server",
            "server.ssl.client-auth=want",
            "spring.ssl.bundle.watch.file.quiet-period=50ms",
            "spring.ssl.bundle.pem.server.reload-on-update=true"
        })
class TlsTests {

    private static final Authority SERVERS = new Authority("servers");
    private static final Authority AGENTS = new Authority("agents");
    private static final Authority OTHERS = new Authority("agents");

    private static final List<String> FILES = List.of("server.pem", "server.key", "agents.pem");

    @TempDir
    static Path folder;

    @DynamicPropertySource
    static void certificates(DynamicPropertyRegistry properties) throws IOException {
        mount("CN=first");
        for (String file : FILES) {
            Files.createSymbolicLink(folder.resolve(file), Path.of("..data", file));
        }
        String bundle = "spring.ssl.bundle.pem.server.";
        properties.add(
                bundle + "keystore.certificate",
                () -> folder.resolve("server.pem").toString());
        properties.add(
                bundle + "keystore.private-key",
                () -> folder.resolve("server.key").toString());
        properties.add(
                bundle + "truststore.certificate",
                () -> folder.resolve("agents.pem").toString());
    }

    /** As the kubelet does: files of a new folder, to which a link is turned at once, and none of the old one. */
    private static void mount(String subject) throws IOException {
        Path link = folder.resolve("..data");
        Path old = Files.exists(link) ? link.toRealPath() : null;
        Path files = Files.createTempDirectory(folder, "..");
        SERVERS.issue(subject, "localhost").write(files, "server");
        Files.writeString(files.resolve("agents.pem"), AGENTS.certificate());
        Path next = Files.createSymbolicLink(folder.resolve("..data_tmp"), files.getFileName());
        Files.move(next, link, StandardCopyOption.ATOMIC_MOVE);
        if (old != null) {
            for (String file : FILES) {
                Files.delete(old.resolve(file));
            }
            Files.delete(old);
        }
    }

    @LocalServerPort
    int port;

    @Autowired
    TokenService tokens;

    @Autowired
    MatrixService matrix;

    @BeforeEach
    void seed() {
        matrix.putHost(
                "lpar1",
                new HostSettings(null, null, null, null, null),
                new MatrixService.Mode(Preconditions.NONE, false, false, new Caller("test", true, "seed")));
    }

    private static SSLContext tls(Authority.@Nullable Issued shown) {
        PemSslStoreDetails own = shown == null ? null : new PemSslStoreDetails(null, shown.certificate(), shown.key());
        return SslBundle.of(new PemSslStoreBundle(own, PemSslStoreDetails.forCertificates(SERVERS.certificate())))
                .createSslContext();
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("https://localhost:" + port + path))
                .timeout(Duration.ofSeconds(30));
    }

    private int status(Authority.@Nullable Issued shown, String path, @Nullable String token)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = request(path);
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        try (HttpClient client = HttpClient.newBuilder().sslContext(tls(shown)).build()) {
            HttpResponse<Void> answer = client.send(request.build(), BodyHandlers.discarding());
            assertThat(answer.headers().firstValue("set-cookie"))
                    .as("agents keep no cookies, and the server no sessions")
                    .isEmpty();
            return answer.statusCode();
        }
    }

    // Agents.

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                // subject | DNS names | host asked for | answer: 412 is a session that is over, and 404 no such host
                "CN=lpar1                        |                   | lpar1 | 412",
                "CN=LPAR1,O=Bank,C=DE            |                   | lpar1 | 412",
                "O=Bank                          | lpar1             | lpar1 | 412",
                "CN=lpar1                        | lpar1.bank.example | lpar1 | 412",
                "CN=lpar2                        |                   | lpar2 | 404",
                "CN=lpar2                        |                   | lpar1 | 403",
                "CN=lpar2                        | lpar1             | lpar1 | 403",
                "CN=lpar1.bank.example           |                   | lpar1 | 403",
                "O=lpar1                         |                   | lpar1 | 401",
                "O=Bank                          | lpar1;lpar2       | lpar1 | 401",
                "CN=lpar1,CN=lpar2               |                   | lpar1 | 401",
                "CN=lpar1+SERIALNUMBER=1,O=Bank  |                   | lpar1 | 412",
                "CN=lpar2+SERIALNUMBER=1,O=Bank  | lpar1             | lpar1 | 403",
                "CN=lpar1+CN=lpar2,O=Bank        |                   | lpar1 | 401",
                "CN=\u212Aost                    |                   | kost  | 401",
                "CN='lpar1 '                     |                   | lpar1 | 401",
                "CN=lpar1/x                      |                   | lpar1 | 401",
                "CN=*                            |                   | lpar1 | 401",
            })
    void certificateSpeaksForTheHostThatItNames(String subject, @Nullable String dnsNames, String host, int status)
            throws Exception {
        String[] names = dnsNames == null ? new String[0] : dnsNames.split(";");
        assertThat(status(AGENTS.issue(subject, names), "/agent/v1/hosts/" + host + "/desired?session=9", null))
                .isEqualTo(status);
    }

    @Test
    void certificateIsAnAgentsAndNobodyElses() throws Exception {
        Authority.Issued agent = AGENTS.issue("CN=lpar1");
        assertThat(status(agent, "/api/v1/hosts", null)).isEqualTo(403);
        assertThat(status(agent, "/api/v1/tokens", null)).isEqualTo(403);
        assertThat(status(null, "/agent/v1/hosts/lpar1/desired?session=9", null))
                .isEqualTo(401);
    }

    /** A token says more surely who calls than what terminates the connection. */
    @Test
    void tokenGoesBeforeTheCertificate() throws Exception {
        Authority.Issued agent = AGENTS.issue("CN=lpar1");
        String viewer =
                tokens.issue("tls", Role.VIEWER, null, null, "test", false).secret();
        assertThat(status(agent, "/api/v1/hosts", viewer)).isEqualTo(200);
        assertThat(status(agent, "/agent/v1/hosts/lpar1/desired?session=9", viewer))
                .isEqualTo(403);
        assertThat(status(agent, "/agent/v1/hosts/lpar1/desired?session=9", "apportion_no"))
                .isEqualTo(401);
    }

    @Test
    void certificatesOfOthersAndOldOnesLetNobodyIn() throws Exception {
        for (Authority.Issued bad : new Authority.Issued[] {
            OTHERS.issue("CN=lpar1"),
            SERVERS.issue("CN=lpar1"),
            AGENTS.issue("CN=lpar1", Instant.now().minusSeconds(60))
        }) {
            int status;
            try {
                status = status(bad, "/agent/v1/hosts/lpar1/desired?session=9", null);
            } catch (IOException refused) {
                status = 0;
            }
            // A client that knows that its certificate is of no use here does not show it.
            assertThat(status).isIn(0, 401);
        }
    }

    @Test
    void serverThatWouldTrustAnyAuthorityDoesNotStart() {
        SpringApplication server = new SpringApplication(ServerApplication.class);
        assertThatThrownBy(() -> server.run(
                        "--server.port=0",
                        "--spring.datasource.url=jdbc:h2:mem:tls-any",
                        "--apportion.identity.admin-token-file=" + folder.resolve("any"),
                        "--server.ssl.bundle=any",
                        "--server.ssl.client-auth=want",
                        "--spring.ssl.bundle.pem.any.keystore.certificate=" + folder.resolve("server.pem"),
                        "--spring.ssl.bundle.pem.any.keystore.private-key=" + folder.resolve("server.key")))
                .hasStackTraceContaining("no trust store says whose");
    }

    // TLS.

    @Test
    void browsersAreToldToComeByTlsAlone() throws Exception {
        try (HttpClient client = HttpClient.newBuilder().sslContext(tls(null)).build()) {
            assertThat(client.send(request("/problems").build(), BodyHandlers.discarding())
                            .headers()
                            .firstValue("strict-transport-security"))
                    .contains("max-age=31536000");
        }
    }

    @Test
    void renewedCertificateIsShownWithoutARestartAndStreamsGoOn() throws Exception {
        String viewer =
                tokens.issue("tls", Role.VIEWER, null, null, "test", false).secret();
        assertThat(subject()).isEqualTo("CN=first");
        HttpClient before = HttpClient.newBuilder().sslContext(tls(null)).build();
        try {
            HttpResponse<InputStream> stream = before.send(
                    request("/api/v1/events")
                            .header("Accept", "text/event-stream")
                            .header("Authorization", "Bearer " + viewer)
                            .build(),
                    BodyHandlers.ofInputStream());
            BufferedReader lines = new BufferedReader(new InputStreamReader(stream.body(), StandardCharsets.UTF_8));
            assertThat(lines.readLine()).startsWith("id: ");

            // Twice: what is watched must not be gone with the first renewal.
            for (String subject : List.of("CN=second", "CN=third")) {
                mount(subject);
                await().atMost(Duration.ofMinutes(1)).until(() -> subject().equals(subject));
            }

            matrix.putHost(
                    "renewed",
                    new HostSettings(null, null, null, null, null),
                    new MatrixService.Mode(Preconditions.NONE, false, false, new Caller("test", true, "seed")));
            String line;
            do {
                line = lines.readLine();
                assertThat(line).as("the stream has ended").isNotNull();
            } while (!line.contains("\"host\":\"renewed\""));
        } finally {
            before.shutdownNow();
            mount("CN=first");
            await().atMost(Duration.ofMinutes(1)).until(() -> subject().equals("CN=first"));
        }
    }

    /** Of the certificate that a new connection is shown. */
    private String subject() throws IOException, InterruptedException {
        try (HttpClient client = HttpClient.newBuilder().sslContext(tls(null)).build()) {
            var session = client.send(request("/problems").build(), BodyHandlers.discarding())
                    .sslSession()
                    .orElseThrow();
            return ((X509Certificate) session.getPeerCertificates()[0])
                    .getSubjectX500Principal()
                    .getName();
        }
    }
}
