package io.apportion.agent;

import io.apportion.wire.DesiredHost;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The thread that looks at the host and applies, server or no server. The only one that reads or writes the kernel. */
final class HostKeeper {

    private static final Logger LOG = LoggerFactory.getLogger(HostKeeper.class);

    private final AgentSettings settings;
    private final Reconciler reconciler;
    private final Noticeboard board;
    private final Backoff backoff;
    private final Complaint complaint;

    private final CountDownLatch resumed = new CountDownLatch(1);

    /** Taken from the board, but not applied to its end. */
    private @Nullable DesiredHost desired;

    /** The host is not as it was when it was last tried to make the rest so: what was in the way may be gone. */
    private boolean differs;

    /** When to try again what failed, as {@link System#nanoTime}. */
    private long retryAt = System.nanoTime();

    HostKeeper(AgentSettings settings, Reconciler reconciler, Noticeboard board, RandomGenerator random) {
        this.settings = settings;
        this.reconciler = reconciler;
        this.board = board;
        this.backoff =
                new Backoff(settings.timings().retryFirst(), settings.timings().retryLast(), random);
        this.complaint = new Complaint(LOG, settings.host() + ": reading or changing the host");
    }

    /** Waits, at most so long, until the host is as remembered, or that was refused. */
    boolean awaitResumed(Duration atMost) throws InterruptedException {
        return resumed.await(atMost.toNanos(), TimeUnit.NANOSECONDS);
    }

    void run() throws InterruptedException {
        while (!board.isClosed()) {
            try {
                keep();
                complaint.over();
                long pollAt = System.nanoTime() + settings.timings().poll().toNanos();
                board.awaitWork(
                        reconciler.isUnfinished() && retryAt - pollAt < 0 ? retryAt : pollAt,
                        settings.timings().settle());
            } catch (RuntimeException failure) {
                complaint.about(failure);
                board.pause(backoff.next());
            }
        }
    }

    private void keep() {
        boolean applied;
        try {
            applied = apply();
        } finally {
            look(); // what is so reaches the server, whatever could not be made so
        }
        boolean due = reconciler.isUnfinished() && retryAt - System.nanoTime() <= 0;
        boolean mayGoNow = differs && (reconciler.isUnfinished() || reconciler.awaitsClaim());
        if (!applied && (due || mayGoNow)) {
            differs = false;
            retryLater();
            reconciler.retry();
            look();
        }
    }

    /** Returns whether there was a state to apply. */
    private boolean apply() {
        if (resumed.getCount() > 0) {
            reconciler.resume();
            resumed.countDown();
        }
        DesiredHost newer = board.takeGiven();
        if (newer != null) {
            desired = newer;
        }
        if (desired == null) {
            return false;
        }
        backoff.reset();
        retryLater();
        reconciler.apply(desired);
        desired = null;
        return true;
    }

    private void retryLater() {
        retryAt = System.nanoTime() + backoff.next().toNanos();
    }

    private void look() {
        board.beginLook();
        differs |= board.endLook(reconciler.observe());
    }
}
