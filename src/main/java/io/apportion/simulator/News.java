package io.apportion.simulator;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Calls of listeners that are still to be made: put here under the host's lock, made without it, each only when the one
 * before it has returned.
 */
final class News {

    private final Queue<Runnable> untold = new ConcurrentLinkedQueue<>();

    /** Held by the thread that tells. */
    private final ReentrantLock telling = new ReentrantLock();

    /** The caller holds the host's lock, so that news are in the order in which things happened. */
    void add(Runnable call) {
        untold.add(call);
    }

    /**
     * Makes the calls. A thread that finds another one at it, or is itself called from here, leaves its news to that one:
     * the outer loop sees what came just after the inner one ended.
     *
     * <p>The caller does not hold the host's lock.
     */
    void tell() {
        while (!untold.isEmpty() && !telling.isHeldByCurrentThread() && telling.tryLock()) {
            try {
                for (@Nullable Runnable next = untold.poll(); next != null; next = untold.poll()) {
                    next.run();
                }
            } finally {
                telling.unlock();
            }
        }
    }
}
