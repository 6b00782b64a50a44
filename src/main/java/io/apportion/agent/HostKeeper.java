package io.apportion.agent;

import io.apportion.wire.DesiredHost;
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

    private boolean resumed;

    /** Taken from the board, but not applied to its end. */
    private @Nullable DesiredHost desired;

    /** When to try again what failed, as {@link System#nanoTime}. */
    private long retryAt = System.nanoTime();

    HostKeeper(AgentSettings settings, Reconciler reconciler, Noticeboard board, RandomGenerator random) {
        this.settings = settings;
        this.reconciler = reconciler;
        this.board = board;
        this.backoff =
                new Backoff(settings.timings().retryFirst(), settings.timings().retryLast(), random);
    }

    void run() throws InterruptedException {
        while (!board.isClosed()) {
            try {
                keep();
                long pollAt = System.nanoTime() + settings.timings().poll().toNanos();
                board.awaitWork(
                        reconciler.isUnfinished() && retryAt - pollAt < 0 ? retryAt : pollAt,
                        settings.timings().settle());
            } catch (RuntimeException failure) {
                LOG.error("{}: the host could not be read or changed; trying again", settings.host(), failure);
                board.pause(backoff.next());
            }
        }
    }

    private void keep() {
        if (!resumed) {
            reconciler.resume();
            resumed = true;
        }
        DesiredHost newer = board.takeGiven();
        if (newer != null) {
            desired = newer;
        }
        if (desired != null) {
            backoff.reset();
            retryLater();
            reconciler.apply(desired);
            desired = null;
            look();
        } else {
            boolean differs = look();
            if (reconciler.isUnfinished() && (differs || retryAt - System.nanoTime() <= 0)) {
                retryLater();
                reconciler.retry();
                look();
            }
        }
    }

    private void retryLater() {
        retryAt = System.nanoTime() + backoff.next().toNanos();
    }

    private boolean look() {
        board.beginLook();
        return board.endLook(reconciler.observe());
    }
}
