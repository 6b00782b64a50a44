package io.apportion.server.push;

import java.time.Duration;
import java.util.random.RandomGenerator;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * @param keepAlive how often an agent's stream carries at least a comment; an agent gives up after three times as long
 * @param lookEvery how often the newest generations of all connected hosts are read, should a wake-up be lost
 * @param heardEvery how often it is stored which agents were heard
 * @param longestStream for how long an agent's stream may live at the most, and half as long at the least; then its agent
 *     dials again: with a token that may have been revoked, and perhaps another replica. Streams that began together, as
 *     after the death of a replica, do not end together
 * @param largestBody the largest body of an agent's request. A report of 256 cards with 256 queues each has about 200 KB,
 *     and about 700 bytes more for each mdev
 */
@ConfigurationProperties("apportion.push")
record PushSettings(
        @DefaultValue("10s") Duration keepAlive,
        @DefaultValue("1s") Duration lookEvery,
        @DefaultValue("10s") Duration heardEvery,
        @DefaultValue("1h") Duration longestStream,
        @DefaultValue("16MB") DataSize largestBody) {

    /** Of one stream. */
    Duration lifetime(RandomGenerator random) {
        long longest = longestStream.toNanos();
        return Duration.ofNanos(random.nextLong(longest / 2, longest + 1));
    }
}
