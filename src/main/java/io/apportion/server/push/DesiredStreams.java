package io.apportion.server.push;

import io.apportion.server.matrix.ChangedElsewhere;
import io.apportion.server.matrix.DatabaseWatch;
import io.apportion.server.matrix.DesiredStates;
import io.apportion.server.matrix.HostNumbers;
import io.apportion.server.matrix.MatrixChanged;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.NotDone;
import io.apportion.server.matrix.Stay;
import io.apportion.wire.DesiredHost;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.event.EventListener;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.stereotype.Component;

/**
 * The streams to all agents that are connected to this replica, at most one for each host.
 *
 * <p>A stream is woken and then reads for itself, so a writer never waits for one, however slow its agent is. What wakes
 * it may be lost; what it has not sent is found each second by one statement for all.
 */
@Component
final class DesiredStreams implements SmartLifecycle {

    private static final Logger LOG = LoggerFactory.getLogger(DesiredStreams.class);

    private final MatrixQueries queries;
    private final PushSettings settings;
    private final DatabaseWatch watch;
    private final Map<String, DesiredStream> streams = new ConcurrentHashMap<>();

    /** When a thousand hosts change at once, their streams must leave connections to everybody else. */
    private final Semaphore readers = new Semaphore(4, true);

    private volatile boolean running;

    DesiredStreams(MatrixQueries queries, PushSettings settings, DatabaseWatch watch) {
        this.queries = queries;
        this.settings = settings;
        this.watch = watch;
    }

    /**
     * @throws NotDone.NotFound if there is no such host
     * @throws NotDone.Stale if that is not the host's present session
     */
    DesiredHost desired(String host, long session) {
        check(host, session);
        return read(host);
    }

    /**
     * Sends the present desired state, and each newer one, until the agent has gone, may not stay, or another of its
     * streams replaces this one.
     *
     * @throws NotDone.NotFound if there is no such host
     * @throws NotDone.Stale if that is not the host's present session
     */
    void serve(String host, long session, Stay stay, HttpServletResponse response) throws IOException {
        check(host, session);
        DesiredStream stream = new DesiredStream(session, () -> read(host), this::notRead);
        // Before its first look: what is stored after that look wakes it.
        if (streams.merge(host, stream, DesiredStreams::replace) != stream) {
            throw stale(host, session);
        }
        try {
            response.setContentType(MediaType.TEXT_EVENT_STREAM_VALUE);
            response.setCharacterEncoding(StandardCharsets.UTF_8);
            response.setHeader(HttpHeaders.CACHE_CONTROL, "no-store");
            response.setHeader("X-Accel-Buffering", "no");
            stay.whenOver(stream::close);
            if (running) {
                stream.run(response.getOutputStream(), settings);
            }
        } catch (NotDone.NotFound deleted) {
            LOG.info("{}: its stream ends, as there is no such host any more", host);
        } catch (IOException gone) {
            LOG.debug("{}: its agent has gone", host, gone);
        } finally {
            streams.remove(host, stream);
        }
    }

    /** Another instance may have opened a session, and its stream, since this one's session was checked. */
    private static DesiredStream replace(DesiredStream present, DesiredStream later) {
        if (present.session() > later.session()) {
            return present;
        }
        present.close();
        return later;
    }

    private void check(String host, long session) {
        HostNumbers numbers = queries.numbers(List.of(host)).stream()
                .findFirst()
                .orElseThrow(() -> new NotDone.NotFound("host " + host));
        if (numbers.session() != session) {
            throw stale(host, session);
        }
    }

    private static NotDone.Stale stale(String host, long session) {
        return new NotDone.Stale("Session " + session + " of host " + host + " is over: it has another one.");
    }

    private DesiredHost read(String host) {
        readers.acquireUninterruptibly();
        try {
            return DesiredStates.of(queries.host(host));
        } finally {
            readers.release();
        }
    }

    private void notRead(RuntimeException notNow) {
        if (watch.heed(notNow) == null) {
            LOG.warn("A desired state could not be read, and will be again: {}", notNow.toString());
        }
    }

    @EventListener
    void changed(MatrixChanged changed) {
        if (changed.newGeneration()) {
            wake(changed.host());
        }
    }

    @EventListener
    void changedElsewhere(ChangedElsewhere changed) {
        if (changed.newGeneration()) {
            wake(changed.host());
        }
    }

    private void wake(String host) {
        DesiredStream stream = streams.get(host);
        if (stream != null) {
            stream.wake();
        }
    }

    /** Wakes streams that have not sent the newest state, and ends those whose host or session is no more. */
    void catchUp() {
        Map<String, DesiredStream> present = Map.copyOf(streams);
        if (present.isEmpty()) {
            return;
        }
        Map<String, HostNumbers> newest = queries.numbers(present.keySet()).stream()
                .collect(Collectors.toMap(HostNumbers::host, Function.identity()));
        present.forEach((host, stream) -> {
            HostNumbers numbers = newest.get(host);
            if (numbers == null || numbers.session() != stream.session()) {
                stream.close();
            } else if (stream.isBehind(numbers)) {
                stream.wake();
            }
        });
    }

    @Override
    public void start() {
        running = true;
    }

    /** Before the web server stops, which would wait for the streams to end. */
    @Override
    public void stop() {
        running = false;
        streams.values().forEach(DesiredStream::close);
    }

    @Override
    public boolean isRunning() {
        return running;
    }
}
