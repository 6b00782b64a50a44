package io.apportion.server.store;

import java.io.IOException;
import java.sql.SQLException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLTransientConnectionException;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.dao.DataAccessResourceFailureException;
import org.springframework.transaction.CannotCreateTransactionException;

/** What can be wrong with a database itself, whatever it was asked for. Of two in one failure, the first of these tells more. */
public enum DatabaseFault {
    FULL("The server's database has no room left on its disk."),
    READ_ONLY("The server's database is read-only at present."),
    LOST("The server cannot reach its database."),
    CROWDED("All of the server's connections to its database are in use."),
    BROKEN("The server's database cannot read or write its files.");

    private static final Set<String> NO_ROOM = Set.of("No space left on device", "Disk quota exceeded");

    /**
     * SQL states of connections that cannot be had or were lost. PostgreSQL's: 08 the network, 28 a password that it does
     * not take any more, 57P it is shutting down or starting, 25P03 it ended a transaction in which nothing was done for
     * too long, 53300 it has no connection left. H2's: 90067, 90098 and 90121 it has closed its file, 90020 somebody else
     * has it.
     */
    private static final Set<String> LOST_STATES =
            Set.of("25P03", "53300", "3D000", "90067", "90098", "90121", "90020");

    private static final Set<String> BROKEN_STATES = Set.of("58030", "XX001", "XX002", "90028", "90030", "90031");

    private final String words;

    DatabaseFault(String words) {
        this.words = words;
    }

    /** One sentence for whoever asked the server for something. */
    public String words() {
        return words;
    }

    /** @return null if the failure comes from something else than the database's own state */
    public static @Nullable DatabaseFault in(Throwable failure) {
        DatabaseFault worst = null;
        boolean database = false;
        for (Throwable cause = failure; cause != null; cause = next(cause)) {
            if (cause instanceof InterruptedException) {
                return null; // whoever waits for the database was stopped
            }
            // An input or output that fails elsewhere, such as that of a request, is none of the database's.
            database |= cause instanceof SQLException;
            DatabaseFault fault = database ? of(cause) : null;
            if (fault != null && (worst == null || fault.compareTo(worst) < 0)) {
                worst = fault;
            }
        }
        boolean noConnection = failure instanceof CannotCreateTransactionException
                || failure instanceof DataAccessResourceFailureException;
        return worst == null && noConnection ? LOST : worst;
    }

    /** Of a batch that failed, the failures of its statements are no causes but hang one on the other. */
    public static @Nullable Throwable next(Throwable cause) {
        return cause.getCause() == null && cause instanceof SQLException sql
                ? sql.getNextException()
                : cause.getCause();
    }

    private static @Nullable DatabaseFault of(Throwable cause) {
        if (cause instanceof DatabaseConnections.InUse) {
            return CROWDED;
        }
        if (cause instanceof SQLException sql) {
            String state = Objects.requireNonNullElse(sql.getSQLState(), "");
            return switch (state) {
                case "53100", "90100" -> FULL;
                case "25006", "90097" -> READ_ONLY;
                default -> {
                    if (LOST_STATES.contains(state)
                            || state.startsWith("08")
                            || state.startsWith("28")
                            || state.startsWith("57P")
                            || sql instanceof SQLTransientConnectionException
                            || sql instanceof SQLNonTransientConnectionException) {
                        yield LOST;
                    }
                    yield BROKEN_STATES.contains(state) ? BROKEN : null;
                }
            };
        }
        if (cause instanceof IOException io) {
            String message = Objects.requireNonNullElse(io.getMessage(), "");
            if (NO_ROOM.stream().anyMatch(message::contains)) {
                return FULL;
            }
            return message.contains("Read-only file system") ? READ_ONLY : BROKEN;
        }
        return null;
    }
}
