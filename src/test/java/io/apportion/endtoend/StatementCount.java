package io.apportion.endtoend;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.jdbc.datasource.DelegatingDataSource;

/**
 * Counts what goes to the database, whoever sends it: each execution of a statement, a batch being one. Only what runs on
 * behalf of the counting call counts: rounds of the server, which send statements of their own, do not.
 */
final class StatementCount implements BeanPostProcessor {

    private static final ThreadLocal<@Nullable List<String>> SENT = new ThreadLocal<>();

    /** @return the texts of all statements that this thread sends during that work, in order */
    static List<String> during(Callable<?> work) throws Exception {
        List<String> sent = new ArrayList<>();
        SENT.set(sent);
        try {
            work.call();
        } finally {
            SENT.remove();
        }
        return sent;
    }

    @Override
    public Object postProcessAfterInitialization(Object bean, String name) {
        return bean instanceof DataSource dataSource ? new Counting(dataSource) : bean;
    }

    private static final class Counting extends DelegatingDataSource {

        Counting(DataSource target) {
            super(target);
        }

        @Override
        public Connection getConnection() throws java.sql.SQLException {
            Connection connection = super.getConnection();
            return SENT.get() == null ? connection : counting(connection);
        }
    }

    private static Connection counting(Connection connection) {
        return proxy(Connection.class, connection, (method, arguments, result) -> switch (result) {
            case PreparedStatement prepared ->
                counting(PreparedStatement.class, prepared, String.valueOf(arguments[0]));
            case Statement statement -> counting(Statement.class, statement, "");
            default -> result;
        });
    }

    private static <S extends Statement> S counting(Class<S> type, S statement, String text) {
        return proxy(type, statement, (method, arguments, result) -> {
            List<String> sent = SENT.get();
            if (method.getName().startsWith("execute") && sent != null) {
                sent.add(arguments.length > 0 && arguments[0] instanceof String given ? given : text);
            }
            return result;
        });
    }

    private interface After {
        Object come(Method method, Object[] arguments, Object result);
    }

    private static <T> T proxy(Class<T> type, T target, After after) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, given) -> {
            Object[] arguments = given == null ? new Object[0] : given;
            try {
                Object result = method.invoke(target, given);
                return result == null ? null : after.come(method, arguments, result);
            } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
            }
        }));
    }
}
