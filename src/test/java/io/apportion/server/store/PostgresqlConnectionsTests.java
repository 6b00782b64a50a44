package io.apportion.server.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.apportion.postgresql.Postgresql;
import io.apportion.server.ServerApplication;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.HostSettings;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.NotDone;
import io.apportion.server.matrix.Preconditions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.jdbc.core.JdbcTemplate;

class PostgresqlConnectionsTests {

    private static final MatrixService.Mode PLAINLY =
            new MatrixService.Mode(Preconditions.NONE, false, false, new Caller("test", true, "r1"));
    private static final HostSettings UNCHANGED = new HostSettings(null, null, null, null, null);

    private static ConfigurableApplicationContext server(String url) {
        return new SpringApplicationBuilder(ServerApplication.class)
                .web(WebApplicationType.NONE)
                .run("--spring.datasource.url=" + url);
    }

    private static String show(ConfigurableApplicationContext server, String setting) {
        return server.getBean(JdbcTemplate.class).queryForObject("show " + setting, String.class);
    }

    @Test
    void noWaitLastsForEver() {
        try (var server = server(Postgresql.newDatabase())) {
            assertThat(show(server, "lock_timeout")).isEqualTo("10s");
            assertThat(show(server, "statement_timeout")).isEqualTo("30s");
            assertThat(show(server, "idle_in_transaction_session_timeout")).isEqualTo("10s");
            assertThat(show(server, "transaction_isolation")).isEqualTo("read committed");
        }
    }

    @Test
    void aLockThatAnotherReplicaHasIsBusyInTheEnd() throws Exception {
        String database = Postgresql.newDatabase();
        try (var server = server(database + "&options=-c%20lock_timeout=200ms")) {
            MatrixService service = server.getBean(MatrixService.class);
            service.putHost("lpar1", UNCHANGED, PLAINLY);
            service.putHost("lpar2", UNCHANGED, PLAINLY);
            try (Connection elsewhere = DriverManager.getConnection(database);
                    Statement statement = elsewhere.createStatement()) {
                elsewhere.setAutoCommit(false);
                statement.executeQuery("select id from hosts where name = 'lpar1' for update");

                assertThatThrownBy(() -> service.putHost("lpar1", UNCHANGED, PLAINLY))
                        .isInstanceOf(NotDone.Busy.class);
                service.putHost("lpar2", UNCHANGED, PLAINLY);
                elsewhere.rollback();
            }
            service.putHost("lpar1", UNCHANGED, PLAINLY);
        }
    }

    /** It would keep the host locked for all others. */
    @Test
    void aReplicaThatStopsInAChangeLetsTheHostGo() throws Exception {
        try (var server = server(Postgresql.newDatabase())) {
            MatrixService service = server.getBean(MatrixService.class);
            service.putHost("lpar1", UNCHANGED, PLAINLY);
            Connection stopped = server.getBean(DataSource.class).getConnection();
            stopped.setAutoCommit(false);
            stopped.createStatement().execute("set idle_in_transaction_session_timeout = '200ms'");
            stopped.createStatement().executeQuery("select id from hosts where name = 'lpar1' for update");

            service.putHost("lpar1", UNCHANGED, PLAINLY);

            assertThatThrownBy(stopped::commit).isInstanceOf(SQLException.class);
        }
    }
}
