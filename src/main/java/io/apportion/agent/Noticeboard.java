package io.apportion.agent;

import io.apportion.wire.DesiredHost;
import io.apportion.wire.ObservedHost;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What the threads of one agent tell each other. Its lock is held for a few field accesses only, never while the kernel or
 * the server is spoken to. Closing it ends all waiting.
 */
final class Noticeboard {

    /**
     * One look at the host.
     *
     * @param number counts the looks
     * @param since the first look that showed just this
     */
    record Look(long number, long since, ObservedHost host) {}

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition news = lock.newCondition();
    private boolean closed;

    /** Something on the host may have changed since the last look began. */
    private boolean stirred;

    /** The newest desired state that is not applied yet. */
    private @Nullable DesiredHost given;

    /** Of what was last given, or is remembered. */
    private @Nullable UUID incarnation;

    /** Another incarnation, of which the server has a report that was made after it had appeared. */
    private @Nullable UUID greeted;

    private @Nullable Look look;
    private long lookBegun;

    /** A whole report of this look or a later one is wanted. */
    private long wholeFrom;

    /** The look of the last whole report that the server took in this session. */
    private long wholeTaken;

    /** 0: none is open. */
    private long session;

    private @Nullable DesiredStream stream;

    /** @param incarnation of the state that is remembered */
    Noticeboard(@Nullable UUID incarnation) {
        this.incarnation = incarnation;
    }

    void close() {
        change(() -> {
            closed = true;
            closeStream();
        });
    }

    boolean isClosed() {
        return ask(() -> closed);
    }

    /** Waits for so long, or until closed. */
    void pause(Duration time) throws InterruptedException {
        await(() -> false, System.nanoTime() + time.toNanos());
    }

    // The host's thread.

    void stir() {
        change(() -> stirred = true);
    }

    /**
     * Waits until there is a state to apply, or a reason to look at the host.
     *
     * @param at when there is one anyhow, as {@link System#nanoTime}
     * @param settle how long to let the kernel's changes go on before the look at them
     */
    void awaitWork(long at, Duration settle) throws InterruptedException {
        await(() -> given != null || stirred || wholeFrom > lookBegun, at);
        if (ask(() -> stirred)) {
            await(() -> given != null, System.nanoTime() + settle.toNanos());
        }
    }

    @Nullable
    DesiredHost takeGiven() {
        lock.lock();
        try {
            DesiredHost taken = given;
            given = null;
            return taken;
        } finally {
            lock.unlock();
        }
    }

    /** To be called before reading: a change from here on may be missing in what is read. */
    void beginLook() {
        change(() -> {
            stirred = false;
            lookBegun++;
        });
    }

    /** Returns whether the host is not as it was at the look before. */
    boolean endLook(ObservedHost now) {
        lock.lock();
        try {
            boolean differs = look == null || !now.equals(look.host());
            look = new Look(lookBegun, look == null || differs ? lookBegun : look.since(), now);
            news.signalAll();
            return differs;
        } finally {
            lock.unlock();
        }
    }

    // The report's thread.

    /**
     * Waits until there is something to report.
     *
     * @param told {@link Look#since} of what the server knows
     * @param at when to report anyhow
     * @return the newest look; null when closed
     */
    @Nullable
    Look awaitReport(long told, long at) throws InterruptedException {
        lock.lock();
        try {
            while (!closed) {
                long nanos = at - System.nanoTime();
                if (look == null) {
                    news.await(); // nothing seen yet: after a boot, the bindings take their time
                } else if (nanos <= 0 || session == 0 || look.since() != told || isWholeWanted()) {
                    return look;
                } else {
                    news.awaitNanos(nanos);
                }
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    /** Whether the newest look is to be reported whole, even if the server knows its digest. */
    boolean isWholeWanted() {
        return ask(() -> look != null && look.number() >= wholeFrom && wholeTaken < wholeFrom);
    }

    /** Asks for another look at the host, and for a whole report of it. */
    void wantWhole() {
        change(() -> wholeFrom = lookBegun + 1);
    }

    void wholeTaken(Look taken) {
        change(() -> wholeTaken = taken.number());
    }

    /** 0: none is open. */
    long session() {
        lock.lock();
        try {
            return session;
        } finally {
            lock.unlock();
        }
    }

    /** @param first is to be reported whole, or a later look */
    void sessionOpened(long opened, Look first) {
        change(() -> {
            session = opened;
            wholeTaken = 0;
            wholeFrom = Math.max(wholeFrom, first.number());
        });
    }

    void sessionLost() {
        change(() -> {
            session = 0;
            closeStream();
        });
    }

    // The thread that listens.

    /** Waits for a session; 0 when closed. */
    long awaitSession() throws InterruptedException {
        lock.lock();
        try {
            while (!closed && session == 0) {
                news.await();
            }
            return closed ? 0 : session;
        } finally {
            lock.unlock();
        }
    }

    /** From now on the stream is closed with its session; at once if that is over. */
    void listensOn(DesiredStream opened, long inSession) {
        change(() -> {
            stream = opened;
            if (closed || session != inSession) {
                closeStream();
            }
        });
    }

    /** Returns false, and takes nothing, when the state is of an incarnation for which a report must go first. */
    boolean give(DesiredHost desired) {
        lock.lock();
        try {
            if (!desired.incarnation().equals(incarnation)
                    && !desired.incarnation().equals(greeted)) {
                return false;
            }
            boolean older = given != null
                    && given.incarnation().equals(desired.incarnation())
                    && given.generation() > desired.generation();
            if (!older) {
                given = desired;
                incarnation = desired.incarnation();
                news.signalAll();
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits until the server took a report made after this call. Then that incarnation's states may be given.
     *
     * @return false when the session ended before
     */
    boolean greet(UUID newIncarnation, long inSession) throws InterruptedException {
        lock.lock();
        try {
            long wanted = lookBegun + 1;
            wholeFrom = wanted;
            news.signalAll();
            while (!closed && session == inSession && wholeTaken < wanted) {
                news.await();
            }
            if (closed || session != inSession) {
                return false;
            }
            greeted = newIncarnation;
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Caller holds the lock. */
    private void closeStream() {
        if (stream != null) {
            stream.close();
            stream = null;
        }
    }

    private void change(Runnable change) {
        lock.lock();
        try {
            change.run();
            news.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private boolean ask(BooleanSupplier question) {
        lock.lock();
        try {
            return question.getAsBoolean();
        } finally {
            lock.unlock();
        }
    }

    private void await(BooleanSupplier until, long at) throws InterruptedException {
        lock.lock();
        try {
            long nanos = at - System.nanoTime();
            while (!closed && !until.getAsBoolean() && nanos > 0) {
                nanos = news.awaitNanos(nanos);
            }
        } finally {
            lock.unlock();
        }
    }
}
