package io.apportion.server.store;

import com.zaxxer.hikari.HikariDataSource;
import com.zaxxer.hikari.HikariPoolMXBean;
import com.zaxxer.hikari.SQLExceptionOverride;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.time.Duration;
import java.util.Locale;
import org.springframework.dao.DataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;

/**
 * The server's connections to its database. Where the pool can make none, whoever asks is told within its
 * {@code connection-timeout}; while all are only in use, it pays to wait longer.
 *
 * <p>None that has met a fault of the database goes back into the pool, which by itself knows only connections that broke.
 * But H2 closes its file for good at the first write that fails, and opens it again for a new connection alone; and a
 * connection that PostgreSQL opened as a read-only one stays so when the database is not any more.
 */
public final class DatabaseConnections extends HikariDataSource {

    private final Duration patience;

    /** @param patience how long to wait while others have all connections */
    DatabaseConnections(Duration patience) {
        this.patience = patience;
        setExceptionOverride(new Evicting());
    }

    @Override
    public Connection getConnection() throws SQLException {
        long asked = System.nanoTime();
        while (true) {
            try {
                return super.getConnection();
            } catch (SQLTransientConnectionException none) {
                if (!areAllThere()) {
                    throw none;
                }
                if (System.nanoTime() - asked > patience.toNanos()) {
                    throw new InUse(patience);
                }
            }
        }
    }

    /** As many as there may be: then it is others that have them. Those that broke are no more counted. */
    private boolean areAllThere() {
        HikariPoolMXBean pool = getHikariPoolMXBean();
        return pool != null && pool.getTotalConnections() >= getMaximumPoolSize();
    }

    /** Others have all connections, and none gave one back. */
    static final class InUse extends SQLException {
        private static final long serialVersionUID = 1L;

        InUse(Duration time) {
            super("all connections were in use for " + time.toSeconds() + " s");
        }
    }

    private static final class Evicting implements SQLExceptionOverride {
        @java.lang.Override // the interface has another
        public SQLExceptionOverride.Override adjudicate(SQLException failure) {
            return DatabaseFault.in(failure) == null
                    ? SQLExceptionOverride.Override.CONTINUE_EVICT
                    : SQLExceptionOverride.Override.MUST_EVICT;
        }
    }

    /** Of a database that is read-only: what is done next is done with new connections, as soon as the old ones are free. */
    public void renew() {
        if (getJdbcUrl() != null && getJdbcUrl().toLowerCase(Locale.ROOT).startsWith("jdbc:h2:")) {
            reopen();
        }
        HikariPoolMXBean pool = getHikariPoolMXBean();
        if (pool != null) {
            pool.softEvictConnections();
        }
    }

    /** H2 keeps a file read-only, and so whoever reads it, until all have closed it. It holds nothing that is not written. */
    private void reopen() {
        JdbcTemplate h2 = new JdbcTemplate(this);
        try {
            if (Boolean.TRUE.equals(h2.queryForObject("select readonly()", Boolean.class))) {
                h2.execute("shutdown immediately");
            }
        } catch (DataAccessException closed) {
            // The next connection opens it.
        }
    }
}
