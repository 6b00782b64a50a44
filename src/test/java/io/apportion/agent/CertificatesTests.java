package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsExchange;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import io.apportion.agent.sysfs.TokenFile;
import io.apportion.tls.Authority;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.Report;
import io.apportion.wire.WireFormat;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.pem.PemSslStoreBundle;
import org.springframework.boot.ssl.pem.PemSslStoreDetails;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

/** An agent that shows a certificate, over connections that the server's own certificate proves. */
class CertificatesTests {

    private final Authority authority = new Authority("site");
    private final List<String> shown = new CopyOnWriteArrayList<>();

    @TempDir
    Path folder;

    private HttpsServer server;

    @BeforeEach
    void start() throws IOException {
        Files.writeString(folder.resolve("ca.pem"), authority.certificate());
        server = server(authority.issue("CN=server", "localhost"));
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    private HttpsServer server(Authority.Issued own) throws IOException {
        SSLContext tls = SslBundle.of(new PemSslStoreBundle(
                        new PemSslStoreDetails(null, own.certificate(), own.key()),
                        PemSslStoreDetails.forCertificates(authority.certificate())))
                .createSslContext();
        HttpsServer https = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        https.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        https.setHttpsConfigurator(new HttpsConfigurator(tls) {
            @Override
            public void configure(HttpsParameters parameters) {
                SSLParameters wanted = tls.getDefaultSSLParameters();
                wanted.setWantClientAuth(true);
                parameters.setSSLParameters(wanted);
            }
        });
        https.createContext("/agent/v1/hosts/lpar1/heartbeat", exchange -> {
            shown.add(nameOf((HttpsExchange) exchange));
            byte[] answer = WireFormat.MAPPER.writeValueAsBytes(new Report.HeartbeatAnswer(false, 1));
            try (exchange) {
                exchange.getRequestBody().readAllBytes();
                exchange.sendResponseHeaders(200, answer.length);
                exchange.getResponseBody().write(answer);
            }
        });
        https.start();
        return https;
    }

    private static String nameOf(HttpsExchange exchange) {
        try {
            return ((X509Certificate) exchange.getSSLSession().getPeerCertificates()[0])
                    .getSubjectX500Principal()
                    .getName();
        } catch (javax.net.ssl.SSLPeerUnverifiedException none) {
            return "nobody";
        }
    }

    private ServerLink link(@Nullable String own) {
        TlsFiles files = new TlsFiles(
                folder.resolve("ca.pem"),
                own == null ? null : folder.resolve(own + ".pem"),
                own == null ? null : folder.resolve(own + ".key"),
                TokenFile::requirePrivate);
        URI address = URI.create("https://localhost:" + server.getAddress().getPort());
        return new ServerLink(
                new AgentSettings("lpar1", address, null, files, Keep.NOTHING, AgentSettings.Timings.DEFAULT));
    }

    private static void beat(ServerLink link) throws IOException, InterruptedException {
        link.beat(new Report.Heartbeat("x", 1, ""));
    }

    @Test
    void showsItsCertificateIfItHasOne() throws Exception {
        authority.issue("CN=lpar1").write(folder, "agent");
        try (ServerLink without = link(null);
                ServerLink with = link("agent")) {
            beat(without);
            beat(with);
        }
        assertThat(shown).containsExactly("nobody", "CN=lpar1");
    }

    @Test
    void renewedCertificateIsShownFromTheNextRequestOn() throws Exception {
        authority.issue("CN=old").write(folder, "agent");
        try (ServerLink link = link("agent")) {
            beat(link);
            authority.issue("CN=new").write(folder, "agent");
            beat(link);
            beat(link);
        }
        assertThat(shown).containsExactly("CN=old", "CN=new", "CN=new");
    }

    @Test
    void renewedAuthorityIsTrustedFromTheNextRequestOn() throws Exception {
        Files.writeString(folder.resolve("ca.pem"), new Authority("site").certificate());
        try (ServerLink link = link(null)) {
            assertThatThrownBy(() -> beat(link)).isInstanceOf(IOException.class);
            Files.writeString(folder.resolve("ca.pem"), authority.certificate());
            beat(link);
        }
    }

    /** Whoever renews two files does it one after the other. */
    @Test
    @ExtendWith(OutputCaptureExtension.class)
    void halfRenewedCertificateIsNotTakenYet(CapturedOutput log) throws Exception {
        authority.issue("CN=old").write(folder, "agent");
        try (ServerLink link = link("agent")) {
            beat(link);
            Authority.Issued renewed = authority.issue("CN=new");
            Files.writeString(folder.resolve("agent.pem"), renewed.certificate());
            beat(link);
            Files.writeString(folder.resolve("agent.pem"), "nothing yet");
            beat(link);
            Files.delete(folder.resolve("agent.pem"));
            beat(link);
            renewed.write(folder, "agent");
            beat(link);
            assertThat(shown).containsExactly("CN=old", "CN=old", "CN=old", "CN=old", "CN=new");
            assertThat(log).contains("going on with those there were").doesNotContain(key(renewed), "PRIVATE KEY");
        }
    }

    @Test
    @ExtendWith(OutputCaptureExtension.class)
    void renewedKeyForOthersEyesIsNotTaken(CapturedOutput log) throws Exception {
        authority.issue("CN=old").write(folder, "agent");
        try (ServerLink link = link("agent")) {
            beat(link);
            authority.issue("CN=new").write(folder, "agent");
            Files.setPosixFilePermissions(folder.resolve("agent.key"), PosixFilePermissions.fromString("rw-r--r--"));
            beat(link);
            Files.setPosixFilePermissions(folder.resolve("agent.key"), PosixFilePermissions.fromString("rw-------"));
            beat(link);
            assertThat(shown).containsExactly("CN=old", "CN=old", "CN=new");
            assertThat(log).contains("is for others' eyes too");
        }
    }

    private static String key(Authority.Issued issued) {
        return issued.key().lines().skip(1).findFirst().orElseThrow();
    }

    @Test
    void filesThatNeverWereAnyGoodAreAnErrorThatQuotesNothing() throws Exception {
        Files.writeString(folder.resolve("agent.pem"), "hush");
        Files.writeString(folder.resolve("agent.key"), "hush");
        try (ServerLink link = link("agent")) {
            assertThatThrownBy(() -> beat(link))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("agent.pem")
                    .hasMessageNotContaining("hush")
                    .hasNoCause();
        }
    }
}
