package io.apportion.torture;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverPropertyInfo;
import java.sql.SQLException;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** PostgreSQL as it must never be used: no statement locks the rows that it reads, and so there is no matrix lock. */
public final class UnlockedDriver implements Driver {

    private final Driver postgresql = new org.postgresql.Driver();

    private static final Pattern LOCK = Pattern.compile(" for (?:no key )?update.*", Pattern.CASE_INSENSITIVE);

    @Override
    public @Nullable Connection connect(String url, Properties info) throws SQLException {
        Connection connection = postgresql.connect(url, info);
        if (connection == null) {
            return null;
        }
        AtomicBoolean read = new AtomicBoolean();
        return (Connection) Proxy.newProxyInstance(
                UnlockedDriver.class.getClassLoader(),
                new Class<?>[] {Connection.class},
                (proxy, method, arguments) -> {
                    if (method.getName().equals("prepareStatement")) {
                        if (read.getAndSet(false)) {
                            LockSupport.parkNanos(20_000_000); // others have time to do the same
                        }
                        Matcher locking = LOCK.matcher((String) arguments[0]);
                        read.set(locking.find());
                        arguments[0] = locking.replaceAll("");
                    }
                    try {
                        return method.invoke(connection, arguments);
                    } catch (InvocationTargetException failure) {
                        throw failure.getCause();
                    }
                });
    }

    @Override
    public boolean acceptsURL(String url) throws SQLException {
        return postgresql.acceptsURL(url);
    }

    @Override
    public DriverPropertyInfo[] getPropertyInfo(String url, Properties info) throws SQLException {
        return postgresql.getPropertyInfo(url, info);
    }

    @Override
    public int getMajorVersion() {
        return postgresql.getMajorVersion();
    }

    @Override
    public int getMinorVersion() {
        return postgresql.getMinorVersion();
    }

    @Override
    public boolean jdbcCompliant() {
        return postgresql.jdbcCompliant();
    }

    @Override
    public Logger getParentLogger() {
        return Logger.getGlobal();
    }
}
