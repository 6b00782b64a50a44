package io.apportion.agent;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.Report;
import io.apportion.wire.Report.Answer;
import io.apportion.wire.Report.Heartbeat;
import io.apportion.wire.Report.HeartbeatAnswer;
import io.apportion.wire.Report.Hello;
import io.apportion.wire.Report.Session;
import io.apportion.wire.WireFormat;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** The server's end of the protocol, without a server behind it: remembers what came, answers what it is told to. */
final class ProtocolServer implements AutoCloseable {

    final List<Hello> hellos = new CopyOnWriteArrayList<>();
    final List<Report> reports = new CopyOnWriteArrayList<>();
    final List<Heartbeat> heartbeats = new CopyOnWriteArrayList<>();

    /** The query of each dial for desired states. */
    final List<String> dials = new CopyOnWriteArrayList<>();

    /** The query of each look at the desired state, without dialling. */
    final List<String> looks = new CopyOnWriteArrayList<>();

    final List<String> authorizations = new CopyOnWriteArrayList<>();
    final AtomicLong session = new AtomicLong();
    final AtomicInteger mostReportsAtOnce = new AtomicInteger();

    /** What a stream begins with. */
    volatile @Nullable DesiredHost desired;

    /** Asks for the whole with the next heartbeat. */
    volatile boolean asksForWhole;

    /** Every request is refused with that status. */
    volatile int refusal;

    /** Whether open streams carry comments. */
    volatile boolean keepsAlive = true;

    /** Called before a report is answered. */
    volatile Runnable beforeAnswer = () -> {};

    /** The next report is not taken. */
    volatile boolean loses;

    private static final String END = "";

    private volatile @Nullable String instance;
    private volatile long sequence;

    private final List<BlockingQueue<String>> streams = new CopyOnWriteArrayList<>();
    private final AtomicInteger reportsUnderWay = new AtomicInteger();
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final HttpServer http;

    private interface Answering {
        Object answer(String body) throws IOException;
    }

    ProtocolServer() throws IOException {
        http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        http.setExecutor(threads);
        serve("POST", "session", body -> {
            Hello hello = WireFormat.MAPPER.readValue(body, Hello.class);
            hellos.add(hello);
            if (!hello.instance().equals(instance)) {
                takeOver(hello.instance());
            }
            return new Session(session.get());
        });
        serve("PUT", "observed", body -> {
            mostReportsAtOnce.accumulateAndGet(reportsUnderWay.incrementAndGet(), Math::max);
            Report report = WireFormat.MAPPER.readValue(body, Report.class);
            reports.add(report);
            beforeAnswer.run();
            reportsUnderWay.decrementAndGet();
            boolean newer = report.session() == session.get() && report.sequence() > sequence;
            if (newer && !loses) {
                sequence = report.sequence();
            }
            boolean taken = newer && !loses;
            loses = false;
            return new Answer(taken, session.get());
        });
        serve("POST", "heartbeat", body -> {
            heartbeats.add(WireFormat.MAPPER.readValue(body, Heartbeat.class));
            boolean whole = asksForWhole;
            asksForWhole = false;
            return new HeartbeatAnswer(whole, session.get());
        });
        http.createContext("/agent/v1/hosts/lpar1/desired", this::stream);
        http.start();
    }

    URI address() {
        return URI.create("http://localhost:" + http.getAddress().getPort());
    }

    /** To whoever listens now and later. */
    void push(DesiredHost state) {
        desired = state;
        streams.forEach(stream -> stream.add(event(state)));
    }

    /** Another agent says hello. */
    void takeOver(String newInstance) {
        instance = newInstance;
        sequence = 0;
        session.incrementAndGet();
    }

    void breakStreams() {
        streams.forEach(stream -> stream.add(END));
    }

    @Override
    public void close() {
        http.stop(0);
        threads.shutdownNow();
    }

    private static String event(DesiredHost state) {
        return "event: desired\ndata: " + WireFormat.MAPPER.writeValueAsString(state) + "\n\n";
    }

    private void serve(String method, String resource, Answering answering) {
        http.createContext("/agent/v1/hosts/lpar1/" + resource, exchange -> {
            try (exchange) {
                String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
                if (refused(exchange)) {
                    return;
                }
                if (!exchange.getRequestMethod().equals(method)) {
                    exchange.sendResponseHeaders(405, -1);
                    return;
                }
                answer(exchange, 200, "application/json", WireFormat.MAPPER.writeValueAsString(answering.answer(body)));
            }
        });
    }

    private boolean refused(HttpExchange exchange) throws IOException {
        authorizations.add(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
        int status = refusal;
        if (status != 0) {
            answer(
                    exchange,
                    status,
                    "application/problem+json",
                    "{\"type\":\"/problems/refused\",\"title\":\"Refused\",\"status\":" + status
                            + ",\"detail\":\"Refused by the test.\",\"remedy\":\"Wait.\"}");
        }
        return status != 0;
    }

    private static void answer(HttpExchange exchange, int status, String type, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
    }

    private void stream(HttpExchange exchange) throws IOException {
        try (exchange) {
            if (refused(exchange)) {
                return;
            }
            if ("application/json, application/problem+json"
                    .equals(exchange.getRequestHeaders().getFirst("Accept"))) {
                looks.add(exchange.getRequestURI().getQuery());
                answer(exchange, 200, "application/json", WireFormat.MAPPER.writeValueAsString(desired));
                return;
            }
            dials.add(exchange.getRequestURI().getQuery());
            exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
            exchange.sendResponseHeaders(200, 0);
            BlockingQueue<String> events = new LinkedBlockingQueue<>();
            streams.add(events);
            try (OutputStream out = exchange.getResponseBody()) {
                DesiredHost first = desired;
                if (first != null) {
                    events.add(event(first));
                }
                while (true) {
                    String event = events.poll(20, TimeUnit.MILLISECONDS);
                    if (END.equals(event)) {
                        return;
                    }
                    if (event != null || keepsAlive) {
                        out.write((event != null ? event : ": alive\n\n").getBytes(StandardCharsets.UTF_8));
                        out.flush();
                    }
                }
            } catch (InterruptedException closing) {
                Thread.currentThread().interrupt();
            } finally {
                streams.remove(events);
            }
        }
    }
}
