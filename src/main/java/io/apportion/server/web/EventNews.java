package io.apportion.server.web;

import io.apportion.server.matrix.MatrixChanged;
import io.apportion.server.matrix.MatrixQueries;
import java.time.Duration;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.event.EventListener;
import org.springframework.stereotype.Component;

/**
 * Tells the event streams of this process that there are newer events. Of all the streams that wait, one looks into the
 * database each second, whatever their number, and nobody looks while none waits.
 */
@Component
final class EventNews implements SmartLifecycle {

    private static final long LOOK_EVERY = Duration.ofSeconds(1).toNanos();

    private final MatrixQueries queries;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition news = lock.newCondition();

    // Guarded by the lock.
    private long newest;
    private long lookedAt = System.nanoTime() - LOOK_EVERY;
    private boolean looking;
    private boolean running;

    EventNews(MatrixQueries queries) {
        this.queries = queries;
    }

    /**
     * Waits until there is an event after that position, at most so long.
     *
     * @return the newest position known, perhaps no newer one; -1 when the server stops
     */
    long await(long position, Duration atMost) throws InterruptedException {
        long deadline = System.nanoTime() + atMost.toNanos();
        lock.lockInterruptibly();
        try {
            while (running && newest <= position) {
                long now = System.nanoTime();
                long untilLook = lookedAt + LOOK_EVERY - now;
                if (deadline - now <= 0) {
                    break;
                }
                if (untilLook <= 0 && !looking) {
                    look();
                } else {
                    news.awaitNanos(Math.min(deadline - now, untilLook > 0 ? untilLook : LOOK_EVERY));
                }
            }
            return running ? newest : -1;
        } finally {
            lock.unlock();
        }
    }

    /** Caller holds the lock; it is free while the database is asked. */
    private void look() {
        looking = true;
        lookedAt = System.nanoTime();
        long found = 0;
        lock.unlock();
        try {
            found = queries.newestEvent();
        } finally {
            lock.lock();
            looking = false;
            newest = Math.max(newest, found);
            news.signalAll();
        }
    }

    /** Their positions are given a moment later: look at once, and then each second as always. */
    @EventListener
    void stored(MatrixChanged changed) {
        if (changed.events()) {
            lock.lock();
            try {
                lookedAt = System.nanoTime() - LOOK_EVERY;
                news.signal();
            } finally {
                lock.unlock();
            }
        }
    }

    @Override
    public void start() {
        lock.lock();
        try {
            running = true;
        } finally {
            lock.unlock();
        }
    }

    /** Ends the streams, which the web server would otherwise wait for. */
    @Override
    public void stop() {
        lock.lock();
        try {
            running = false;
            news.signalAll();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public boolean isRunning() {
        lock.lock();
        try {
            return running;
        } finally {
            lock.unlock();
        }
    }
}
