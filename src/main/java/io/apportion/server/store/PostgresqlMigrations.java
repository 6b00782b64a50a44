package io.apportion.server.store;

import com.zaxxer.hikari.HikariDataSource;
import com.zaxxer.hikari.util.Credentials;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.flywaydb.core.api.configuration.FluentConfiguration;
import org.springframework.boot.flyway.autoconfigure.FlywayConfigurationCustomizer;
import org.springframework.stereotype.Component;

/**
 * Lets scripts take their time: not on connections of {@link PostgresqlConnections}. While one runs, Flyway's lock is in
 * a transaction in which nothing is done.
 */
@Component
final class PostgresqlMigrations implements FlywayConfigurationCustomizer {

    private final DataSource source;

    PostgresqlMigrations(DataSource source) {
        this.source = source;
    }

    @Override
    public void customize(FluentConfiguration flyway) {
        try {
            HikariDataSource pool = source.unwrap(HikariDataSource.class);
            if (PostgresqlConnections.isPostgresql(pool.getJdbcUrl())) {
                Credentials credentials = pool.getCredentials();
                flyway.dataSource(pool.getJdbcUrl(), credentials.getUsername(), credentials.getPassword());
                // Behind a long transaction, such as a backup's, a script that waited for its table would have all
                // others
                // wait behind it: those of the replicas that are running. It gives up, and the next start tries again.
                flyway.initSql("set lock_timeout = '3s'");
            }
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }
}
