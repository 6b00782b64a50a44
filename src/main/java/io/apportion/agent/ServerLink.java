package io.apportion.agent;

import io.apportion.wire.DesiredHost;
import io.apportion.wire.Report;
import io.apportion.wire.Report.Answer;
import io.apportion.wire.Report.Heartbeat;
import io.apportion.wire.Report.HeartbeatAnswer;
import io.apportion.wire.Report.Hello;
import io.apportion.wire.Report.Session;
import io.apportion.wire.WireFormat;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpClient.Redirect;
import java.net.http.HttpClient.Version;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/** The agent's end of the protocol: each call is one request. Any failure to get the answer is an IOException. */
final class ServerLink implements AutoCloseable {

    /** No host's, ever. */
    private static final long NO_SESSION = -1;

    private final AgentSettings settings;
    private final String path;
    private final ExecutorService threads;

    // Guarded by this.
    private HttpClient client;
    private @Nullable SSLContext tls;
    private final Set<HttpClient> earlier = new HashSet<>();

    ServerLink(AgentSettings settings) {
        this.settings = settings;
        String server = settings.server().toString();
        this.path = (server.endsWith("/") ? server.substring(0, server.length() - 1) : server)
                + "/agent/v1/hosts/"
                + URLEncoder.encode(settings.host(), StandardCharsets.UTF_8).replace("+", "%20");
        this.threads = Executors.newThreadPerTaskExecutor(Thread.ofVirtual()
                .name("agent-" + settings.host() + "-http-", 0)
                .factory());
        this.client = client(null);
    }

    private HttpClient client(@Nullable SSLContext tls) {
        HttpClient.Builder builder = HttpClient.newBuilder()
                .version(Version.HTTP_1_1)
                .followRedirects(Redirect.NEVER) // the token is for this server alone
                .connectTimeout(settings.timings().silence())
                .executor(threads);
        if (tls != null) {
            builder.sslContext(tls);
        }
        return builder.build();
    }

    /** Once certificates were renewed it is another one: its connections are new. What is under way goes on over the old. */
    private synchronized HttpClient client() throws IOException {
        SSLContext newest = settings.tls() == null ? null : settings.tls().newest();
        if (!Objects.equals(newest, tls)) {
            earlier.removeIf(HttpClient::isTerminated);
            earlier.add(client);
            client.shutdown();
            client = client(newest);
            tls = newest;
        }
        return client;
    }

    Session open(Hello hello) throws IOException, InterruptedException {
        return send("POST", "/session", hello, Session.class);
    }

    Answer report(Report report) throws IOException, InterruptedException {
        return send("PUT", "/observed", report, Answer.class);
    }

    HeartbeatAnswer beat(Heartbeat heartbeat) throws IOException, InterruptedException {
        return send("POST", "/heartbeat", heartbeat, HeartbeatAnswer.class);
    }

    /** What the server has for this host now, without dialling: no session begins or ends by it, and nothing is stored. */
    DesiredHost look() throws IOException, InterruptedException {
        long session = beat(new Heartbeat("look", NO_SESSION, "")).session();
        return answer(
                request("/desired?session=" + session)
                        .timeout(settings.timings().silence())
                        .header("Accept", "application/json, application/problem+json")
                        .GET()
                        .build(),
                DesiredHost.class);
    }

    /** Dials; what comes, an error too, is got from the stream. */
    DesiredStream desired(long session) throws IOException {
        HttpRequest request = request("/desired?session=" + session)
                .header("Accept", "text/event-stream")
                .header("Cache-Control", "no-store")
                .GET()
                .build();
        DesiredStream stream = new DesiredStream(settings.timings().silence());
        stream.dialled(client().sendAsync(request, stream));
        return stream;
    }

    private <T> T send(String method, String resource, Object body, Class<T> answer)
            throws IOException, InterruptedException {
        return answer(
                request(resource)
                        .timeout(settings.timings().silence())
                        .header("Accept", "application/json, application/problem+json")
                        .header("Content-Type", "application/json")
                        .method(method, BodyPublishers.ofByteArray(WireFormat.MAPPER.writeValueAsBytes(body)))
                        .build(),
                answer);
    }

    private <T> T answer(HttpRequest request, Class<T> answer) throws IOException, InterruptedException {
        try {
            HttpResponse<String> response = client().send(request, BodyHandlers.ofString());
            if (response.statusCode() != 200) {
                throw new ServerRefusal(response.statusCode(), reason(response.body()));
            }
            T read = WireFormat.MAPPER.readValue(response.body(), answer);
            if (read == null) {
                throw new IOException("the server answers with nothing");
            }
            return read;
        } catch (JacksonException malformed) {
            throw new IOException("the server's answer is not understood", malformed);
        }
    }

    private HttpRequest.Builder request(String resource) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(path + resource));
        if (settings.token() != null) {
            request.header("Authorization", "Bearer " + settings.token());
        }
        return request;
    }

    /** What a problem says of itself, in one line. */
    static String reason(String problem) {
        try {
            JsonNode node = WireFormat.MAPPER.readTree(problem);
            String detail = node.path("detail").asString(node.path("title").asString(""));
            String remedy = node.path("remedy").asString("");
            return (detail + " " + remedy).strip();
        } catch (JacksonException noProblem) {
            return "";
        }
    }

    /** Also ends what is under way. */
    @Override
    public synchronized void close() {
        client.shutdownNow();
        earlier.forEach(HttpClient::shutdownNow);
        threads.shutdownNow();
    }
}
