package io.apportion.agent.sysfs;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls of the kernel that may never come back, each made on a thread of its own that can be left behind: not even a kill
 * ends it. As long as it is there, nothing else is tried with the same subject.
 */
final class Patience {

    private static final Logger LOG = LoggerFactory.getLogger(Patience.class);

    interface Call<T> {
        T run() throws ErrnoException;
    }

    private final Map<Object, Running<?>> leftBehind = new ConcurrentHashMap<>();

    private static final class Running<T> extends FutureTask<T> {

        private final String what;
        private final long since = System.nanoTime();
        private final AtomicBoolean told = new AtomicBoolean();

        Running(String what, Call<T> call) {
            super(call::run);
            this.what = what;
        }

        /** To be called when it is done and when it is given up; the later of the two tells. */
        void tell() {
            if (!told.compareAndSet(false, true)) {
                LOG.info(
                        "{}: came back after {} s: {}",
                        what,
                        seconds(),
                        state() == State.FAILED ? exceptionNow().getMessage() : "done");
            }
        }

        @Override
        protected void done() {
            tell();
        }

        long seconds() {
            return Duration.ofNanos(System.nanoTime() - since).toSeconds();
        }
    }

    /**
     * Waits for the call on a thread of its own.
     *
     * @param what it is, for whoever reads the log
     * @throws ErrnoException what the call throws; ETIMEDOUT: it may still be done; EBUSY: an earlier one with the subject
     *     is not done yet, and this one was not begun
     */
    <T> T await(Object subject, String what, Duration atMost, Call<T> call) throws ErrnoException {
        Running<?> earlier = leftBehind.get(subject);
        if (earlier != null && !earlier.isDone()) {
            throw new ErrnoException(
                    "EBUSY",
                    what + ": not begun, since the kernel is at \"" + earlier.what + "\" for " + earlier.seconds()
                            + " s");
        }
        leftBehind.remove(subject);
        Running<T> running = new Running<>(what, call);
        Thread.ofPlatform().name("sysfs").daemon().start(running);
        boolean interrupted = false;
        try {
            long end = System.nanoTime() + atMost.toNanos();
            while (true) {
                try {
                    return running.get(end - System.nanoTime(), TimeUnit.NANOSECONDS);
                } catch (InterruptedException later) {
                    interrupted = true; // what has begun in the kernel is awaited, whatever the caller wants next
                }
            }
        } catch (TimeoutException overdue) {
            leftBehind.put(subject, running);
            LOG.warn(
                    "{}: the kernel did not come back within {} s; left alone until it does", what, atMost.toSeconds());
            running.tell();
            throw new ErrnoException("ETIMEDOUT", what + ": not back within " + atMost.toSeconds() + " s");
        } catch (ExecutionException failure) {
            throw asIs(failure.getCause());
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static ErrnoException asIs(@Nullable Throwable failure) {
        return switch (failure) {
            case ErrnoException ours -> ours;
            case RuntimeException unchecked -> throw unchecked;
            case Error error -> throw error;
            case null, default -> throw new IllegalStateException(failure);
        };
    }
}
