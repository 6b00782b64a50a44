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

    void reset() {
        next = first;
    }
}
