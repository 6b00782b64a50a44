package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import org.junit.jupiter.api.Test;

class FailedLoginsTests {

    private Instant now = Instant.parse("2026-11-22T10:00:00Z");

    private final FailedLogins logins = new FailedLogins(3, Duration.ofMinutes(1), new Clock() {
        @Override
        public ZoneId getZone() {
            throw new UnsupportedOperationException();
        }

        @Override
        public Clock withZone(ZoneId zone) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Instant instant() {
            return now;
        }
    });

    private void fail(String address, int times) {
        for (int i = 0; i < times; i++) {
            logins.add(address);
        }
    }

    private void refused(String address, Duration retryAfter) {
        assertThat(logins.tooMany(address))
                .hasValueSatisfying(many -> assertThat(many.retryAfter()).isEqualTo(retryAfter));
    }

    private void letIn(String address) {
        assertThat(logins.tooMany(address)).isEmpty();
    }

    @Test
    void addressHasTooManyAndLaterNone() {
        fail("10.0.0.1", 2);
        letIn("10.0.0.1");
        now = now.plusSeconds(20);
        fail("10.0.0.1", 1);
        refused("10.0.0.1", Duration.ofSeconds(40));
        letIn("10.0.0.2");
        now = now.plusSeconds(40);
        letIn("10.0.0.1");
        now = now.plusSeconds(1);
        fail("10.0.0.1", 1);
        letIn("10.0.0.1");
    }

    @Test
    void fewOverALongTimeAreNotTooMany() {
        for (int i = 0; i < 10; i++) {
            fail("10.0.0.1", 1);
            letIn("10.0.0.1");
            now = now.plusSeconds(31);
        }
    }

    @Test
    void oneNetworkOfIpv6IsOneAddress() {
        fail("2001:db8::1", 2);
        fail("2001:db8:0:0:ffff::2", 1);
        refused("2001:db8::3", Duration.ofMinutes(1));
        letIn("2001:db8:0:1::1");
    }

    @Test
    void addressesWithoutEndTakeNoMemoryWithoutEnd() {
        fail("10.0.0.1", 3);
        for (int i = 0; i < 10_000; i++) {
            fail("fd00:0:" + Integer.toHexString(i) + "::1", 1);
        }
        letIn("10.0.0.1");
    }
}
