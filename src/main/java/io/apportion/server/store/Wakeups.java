package io.apportion.server.store;

import com.zaxxer.hikari.HikariDataSource;
import com.zaxxer.hikari.util.Credentials;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.ApplicationEventPublisher;
import org.springframework.context.SmartLifecycle;
import org.springframework.dao.DataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Component;

/**
 * Words that the replicas on one PostgreSQL tell each other: wake-ups, never the truth. Any may be lost, and whoever
 * misses one finds by looking what it would have told. On H2 there is one replica, which has nobody to tell.
 *
 * <p>They are sent after the commit of what they tell, by one sender, in as few transactions as keep up: NOTIFY inside the
 * transactions of changes would let them commit only one after the other. They are heard on a connection of its own, which
 * the pool knows nothing of.
 */
@Component
public final class Wakeups implements SmartLifecycle {

    private static final Logger LOG = LoggerFactory.getLogger(Wakeups.class);

    private static final String CHANNEL = "apportion";

    /** The death of the machine may lose a wake-up: the sender waits for no disk. */
    private static final String SEND = "select pg_notify('" + CHANNEL + "', message),"
            + " set_config('synchronous_commit', 'off', true) from unnest(?) message";

    /** PostgreSQL takes less than 8000 bytes. */
    private static final int LONGEST = 7_000;

    /** A connection that is silent for so long is asked whether it is still one, and answers or is given up. */
    private static final Duration SILENCE = Duration.ofSeconds(5);

    private static final Duration FIRST_PAUSE = Duration.ofMillis(100);
    private static final Duration LAST_PAUSE = Duration.ofSeconds(5);

    private final DataSource source;
    private final JdbcTemplate jdbc;
    private final ApplicationEventPublisher publisher;

    /** By which this replica knows its own words, which come back to it too. */
    private final String self = UUID.randomUUID().toString();

    private final BlockingQueue<String> untold = new LinkedBlockingQueue<>();

    private volatile @Nullable Turn turn;

    /** Published in this replica, in no order and perhaps more than once: what others told. */
    public record Heard(Set<String> words) {}

    /** From one start to the next stop. */
    private static final class Turn {
        volatile boolean over;
        volatile @Nullable Connection listening;
        volatile @Nullable Thread sender;
        volatile @Nullable Thread listener;
    }

    Wakeups(DataSource source, JdbcTemplate jdbc, ApplicationEventPublisher publisher) {
        this.source = source;
        this.jdbc = jdbc;
        this.publisher = publisher;
    }

    /**
     * Tells all other replicas, soon and at most once.
     *
     * @param words of ASCII, without spaces
     */
    public void tell(Collection<String> words) {
        if (turn != null) {
            untold.addAll(words);
        }
    }

    @Override
    public void start() {
        HikariDataSource pool = pool();
        if (pool != null && PostgresqlConnections.isPostgresql(pool.getJdbcUrl())) {
            Turn begun = new Turn();
            turn = begun;
            begun.sender = Thread.ofVirtual().name("wakeups-out").start(() -> send(begun));
            begun.listener = Thread.ofVirtual().name("wakeups-in").start(() -> listen(begun, pool));
        }
    }

