package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.server.web.RawHttp.Request;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The demo lets everybody in who is on this machine, and nobody else. */
class OpenAccessTests extends ServedApi {

    private static final Request HOSTS = Request.of("GET", "/api/v1/hosts");

    @ParameterizedTest
    @ValueSource(
            strings = {
                "localhost",
                "LOCALHOST",
                "localhost:8080",
                "127.0.0.1",
                "127.0.0.1:8080",
                "127.1.2.3",
                "[::1]",
                "[::1]:8080"
            })
    void thisMachineGetsIn(String name) {
        assertThat(http().send(HOSTS.with("Host", name)).status()).isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "evil.example",
                "localhost.evil.example",
                "127.0.0.1.evil.example",
                "10.0.0.1",
                "0.0.0.0",
                "[::]",
                "127.0.0.256.1"
            })
    void otherNamesOfThisMachineDoNot(String name) {
        refused(HOSTS.with("Host", name));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Forwarded",
                "X-Forwarded-For",
                "X-Forwarded-Host",
                "X-Forwarded-Proto",
                "x-forwarded-prefix",
                "X-Real-IP",
                "Via"
            })
    void forwardedRequestsDoNot(String header) {
        refused(HOSTS.with(header, "127.0.0.1"));
    }

    @Test
    void pagesOfOtherSitesDoNot() {
        refused(HOSTS.with("Origin", "https://evil.example"));
        refused(HOSTS.with("Origin", "null"));
        assertThat(http().send(HOSTS.with("Origin", "http://localhost:8080")).status())
                .isEqualTo(200);
    }

    /** Even with a sane Host: nothing listens there. */
    @Test
    void itListensOnLoopbackAlone() throws Exception {
        for (NetworkInterface network : NetworkInterface.networkInterfaces().toList()) {
            for (InetAddress address : network.inetAddresses().toList()) {
                if (!address.isLoopbackAddress()) {
                    assertThat(accepts(address)).as(address.toString()).isFalse();
                }
            }
        }
    }

    private boolean accepts(InetAddress address) {
        try (Socket socket = new Socket(address, port)) {
            return socket.isConnected();
        } catch (java.io.IOException refused) {
            return false;
        }
    }

    private void refused(Request request) {
        RawHttp.Answer answer = http().send(request);
        assertThat(answer.status()).as(request + " → " + answer).isEqualTo(403);
        assertThat(answer.json().path("type").asString()).isEqualTo("/problems/forbidden");
    }

    private RawHttp http() {
        return new RawHttp(port);
    }
}
