package io.apportion.server.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.apportion.server.FullServer;
import io.apportion.server.store.Tokens;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.dao.DataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;

/** Who may read the metrics while the database is away. */
@FullServer
class KnownTokensTests {

    @Autowired
    Tokens stored;

    @Autowired
    JdbcTemplate jdbc;

    private final SettableClock clock = new SettableClock();
    private TokenService tokens;

    @BeforeEach
    void makeOneWithItsOwnClock() {
        tokens = new TokenService(stored, new IdentitySettings(Path.of("unused"), null, Duration.ofSeconds(5)), clock);
    }

    private static final class SettableClock extends Clock {
        private Instant now = Instant.now();

        @Override
        public Instant instant() {
            return now;
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            throw new UnsupportedOperationException();
        }
    }

    private TokenService.Issued issue(@Nullable Instant expiresAt) {
        return tokens.issue("prometheus", Role.VIEWER, null, expiresAt, "test", false);
    }

    private void withDatabaseAway(Runnable then) {
        jdbc.execute("alter table tokens rename to tokens_out_of_reach");
        try {
            then.run();
        } finally {
            jdbc.execute("alter table tokens_out_of_reach rename to tokens");
        }
    }

    @Test
    void oneThatIsKnownIsGoodForMetricsHoweverLongTheDatabaseIsAway() {
        String secret = issue(clock.now.plus(Duration.ofHours(2))).secret();
        assertThat(tokens.identify(secret)).isPresent();
        clock.now = clock.now.plus(Duration.ofHours(1));
        withDatabaseAway(() -> {
            assertThatThrownBy(() -> tokens.lookAgain(Set.of())).isInstanceOf(DataAccessException.class);
            assertThatThrownBy(() -> tokens.identify(secret)).isInstanceOf(DataAccessException.class);
            assertThat(tokens.identifyKnown(secret)).isPresent();
            clock.now = clock.now.plus(Duration.ofHours(2));
            assertThat(tokens.identifyKnown(secret)).as("expired").isEmpty();
        });
    }

    @Test
    void oneThatIsNotKnownIsLookedUp() {
        String secret = issue(null).secret();
        withDatabaseAway(
                () -> assertThatThrownBy(() -> tokens.identifyKnown(secret)).isInstanceOf(DataAccessException.class));
        assertThat(tokens.identifyKnown(secret)).isPresent();
        assertThat(tokens.identifyKnown("apportion_unknown")).isEmpty();
    }

    @Test
    void oneThatWasRevokedElsewhereIsForgotten() {
        TokenService.Issued issued = issue(null);
        assertThat(tokens.identifyKnown(issued.secret())).isPresent();
        stored.deleteById(issued.token().id());
        tokens.lookAgain(Set.of());
        assertThat(tokens.identifyKnown(issued.secret())).isEmpty();
    }
}
