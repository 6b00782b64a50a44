package io.apportion.agent;

import java.time.Duration;
import java.util.random.RandomGenerator;

/** How long to wait before the next try: doubled each time, and spread so that a thousand agents do not come at once. */
final class Backoff {

    private final Duration first;
    private final Duration last;
    private final RandomGenerator random;
    private Duration next;

    Backoff(Duration first, Duration last, RandomGenerator random) {
        this.first = first;
        this.last = last;
        this.random = random;
        this.next = first;
    }

    /** Between a half and the whole of a wait that doubles with each call, up to the last. */
    Duration next() {
        Duration whole = next;
        Duration doubled = whole.multipliedBy(2);
        next = doubled.compareTo(last) < 0 ? doubled : last;
        return Duration.ofNanos(random.nextLong(whole.toNanos() / 2, whole.toNanos() + 1));
    }

    /**
     * For what has worked and broke, perhaps for all agents of a replica in one moment: anywhere up to four times the first
     * wait, and the next one is the first.
     */
    Duration spread() {
        next = first;
        return Duration.ofNanos(random.nextLong(4 * first.toNanos() + 1));
    }

    void reset() {
        next = first;
    }
}
