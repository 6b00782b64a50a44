package io.apportion.postgresql;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.test.util.TestPropertyValues;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.test.context.ContextConfigurationAttributes;
import org.springframework.test.context.ContextCustomizer;
import org.springframework.test.context.ContextCustomizerFactory;
import org.springframework.test.context.MergedContextConfiguration;

/** Gives the servers of tests that are marked {@link OnPostgresql} a database there. */
public final class PostgresqlContexts implements ContextCustomizerFactory {

    @Override
    public @Nullable ContextCustomizer createContextCustomizer(
            Class<?> test, List<ContextConfigurationAttributes> attributes) {
        return test.isAnnotationPresent(OnPostgresql.class) ? new Customizer() : null;
    }

    /** All are equal, so that contexts are shared as they are without it. */
    private record Customizer() implements ContextCustomizer {

        @Override
        public void customizeContext(ConfigurableApplicationContext context, MergedContextConfiguration configuration) {
            TestPropertyValues.of("spring.datasource.url=" + Postgresql.newDatabase())
                    .applyTo(context);
        }
    }
}
