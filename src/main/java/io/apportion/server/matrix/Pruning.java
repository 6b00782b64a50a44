package io.apportion.server.matrix;

import java.sql.Timestamp;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Component;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/** Deletes events and settled commits that are old, or too many, in batches small enough to be in nobody's way. */
@Component
class Pruning {

    private static final Logger LOG = LoggerFactory.getLogger(Pruning.class);

    private static final int BATCH = 500;

    private final JdbcTemplate jdbc;
    private final TransactionTemplate transaction;
    private final MatrixSettings settings;
    private final Clock clock;

    Pruning(JdbcTemplate jdbc, PlatformTransactionManager transactions, MatrixSettings settings, Clock clock) {
        this.jdbc = jdbc;
        this.transaction = new TransactionTemplate(transactions);
        this.settings = settings;
        this.clock = clock;
    }

    void prune() {
        Instant before = clock.instant().minus(settings.keepEvents());
        long tooMany = newestEventTooMany();
        Instant commitsBefore = commitsBefore(before);
        int events = 0;
        int commits = 0;
        int batch;
        do {
            batch = inTransaction(() -> pruneEvents(before, tooMany));
            events += batch;
        } while (batch == BATCH);
        do {
            batch = inTransaction(() -> pruneCommits(commitsBefore));
            commits += batch;
        } while (batch == BATCH);
        if (events + commits > 0) {
            LOG.info("Pruned {} events and {} commits, old ones and too many", events, commits);
        }
    }

    private int inTransaction(Supplier<Integer> batch) {
        return Objects.requireNonNull(transaction.execute(status -> batch.get()));
    }

    /** The position up to which there are more events than are to be kept, found by counting: positions have gaps. */
    private long newestEventTooMany() {
        return jdbc
                .query(
                        "select position from events where position is not null order by position desc offset ? rows"
                                + " fetch first 1 row only",
                        (row, index) -> row.getLong(1),
                        settings.mostEvents())
                .stream()
                .findFirst()
                .orElse(0L);
    }

    /** @return the later of that time and of that of the oldest commit that the newest are kept with */
    private Instant commitsBefore(Instant before) {
        return jdbc
                .query(
                        "select stored_at from commits order by stored_at desc offset ? rows fetch first 1 row only",
                        (row, index) -> row.getTimestamp(1).toInstant(),
                        settings.mostCommits() - 1)
                .stream()
                .filter(before::isBefore)
                .findFirst()
                .orElse(before);
    }

    private record Numbered(long position, Instant at) {}

    /** Only from the oldest on, without gaps: so one number says what is gone. */
    private int pruneEvents(Instant before, long tooMany) {
        long pruned = Objects.requireNonNull(
                jdbc.queryForObject("select pruned from event_positions for update", Long.class));
        List<Numbered> oldest = jdbc.query(
                "select position, at from events where position > ? order by position fetch first " + BATCH
                        + " rows only",
                (row, index) -> new Numbered(row.getLong(1), row.getTimestamp(2).toInstant()),
                pruned);
        int old = 0;
        while (old < oldest.size()
                && (oldest.get(old).position() <= tooMany
                        || oldest.get(old).at().isBefore(before))) {
            old++;
        }
        if (old > 0) {
            long last = oldest.get(old - 1).position();
            jdbc.update("delete from events where position > ? and position <= ?", pruned, last);
            jdbc.update("update event_positions set pruned = ?", last);
        }
        return old;
    }

    /** A commit that an mdev names as its newest stays, and so does one that a report can still settle. */
    private int pruneCommits(Instant before) {
        List<Object[]> old = new ArrayList<>();
        for (Long id : jdbc.queryForList(
                "select id from commits where stored_at < ?"
                        + " and id not in (select commit_id from commit_objects where unsettled)"
                        + " and id not in (select commit_id from mdevs where commit_id is not null)"
                        // Always in this order: another replica that prunes as well waits, and never this one for it.
                        + " order by stored_at, id fetch first " + BATCH + " rows only",
                Long.class,
                Timestamp.from(before))) {
            old.add(new Object[] {id});
        }
        jdbc.batchUpdate("delete from commits where id = ?", old);
        return old.size();
    }
}
