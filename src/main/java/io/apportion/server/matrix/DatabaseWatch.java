package io.apportion.server.matrix;

import io.apportion.server.store.DatabaseConnections;
import io.apportion.server.store.DatabaseFault;
import java.sql.SQLException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Component;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * Whether the database is as it should be, as far as this replica has seen. The log tells once when it is not, and once
 * when it is again, however many requests and rounds fail meanwhile. Nothing is kept from trying.
 */
@Component
public class DatabaseWatch {

    private static final Logger LOG = LoggerFactory.getLogger(DatabaseWatch.class);

    /** So long without any fault, and a write that was done: then it is over. */
    private static final Duration QUIET = Duration.ofSeconds(3);

    private final JdbcTemplate jdbc;
    private final TransactionTemplate transaction;
    private final DatabaseConnections connections;

    // Guarded by this. Empty: nothing is wrong.
    private final Set<DatabaseFault> told = EnumSet.noneOf(DatabaseFault.class);
    private long since;
    private long last;
    private boolean ever;

    DatabaseWatch(JdbcTemplate jdbc, PlatformTransactionManager transactions, DataSource source) throws SQLException {
        this.jdbc = jdbc;
        this.transaction = new TransactionTemplate(transactions);
        this.connections = source.unwrap(DatabaseConnections.class);
    }

    /**
     * Whoever fails says so here.
     *
     * @return what is wrong with the database, in a sentence, if that is why; then it needs no other line in the log. Null
     *     if the failure has another cause
     */
    public @Nullable String heed(Throwable failure) {
        DatabaseFault fault = DatabaseFault.in(failure);
        if (fault == null) {
            return null;
        }
        synchronized (this) {
            last = System.nanoTime();
            ever = true;
            if (told.isEmpty()) {
                since = last;
            }
            if (told.add(fault)) {
                LOG.warn("{} What needs it is answered 503 until it is over: {}", fault.words(), cause(failure));
            }
        }
        return fault.words();
    }

    /** What the database or its driver says, and why. Of those around it, some repeat the whole statement. */
    private static String cause(Throwable failure) {
        Throwable said = failure;
        Throwable root = failure;
        for (Throwable cause = failure; cause != null; cause = DatabaseFault.next(cause)) {
            root = cause;
            if (cause instanceof SQLException) {
                said = cause;
            }
        }
        return said.equals(root) ? firstLine(said) : firstLine(said) + " (" + firstLine(root) + ")";
    }

    /** H2 adds the statement, in further lines. */
    private static String firstLine(Throwable failure) {
        return failure.toString().lines().findFirst().orElse("");
    }

    /** Whether a fault was seen in the time that long before now. */
    public synchronized boolean faultWithin(Duration time) {
        return ever && System.nanoTime() - last < time.toNanos();
    }

    /** Whether nothing is wrong, as far as was seen: a fault is over once a write was done. */
    synchronized boolean isWell() {
        return told.isEmpty();
    }

    /** Looks whether a fault is over. Where there is none, it does nothing. */
    void look() {
        synchronized (this) {
            if (told.isEmpty()) {
                return;
            }
        }
        try {
            if (readOnly()) {
                connections.renew();
            }
            // A write that changes nothing: that it can be read is no proof.
            transaction.executeWithoutResult(status -> jdbc.update("update event_positions set newest = newest"));
        } catch (RuntimeException still) {
            if (heed(still) == null) {
                LOG.debug("Whether the database is well again could not be seen", still);
            }
            return;
        }
        synchronized (this) {
            if (!faultWithin(QUIET)) {
                told.clear();
                LOG.info(
                        "The database takes changes again, {} s after the first fault",
                        Duration.ofNanos(System.nanoTime() - since).toSeconds());
            }
        }
    }

    private synchronized boolean readOnly() {
        return told.contains(DatabaseFault.READ_ONLY);
    }
}
