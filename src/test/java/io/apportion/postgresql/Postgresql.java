package io.apportion.postgresql;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The PostgreSQL of this process's tests, started by the first that asks: an embedded one, or with {@code
 * APPORTION_TEST_DB_URL} the one that is there. That is a JDBC URL with the user and password of somebody who may create
 * databases.
 */
public final class Postgresql {

    private static final @Nullable String GIVEN = System.getenv("APPORTION_TEST_DB_URL");

    private static final Pattern DATABASE = Pattern.compile("(?<=[^/]/)[^/?]+(?=\\?|$)");

    /** What it keeps need not survive the machine. */
    private static final class Embedded {

        static final String URL = start();

        private static String start() {
            try {
                Path folder = Path.of("target/postgresql").toAbsolutePath();
                EmbeddedPostgres server = EmbeddedPostgres.builder()
                        .setOverrideWorkingDirectory(folder.toFile())
                        .setServerConfig("fsync", "off")
                        .setServerConfig("full_page_writes", "off")
                        .setServerConfig("max_connections", "300")
                        .start();
                return server.getJdbcUrl("postgres", "postgres");
            } catch (IOException e) {
                throw new UncheckedIOException("PostgreSQL did not start", e);
            }
        }
    }

    private Postgresql() {}

    /** @return the JDBC URL of a new, empty database, with user and password */
    public static String newDatabase() {
        return newDatabase("template1");
    }

    /** @param database nobody is connected to it */
    public static String copyOf(String database) {
        Matcher name = DATABASE.matcher(database);
        return newDatabase(name.find() ? name.group() : "");
    }

    private static String newDatabase(String template) {
        String url = GIVEN == null ? Embedded.URL : GIVEN;
        String name = "apportion_" + UUID.randomUUID().toString().replace("-", "");
        try (Connection connection = DriverManager.getConnection(url);
                Statement statement = connection.createStatement()) {
            statement.execute("create database " + name + " template " + template);
        } catch (SQLException e) {
            throw new IllegalStateException("no new database at " + url, e);
        }
        return DATABASE.matcher(url).replaceFirst(name);
    }
}
