package io.apportion.server.matrix;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * @param lockTimeout how long a change waits for its turn at a host before it is answered {@code busy}
 * @param repairBackoff how long after the first repair of drift the second is tried; doubled before the third
 * @param keepEvents for how long events and settled commits are kept; older ones are pruned
 * @param mostEvents however young, no more events than these are kept; each takes about 1 KB
 * @param mostCommits however young, no more settled commits than these are kept; each takes about 0.5 KB
 */
@ConfigurationProperties("apportion.matrix")
record MatrixSettings(
        @DefaultValue("10s") Duration lockTimeout,
        @DefaultValue("5s") Duration repairBackoff,
        @DefaultValue("90d") Duration keepEvents,
        @DefaultValue("1000000") long mostEvents,
        @DefaultValue("1000000") long mostCommits) {

    MatrixSettings {
        if (mostEvents < 1 || mostCommits < 1) {
            throw new IllegalArgumentException("apportion.matrix: most-events and most-commits are at least 1");
        }
    }
}
