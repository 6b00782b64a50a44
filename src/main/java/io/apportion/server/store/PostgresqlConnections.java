package io.apportion.server.store;

import com.zaxxer.hikari.HikariDataSource;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.stereotype.Component;

/**
 * What every connection to PostgreSQL begins with. What the URL says of the same goes before it.
 *
 * <p>A replica that was stopped, or whose machine died, in the middle of a change would keep the host's row locked for as
 * long as PostgreSQL believes in its connection, which may be hours: {@code idle_in_transaction_session_timeout} ends that.
 *
 * <p>With {@code synchronous_commit} off, a crash of PostgreSQL would lose what it acknowledged in the half second before.
 */
@Component
final class PostgresqlConnections implements BeanPostProcessor {

    private static final Map<String, String> SETTINGS = Map.of(
            "ApplicationName", "apportion",
            "reWriteBatchedInserts", "true",
            "tcpKeepAlive", "true",
            // Longer than any statement may take: a database that is not there any more says nothing.
            "socketTimeout", "60",
            "options", "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=10s");

    /** Where the server was told to, it answers a commit before it is written; stricter than that it may be. */
    private static final String NEVER_LATE =
            "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'";

    static boolean isPostgresql(@Nullable String url) {
        return url != null && url.startsWith("jdbc:postgresql:");
    }

    /** Before anybody asks it for a connection: from then on it takes no settings. */
    @Override
    public Object postProcessAfterInitialization(Object bean, String name) {
        if (bean instanceof HikariDataSource pool && isPostgresql(pool.getJdbcUrl())) {
            SETTINGS.forEach(pool::addDataSourceProperty);
            String own = pool.getConnectionInitSql();
            pool.setConnectionInitSql(own == null ? NEVER_LATE : NEVER_LATE + "; " + own);
        }
        return bean;
    }
}
