package io.apportion.server.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.net.ServerSocket;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.springframework.transaction.CannotCreateTransactionException;

class DatabaseConnectionsTests {

    private static final Duration PATIENCE = Duration.ofMillis(700);

    private static DatabaseConnections connections(String url) {
        DatabaseConnections connections = new DatabaseConnections(PATIENCE);
        connections.setJdbcUrl(url);
        connections.setMaximumPoolSize(1);
        connections.setConnectionTimeout(250);
        connections.setInitializationFailTimeout(-1);
        return connections;
    }

    @Test
    void whoWaitsForOneThatIsInUseWaitsLongerAndIsToldSo() throws SQLException {
        try (DatabaseConnections connections = connections("jdbc:h2:mem:in-use");
                Connection used = connections.getConnection()) {
            long asked = System.nanoTime();

            Throwable none = catchThrowable(connections::getConnection);

            assertThat(System.nanoTime() - asked).isGreaterThan(PATIENCE.toNanos());
            assertThat(DatabaseFault.in(new CannotCreateTransactionException("", none)))
                    .isEqualTo(DatabaseFault.CROWDED);
            assertThat(used.isValid(1)).isTrue();
        }
    }

    @Test
    void aDatabaseThatIsNotThereIsLost() throws IOException {
        int nobody;
        try (ServerSocket free = new ServerSocket(0)) {
            nobody = free.getLocalPort();
        }
        try (DatabaseConnections connections = connections("jdbc:postgresql://127.0.0.1:" + nobody + "/apportion")) {
            assertThat(DatabaseFault.in(catchThrowable(connections::getConnection)))
                    .isEqualTo(DatabaseFault.LOST);
        }
    }

    @Test
    void theFailureOfOneOfABatchSaysWhatIsWrong() {
        SQLException batch = new BatchUpdateException("batch", "HY000", 0, new int[0]);
        batch.setNextException(new SQLException("no room", "53100"));
        assertThat(DatabaseFault.in(new IllegalStateException(batch))).isEqualTo(DatabaseFault.FULL);
    }

    @Test
    void whatFailsElsewhereIsNoFaultOfTheDatabase() {
        assertThat(DatabaseFault.in(new IOException("No space left on device"))).isNull();
        assertThat(DatabaseFault.in(new SQLException("duplicate key", "23505"))).isNull();
        assertThat(DatabaseFault.in(
                        new CannotCreateTransactionException("", new SQLException(new InterruptedException()))))
                .as("a stream that ends while it waits")
                .isNull();
    }
}
