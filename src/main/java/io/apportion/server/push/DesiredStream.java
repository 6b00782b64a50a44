package io.apportion.server.push;

import io.apportion.server.matrix.HostNumbers;
import io.apportion.server.matrix.NotDone;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.WireFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One stream of server-sent events to one agent. One thread runs it; any thread may wake or close it, and none of them
 * ever waits for it.
 */
final class DesiredStream {

    private static final byte[] START = "event: desired\ndata: ".getBytes(StandardCharsets.UTF_8);
    private static final byte[] END = "\n\n".getBytes(StandardCharsets.UTF_8);
    private static final byte[] COMMENT = ": still here\n\n".getBytes(StandardCharsets.UTF_8);

    private final long session;
    private final Supplier<DesiredHost> newest;
    private final Consumer<RuntimeException> notRead;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition news = lock.newCondition();

    // Guarded by the lock.
    private boolean woken = true;
    private boolean closed;

    /** What was sent last, without its content: a thousand streams are open. Written by the thread that runs. */
    private volatile @Nullable Sent sent;

    private record Sent(UUID incarnation, long generation) {}

    private enum Signal {
        WOKEN,
        SILENT,
        CLOSED
    }

    /**
     * @param newest reads the present desired state; throws NotDone.NotFound when there is none any more
     * @param notRead is told why it could not be read
     */
    DesiredStream(long session, Supplier<DesiredHost> newest, Consumer<RuntimeException> notRead) {
        this.session = session;
        this.newest = newest;
        this.notRead = notRead;
    }

    long session() {
        return session;
    }

    /** There may be a newer state. Any number of calls leads to at least one look after the last. */
    void wake() {
        lock.lock();
        try {
            woken = true;
            news.signalAll();
        } finally {
            lock.unlock();
        }
    }

    void close() {
        lock.lock();
        try {
            closed = true;
            news.signalAll();
        } finally {
            lock.unlock();
        }
    }

    boolean isBehind(HostNumbers numbers) {
        return isNewer(numbers.incarnation(), numbers.generation());
    }

    private boolean isNewer(UUID incarnation, long generation) {
        Sent last = sent;
        return last == null || !last.incarnation().equals(incarnation) || last.generation() < generation;
    }

    /**
     * Returns when the stream is closed or has lasted long enough.
     *
     * @throws IOException when the agent has gone, or takes nothing for longer than the web server's time-out
     * @throws NotDone.NotFound when the host has gone
     */
    void run(OutputStream out, PushSettings settings) throws IOException {
        long end = System.nanoTime()
                + settings.lifetime(ThreadLocalRandom.current()).toNanos();
        out.flush();
        long written = System.nanoTime();
        while (true) {
            long silentAt = written + settings.keepAlive().toNanos();
            Signal signal = await(silentAt - end < 0 ? silentAt : end);
            if (signal == Signal.CLOSED || System.nanoTime() - end >= 0) {
                return;
            }
            byte @Nullable [] bytes = signal == Signal.WOKEN ? next() : COMMENT;
            if (bytes != null) {
                out.write(bytes);
                out.flush();
                written = System.nanoTime();
            }
        }
    }

    /** @param until as {@link System#nanoTime} */
    private Signal await(long until) {
        lock.lock();
        try {
            while (!closed && !woken) {
                long left = until - System.nanoTime();
                if (left <= 0) {
                    return Signal.SILENT;
                }
                news.awaitNanos(left);
            }
            woken = false;
            return closed ? Signal.CLOSED : Signal.WOKEN;
        } catch (InterruptedException stopping) {
            Thread.currentThread().interrupt();
            return Signal.CLOSED;
        } finally {
            lock.unlock();
        }
    }

    /** @return the event for a state that is newer than what was sent, or null */
    private byte @Nullable [] next() {
        DesiredHost host;
        try {
            host = newest.get();
        } catch (NotDone gone) {
            throw gone;
        } catch (RuntimeException notNow) {
            // The stream stays behind, so it is woken again.
            notRead.accept(notNow);
            return null;
        }
        if (!isNewer(host.incarnation(), host.generation())) {
            return null;
        }
        sent = new Sent(host.incarnation(), host.generation());
        ByteArrayOutputStream event = new ByteArrayOutputStream();
        event.writeBytes(START);
        event.writeBytes(WireFormat.MAPPER.writeValueAsBytes(host));
        event.writeBytes(END);
        return event.toByteArray();
    }
}
