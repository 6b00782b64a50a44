package io.apportion.endtoend;

import io.micrometer.core.instrument.Metrics;
import io.micrometer.core.instrument.Timer;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverPropertyInfo;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * H2 or PostgreSQL with a clock: how long each call into the database took goes to the timer {@code database.calls} of the server's
 * metrics, by statement, and by whether a request made it or something of the server's own rounds.
 *
 * <p>Rows are read from a result that is whole in memory by then; that is not counted.
 */
public final class TimedDriver implements Driver {

    static final String LOCKING = "select hosts for update";

    private static final Pattern TABLE = Pattern.compile("\\b(?:from|into|^update)\\s+(\\w+)");

    private static final Map<String, Timer> OF_REQUESTS = new ConcurrentHashMap<>();
    private static final Map<String, Timer> OF_ROUNDS = new ConcurrentHashMap<>();

    private final List<Driver> drivers = List.of(new org.h2.Driver(), new org.postgresql.Driver());

    private Driver driver(String url) throws SQLException {
        for (Driver driver : drivers) {
            if (driver.acceptsURL(url)) {
                return driver;
            }
        }
        throw new SQLException("neither H2 nor PostgreSQL: " + url);
    }

    @Override
    public @Nullable Connection connect(String url, Properties info) throws SQLException {
        Connection connection = driver(url).connect(url, info);
        return connection == null ? null : timed(connection);
    }

    private static Connection timed(Connection connection) {
        return proxy(Connection.class, (method, arguments) -> switch (method.getName()) {
            case "prepareStatement" -> {
                String sql = (String) arguments[0];
                PreparedStatement prepared = (PreparedStatement) clocked("prepare", connection, method, arguments);
                yield timed(PreparedStatement.class, prepared, name(sql));
            }
            case "createStatement" -> timed(Statement.class, (Statement) call(connection, method, arguments), "other");
            case "commit", "rollback" -> clocked(method.getName(), connection, method, arguments);
            default -> call(connection, method, arguments);
        });
    }

    private static <S extends Statement> S timed(Class<S> type, S statement, String name) {
        return proxy(
                type,
                (method, arguments) -> method.getName().startsWith("execute")
                        ? clocked(name, statement, method, arguments)
                        : call(statement, method, arguments));
    }

    /** Verb and table: {@code select hosts for update}. */
    private static String name(String sql) {
        String text = sql.strip().toLowerCase(Locale.ROOT);
        String verb = text.split("\\s", 2)[0];
        Matcher table = TABLE.matcher(text);
        return verb + (table.find() ? " " + table.group(1) : "") + (text.contains("for update") ? " for update" : "");
    }

    private static @Nullable Object clocked(
            String name, Object target, Method method, @Nullable Object @Nullable [] arguments) throws Throwable {
        long start = System.nanoTime();
        try {
            return call(target, method, arguments);
        } finally {
            long took = System.nanoTime() - start;
            boolean request = Thread.currentThread().getName().startsWith("tomcat-handler-");
            (request ? OF_REQUESTS : OF_ROUNDS)
                    .computeIfAbsent(
                            name,
                            statement -> Metrics.timer(
                                    "database.calls", "statement", statement, "by", request ? "request" : "round"))
                    .record(took, TimeUnit.NANOSECONDS);
        }
    }

    private static @Nullable Object call(Object target, Method method, @Nullable Object @Nullable [] arguments)
            throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    private interface Calls {
        @Nullable
        Object call(Method method, Object[] arguments) throws Throwable;
    }

    private static <T> T proxy(Class<T> type, Calls calls) {
        return type.cast(Proxy.newProxyInstance(
                TimedDriver.class.getClassLoader(),
                new Class<?>[] {type},
                (proxy, method, arguments) -> calls.call(method, arguments)));
    }

    @Override
    public boolean acceptsURL(String url) throws SQLException {
        return url.startsWith("jdbc:h2:") || url.startsWith("jdbc:postgresql:");
    }

    @Override
    public DriverPropertyInfo[] getPropertyInfo(String url, Properties info) throws SQLException {
        return driver(url).getPropertyInfo(url, info);
    }

    @Override
    public int getMajorVersion() {
        return 1;
    }

    @Override
    public int getMinorVersion() {
        return 0;
    }

    @Override
    public boolean jdbcCompliant() {
        return false;
    }

    @Override
    public Logger getParentLogger() {
        return Logger.getGlobal();
    }
}
