package io.apportion.server.store;

import com.zaxxer.hikari.HikariDataSource;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.stereotype.Component;

/**
 * Starts with no H2 database that keeps acknowledged changes back: left to itself, H2 writes them up to half a second
 * later, and a kill of the process in between loses them.
 */
@Component
final class H2WriteDelay implements BeanPostProcessor {

    private static final Pattern H2 = Pattern.compile("jdbc:h2:(?!mem:).*", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);
    private static final Pattern MENTIONED = Pattern.compile("WRITE_DELAY", Pattern.CASE_INSENSITIVE);
    private static final Pattern SET = Pattern.compile(";\\s*WRITE_DELAY\\s*=\\s*0\\s*(;|$)", Pattern.CASE_INSENSITIVE);

    @Override
    public Object postProcessAfterInitialization(Object bean, String name) {
        if (bean instanceof HikariDataSource pool) {
            check(pool.getJdbcUrl());
        }
        return bean;
    }

    /** A database in memory has nothing to lose; every other one says {@code WRITE_DELAY=0}, and nothing else of it. */
    static void check(@Nullable String url) {
        if (url != null
                && H2.matcher(url).matches()
                && (MENTIONED.matcher(url).results().count() != 1
                        || !SET.matcher(url).find())) {
            throw new Delayed(url);
        }
    }

    static final class Delayed extends RuntimeException {

        private final String url;

        Delayed(String url) {
            super("not with WRITE_DELAY=0: " + url);
            this.url = url;
        }
    }

    /** Says it at the end of the log instead of a stack trace. */
    static final class Analyzer extends AbstractFailureAnalyzer<Delayed> {
        @Override
        protected FailureAnalysis analyze(Throwable rootFailure, Delayed cause) {
            return new FailureAnalysis(
                    "The H2 database " + cause.url + " would lose changes that were acknowledged when this process is"
                            + " killed: its URL does not say WRITE_DELAY=0.",
                    "Add ;WRITE_DELAY=0 to spring.datasource.url, and set it nowhere else.",
                    cause);
        }
    }
}