    private @Nullable HikariDataSource pool() {
        try {
            return source.isWrapperFor(HikariDataSource.class) ? source.unwrap(HikariDataSource.class) : null;
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void stop() {
        Turn ended = turn;
        turn = null;
        if (ended != null) {
            ended.over = true;
            interrupt(ended.sender);
            interrupt(ended.listener);
            // It may wait for the network, which no interrupt ends.
            abort(ended.listening);
        }
    }

    private static void interrupt(@Nullable Thread thread) {
        if (thread != null) {
            thread.interrupt();
        }
    }

    private static void abort(@Nullable Connection connection) {
        if (connection != null) {
            try {
                connection.abort(Runnable::run);
            } catch (SQLException e) {
                LOG.debug("The connection that listens was gone already", e);
            }
        }
    }

    @Override
    public boolean isRunning() {
        return turn != null;
    }

    // ---- telling

    private void send(Turn mine) {
        while (!mine.over) {
            try {
                Set<String> words = new LinkedHashSet<>();
                words.add(untold.take());
                untold.drainTo(words);
                send(words);
            } catch (InterruptedException stopped) {
                return;
            } catch (DataAccessException lost) {
                LOG.debug("Other replicas were not told, and have to look", lost);
            }
        }
    }

    private void send(Set<String> words) {
        List<String> messages = new ArrayList<>();
        StringBuilder message = new StringBuilder(self);
        for (String word : words) {
            if (message.length() + 1 + word.length() > LONGEST) {
                messages.add(message.toString());
                message = new StringBuilder(self);
            }
            message.append(' ').append(word);
        }
        messages.add(message.toString());
        jdbc.query(
                SEND,
                statement -> statement.setArray(1, statement.getConnection().createArrayOf("text", messages.toArray())),
                row -> {});
    }

    // ---- hearing

    private void listen(Turn mine, HikariDataSource pool) {
        Duration pause = FIRST_PAUSE;
        boolean told = false;
        while (!mine.over) {
            try (Connection connection = connect(pool);
                    Statement statement = connection.createStatement()) {
                mine.listening = connection;
                statement.execute("listen " + CHANNEL);
                // Whoever looks into pg_stat_activity sees by the name who hears.
                connection.setClientInfo("ApplicationName", "apportion-listens");
                pause = FIRST_PAUSE;
                told = false;
                LOG.info("Listening to other replicas");
                hear(mine, connection);
            } catch (SQLException lost) {
                if (!mine.over && !told) {
                    told = true;
                    LOG.warn(
                            "Other replicas are not heard, and what they change is found a little later: {}",
                            lost.toString());
                }
            }
            try {
                Thread.sleep(pause.plusMillis(ThreadLocalRandom.current().nextLong(FIRST_PAUSE.toMillis())));
            } catch (InterruptedException stopped) {
                return;
            }
            pause = pause.multipliedBy(2).compareTo(LAST_PAUSE) < 0 ? pause.multipliedBy(2) : LAST_PAUSE;
        }
    }

    /** With the password of now: it may have been changed since the server started. */
    private static Connection connect(HikariDataSource pool) throws SQLException {
        Properties properties = new Properties();
        properties.putAll(pool.getDataSourceProperties());
        Credentials credentials = pool.getCredentials();
        if (credentials.getUsername() != null) {
            properties.setProperty("user", credentials.getUsername());
        }
        if (credentials.getPassword() != null) {
            properties.setProperty("password", credentials.getPassword());
        }
        return DriverManager.getConnection(pool.getJdbcUrl(), properties);
    }

    private void hear(Turn mine, Connection connection) throws SQLException {
        PGConnection postgresql = connection.unwrap(PGConnection.class);
        while (!mine.over) {
            PGNotification[] notifications = postgresql.getNotifications(Math.toIntExact(SILENCE.toMillis()));
            if (notifications == null || notifications.length == 0) {
                if (!connection.isValid(Math.toIntExact(SILENCE.toSeconds()))) {
                    throw new SQLException("the connection does not answer");
                }
                continue;
            }
            Set<String> words = new LinkedHashSet<>();
            for (PGNotification notification : notifications) {
                List<String> message = List.of(notification.getParameter().split(" "));
                if (!message.getFirst().equals(self)) {
                    words.addAll(message.subList(1, message.size()));
                }
            }
            if (!words.isEmpty()) {
                publish(new Heard(words));
            }
        }
    }

    private void publish(Heard heard) {
        try {
            publisher.publishEvent(heard);
        } catch (RuntimeException notHeeded) {
            LOG.warn("What another replica told was not heeded", notHeeded);
        }
    }
}
