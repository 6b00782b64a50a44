package io.apportion.server.store;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import io.apportion.postgresql.Postgresql;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PostgresqlCommitsTests {

    @ParameterizedTest
    @CsvSource({"off,on", "on,on", "local,local", "remote_apply,remote_apply"})
    void neverAcknowledgeACommitThatIsNotWritten(String told, String used) throws SQLException {
        String url = Postgresql.newDatabase();
        try (Connection connection = DriverManager.getConnection(url);
                Statement statement = connection.createStatement()) {
            statement.execute("alter database " + connection.getCatalog() + " set synchronous_commit = " + told);
        }
        try (HikariDataSource pool = new HikariDataSource()) {
            pool.setJdbcUrl(url);
            pool.setConnectionInitSql("set search_path = public");
            new PostgresqlConnections().postProcessAfterInitialization(pool, "pool");
            assertThat(shown(pool, "synchronous_commit")).isEqualTo(used);
            assertThat(shown(pool, "search_path")).isEqualTo("public");
            assertThat(shown(pool, "lock_timeout")).isEqualTo("10s");
        }
    }

    private static String shown(HikariDataSource pool, String setting) throws SQLException {
        try (Connection connection = pool.getConnection();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("show " + setting)) {
            rows.next();
            return rows.getString(1);
        }
    }
}
