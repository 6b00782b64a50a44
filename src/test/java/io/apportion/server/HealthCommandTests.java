package io.apportion.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HealthCommandTests {

    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final HealthCommand command = new HealthCommand(new PrintStream(err, true, StandardCharsets.UTF_8));

    @Test
    void isContentWithAServerThatIsReady() throws IOException {
        assertThat(runAgainst(200)).isZero();
        assertThat(err.toString(StandardCharsets.UTF_8)).isEmpty();
    }

    @Test
    void saysWhatAServerAnswersThatIsNotReady() throws IOException {
        assertThat(runAgainst(503)).isEqualTo(1);
        assertThat(err.toString(StandardCharsets.UTF_8))
                .startsWith("Not ready: ")
                .endsWith(" answers 503.\n");
    }

    @Test
    void saysThatNobodyAnswers() throws IOException {
        HttpServer gone = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        int port = gone.getAddress().getPort();
        gone.stop(0);
        assertThat(command.run("http://127.0.0.1:" + port + "/")).isEqualTo(1);
        assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("Not reached: http://127.0.0.1:" + port + "/: ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"file:///etc/passwd", "--help", "not a URL"})
    void asksOnlyByHttp(String url) {
        assertThat(command.run(url)).isEqualTo(2);
        assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("Usage: ");
    }

    private int runAgainst(int status) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(status, -1);
            exchange.close();
        });
        server.start();
        try {
            return command.run("http://127.0.0.1:" + server.getAddress().getPort() + "/");
        } finally {
            server.stop(0);
        }
    }
}
