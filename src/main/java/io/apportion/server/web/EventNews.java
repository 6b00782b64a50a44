package io.apportion.server.web;

import io.apportion.server.matrix.EventsNumbered;
import io.apportion.server.matrix.Stay;
import java.time.Duration;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.event.EventListener;
import org.springframework.stereotype.Component;

/** Tells the event streams of this process that there are newer events, whichever replica stored them. */
@Component
final class EventNews implements SmartLifecycle {

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition news = lock.newCondition();

    // Guarded by the lock.
    private long newest;
    private boolean running;

    /**
     * Waits until there is an event after that position, at most so long.
     *
     * @return the newest position known, perhaps no newer one; -1 when the server stops or the stay is over
     */
    long await(long position, Duration atMost, Stay stay) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            long left = atMost.toNanos();
            while (running && !stay.isOver() && newest <= position && left > 0) {
                left = news.awaitNanos(left);
            }
            return running && !stay.isOver() ? newest : -1;
        } finally {
            lock.unlock();
        }
    }

    /** All look whether their stay is over. */
    void wake() {
        lock.lock();
        try {
            news.signalAll();
        } finally {
            lock.unlock();
        }
    }

    @EventListener
    void numbered(EventsNumbered numbered) {
        lock.lock();
        try {
            newest = Math.max(newest, numbered.newest());
            news.signalAll();
        } finally {
            lock.unlock();
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
