package io.apportion.agent;

import io.apportion.wire.ObservedHost.Keep;
import java.net.InetAddress;
import java.net.URI;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What one agent is told at its start.
 *
 * @param host the host's name at the server
 * @param server the server's address without the path of the API; https, or http to this machine itself
 * @param token the bearer token; null where the server asks for none, as in the demo, or knows the agent by its certificate
 * @param tls whose certificate the server may have, and the agent's own; null: whomever the Java runtime trusts, and none
 * @param keep what the host's administrator never lets Apportion free, bind or assign
 */
public record AgentSettings(
        String host,
        URI server,
        @Nullable String token,
        @Nullable TlsFiles tls,
        Keep keep,
        Timings timings) {

    /**
     * @param heartbeat from one sign of life to the next
     * @param silence a stream on which nothing came for so long, and a request not answered for so long, is given up
     * @param poll from one look at the host to the next; sysfs tells of few changes by itself
     * @param settle from the kernel's first word of a change to the look at it: changes come in bursts
     * @param retryFirst before the first new try of what failed; doubled with each further one
     * @param retryLast never longer than this between two tries
     * @param bindings at most so long waits the first look after a boot for the bus to have bound its queues
     */
    public record Timings(
            Duration heartbeat,
            Duration silence,
            Duration poll,
            Duration settle,
            Duration retryFirst,
            Duration retryLast,
            Duration bindings) {

        public static final Timings DEFAULT = new Timings(
                Duration.ofSeconds(10),
                Duration.ofSeconds(30),
                Duration.ofSeconds(5),
                Duration.ofMillis(10),
                Duration.ofMillis(500),
                Duration.ofSeconds(30),
                Duration.ofSeconds(60));
    }

    /** @throws IllegalArgumentException for an address that would carry the token in the clear */
    public AgentSettings {
        String scheme = String.valueOf(server.getScheme()).toLowerCase(Locale.ROOT);
        String name = server.getHost();
        if (name == null || !(scheme.equals("https") || scheme.equals("http"))) {
            throw new IllegalArgumentException("The server's address is not an http or https address: " + server);
        }
        if (scheme.equals("http") && !isLoopback(name)) {
            throw new IllegalArgumentException(
                    "Plain http is for a server on this machine only; use https for " + server);
        }
    }

    public AgentSettings(String host, URI server, @Nullable String token, Keep keep, Timings timings) {
        this(host, server, token, null, keep, timings);
    }

    /** Judged by the text alone: what a name server says of it proves nothing. */
    private static boolean isLoopback(String name) {
        if (name.equalsIgnoreCase("localhost")) {
            return true;
        }
        try {
            return InetAddress.ofLiteral(name).isLoopbackAddress();
        } catch (IllegalArgumentException noLiteral) {
            return false;
        }
    }

    /** Without the token. */
    @Override
    public String toString() {
        return "AgentSettings[host=" + host + ", server=" + server + "]";
    }
}
