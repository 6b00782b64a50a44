package io.apportion.server.push;

import io.apportion.wire.DesiredHost;
import io.apportion.wire.WireFormat;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** One host's agent as far as the server sees it: requests, and nothing behind them. */
final class AgentSide implements AutoCloseable {

    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .executor(Thread::startVirtualThread)
            .build();
    private final String path;
    private final String token;
    private final List<Listening> streams = new CopyOnWriteArrayList<>();

    AgentSide(int port, String host, String token) {
        this.path = "http://localhost:" + port + "/agent/v1/hosts/" + host;
        this.token = token;
    }

    HttpResponse<String> send(String method, String resource, String body) throws IOException, InterruptedException {
        return client.send(
                request(resource)
                        .header("Content-Type", "application/json")
                        .method(method, BodyPublishers.ofString(body))
                        .build(),
                BodyHandlers.ofString());
    }

    /** @return the status, with the body where it is no success */
    <T> T call(String method, String resource, Object body, Class<T> answer) throws IOException, InterruptedException {
        HttpResponse<String> response = send(method, resource, WireFormat.MAPPER.writeValueAsString(body));
        if (response.statusCode() != 200) {
            throw new IOException(response.statusCode() + " " + response.body());
        }
        return WireFormat.MAPPER.readValue(response.body(), answer);
    }

    HttpResponse<String> get(String resource, String accept) throws IOException, InterruptedException {
        return client.send(request(resource).header("Accept", accept).GET().build(), BodyHandlers.ofString());
    }

    private HttpRequest.Builder request(String resource) {
        return HttpRequest.newBuilder(URI.create(path + resource)).header("Authorization", "Bearer " + token);
    }

    Listening listen(long session) throws IOException, InterruptedException {
        HttpResponse<InputStream> response = client.send(
                request("/desired?session=" + session)
                        .header("Accept", "text/event-stream")
                        .GET()
                        .build(),
                BodyHandlers.ofInputStream());
        if (response.statusCode() != 200) {
            try (InputStream problem = response.body()) {
                throw new IOException(response.statusCode() + " " + new String(problem.readAllBytes()));
            }
        }
        Listening listening = new Listening(response.body());
        streams.add(listening);
        return listening;
    }

    @Override
    public void close() {
        streams.forEach(Listening::close);
        client.close();
    }

    /** What comes on one stream. */
    static final class Listening implements AutoCloseable {

        private static final String END = "end of stream";

        final AtomicInteger comments = new AtomicInteger();
        private final InputStream body;
        private final BlockingQueue<Object> arrived = new LinkedBlockingQueue<>();

        Listening(InputStream body) {
            this.body = body;
            Thread.startVirtualThread(this::read);
        }

        private void read() {
            try (BufferedReader lines = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8))) {
                String event = "";
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    if (line.startsWith(":")) {
                        comments.incrementAndGet();
                    } else if (line.startsWith("event: ")) {
                        event = line.substring(7);
                    } else if (line.startsWith("data: ") && event.equals("desired")) {
                        arrived.add(WireFormat.MAPPER.readValue(line.substring(6), DesiredHost.class));
                    }
                }
            } catch (IOException closed) {
                // As good an end as any.
            }
            arrived.add(END);
        }

        DesiredHost next() throws InterruptedException {
            if (arrived.poll(30, TimeUnit.SECONDS) instanceof DesiredHost state) {
                return state;
            }
            throw new AssertionError("no state came");
        }

        /** @return the states that still came */
        int awaitEnd() throws InterruptedException {
            for (int states = 0; ; states++) {
                Object signal = arrived.poll(30, TimeUnit.SECONDS);
                if (signal == null) {
                    throw new AssertionError("the stream did not end");
                }
                if (signal.equals(END)) {
                    return states;
                }
            }
        }

        @Nullable
        DesiredHost nextIfAny() {
            return arrived.poll() instanceof DesiredHost state ? state : null;
        }

        @Override
        public void close() {
            try {
                body.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
