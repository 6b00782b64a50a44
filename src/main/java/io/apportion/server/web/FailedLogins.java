package io.apportion.server.web;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.security.core.AuthenticationException;

/**
 * Counts wrong tokens by the address that they came from. From one that sent too many, none costs the database a look for
 * a while. What is known to be good without one is let in: behind a proxy or a NAT that address is many people's.
 *
 * <p>The address is what the connection says, or the proxy where {@code server.forward-headers-strategy} trusts one. Of
 * IPv6 it is the network: whoever has one address there has them all.
 */
final class FailedLogins {

    private static final Logger LOG = LoggerFactory.getLogger(FailedLogins.class);

    /** Each takes about 200 bytes; the one unused for longest makes room. */
    private static final int MOST_ADDRESSES = 10_000;

    private final int allowed;
    private final Duration within;
    private final Clock clock;

    // Guarded by itself.
    private final Map<String, Failures> byAddress = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Failures> unused) {
            return size() > MOST_ADDRESSES;
        }
    };

    private record Failures(Instant since, int count) {}

    /** None that is not known is looked at before. */
    static final class TooMany extends AuthenticationException {
        private static final long serialVersionUID = 1L;
        private final Duration retryAfter;

        TooMany(Duration retryAfter) {
            super("Too many wrong tokens came from this address.");
            this.retryAfter = retryAfter;
        }

        Duration retryAfter() {
            return retryAfter;
        }
    }

    FailedLogins(int allowed, Duration within, Clock clock) {
        this.allowed = allowed;
        this.within = within;
        this.clock = clock;
    }

    /** @return what says how long, if there were too many of late */
    Optional<TooMany> tooMany(String address) {
        Instant now = clock.instant();
        synchronized (byAddress) {
            Failures failures = byAddress.get(key(address));
            return failures == null || failures.count() < allowed
                    ? Optional.empty()
                    : Optional.of(Duration.between(now, failures.since().plus(within)))
                            .filter(Duration::isPositive)
                            .map(TooMany::new);
        }
    }

    void add(String address) {
        Instant now = clock.instant();
        Failures failures;
        synchronized (byAddress) {
            failures = byAddress.compute(
                    key(address),
                    (known, before) ->
                            before == null || before.since().plus(within).isBefore(now)
                                    ? new Failures(now, 1)
                                    : new Failures(before.since(), before.count() + 1));
        }
        if (failures.count() == allowed) {
            LOG.warn(
                    "{} wrong tokens came from {}: others that are not known are not looked at for a while",
                    allowed,
                    address);
        }
    }

    private static String key(String address) {
        try {
            return InetAddress.ofLiteral(address) instanceof Inet6Address six
                    ? HexFormat.of().formatHex(Arrays.copyOf(six.getAddress(), 8))
                    : address;
        } catch (IllegalArgumentException unknown) {
            return address;
        }
    }
}
