package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BackoffTests {

    private static final long SEED = Long.getLong("apportion.seed", new Random().nextLong());
    private static final Duration FIRST = Duration.ofMillis(500);
    private static final Duration LAST = Duration.ofSeconds(3);

    private final Random random = new Random(SEED);

    @Test
    void doublesUpToTheLastWait() {
        Backoff backoff = new Backoff(FIRST, LAST, random);
        for (Duration whole : new Duration[] {FIRST, FIRST.multipliedBy(2), FIRST.multipliedBy(4), LAST, LAST}) {
            assertThat(backoff.next()).as("seed %d", SEED).isBetween(whole.dividedBy(2), whole);
        }
        backoff.reset();
        assertThat(backoff.next()).as("seed %d", SEED).isBetween(FIRST.dividedBy(2), FIRST);
    }

    @Test
    void spreadsThoseWhoseStreamsBrokeTogether() {
        AtomicIntegerArray inQuarter = new AtomicIntegerArray(4);
        Stream.generate(() -> new Backoff(FIRST, LAST, random)).limit(1000).forEach(backoff -> {
            backoff.next();
            inQuarter.incrementAndGet((int) Math.min(3, backoff.spread().dividedBy(FIRST)));
            assertThat(backoff.next()).as("seed %d: the next wait", SEED).isBetween(FIRST.dividedBy(2), FIRST);
        });
        for (int quarter = 0; quarter < 4; quarter++) {
            assertThat(inQuarter.get(quarter))
                    .as("seed %d, quarter %d", SEED, quarter)
                    .isBetween(170, 330);
        }
    }
}
