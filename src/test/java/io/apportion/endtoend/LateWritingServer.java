package io.apportion.endtoend;

import io.apportion.server.ServerParts;
import io.apportion.server.web.TokenAccess;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import javax.sql.DataSource;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.context.annotation.Import;
import org.springframework.context.event.EventListener;

/** The server as it must never be: with H2's own write delay of 500 ms, put back behind the check of its URL. */
@Import({ServerParts.class, TokenAccess.class})
final class LateWritingServer {

    private final DataSource database;

    LateWritingServer(DataSource database) {
        this.database = database;
    }

    public static void main(String[] args) {
        SpringApplication.run(LateWritingServer.class, args);
    }

    @EventListener
    void delayWrites(ApplicationReadyEvent ready) throws SQLException {
        try (Connection connection = database.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute("SET WRITE_DELAY 500");
        }
    }
}
