package io.apportion;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.config.BeanDefinition;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.env.YamlPropertySourceLoader;
import org.springframework.context.annotation.ClassPathScanningCandidateComponentProvider;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.io.FileSystemResource;
import org.springframework.core.type.filter.AnnotationTypeFilter;

/** Every setting with what it is where nobody sets it: whoever changes one says so here. */
class SettingsTests {

    @Test
    void haveTheseDefaults() throws Exception {
        assertThat(defaults())
                .containsExactlyInAnyOrderEntriesOf(Map.ofEntries(
                        Map.entry("apportion.identity.admin-token-file", "data/admin-token"),
                        Map.entry("apportion.identity.first-admin-token-file", "null"),
                        Map.entry("apportion.identity.remember-tokens", "PT5S"),
                        Map.entry("apportion.identity.jwt.actor-claim", "sub"),
                        Map.entry("apportion.identity.jwt.clock-skew", "PT30S"),
                        Map.entry("apportion.identity.jwt.roles", "{admin=admin, operator=operator, viewer=viewer}"),
                        Map.entry("apportion.identity.jwt.roles-claim", "roles"),
                        Map.entry("apportion.identity.jwt.scope-claim", "null"),
                        Map.entry("apportion.matrix.keep-events", "PT2160H"),
                        Map.entry("apportion.matrix.lock-timeout", "PT10S"),
                        Map.entry("apportion.matrix.most-commits", "1000000"),
                        Map.entry("apportion.matrix.most-events", "1000000"),
                        Map.entry("apportion.matrix.repair-backoff", "PT5S"),
                        Map.entry("apportion.push.heard-every", "PT10S"),
                        Map.entry("apportion.push.keep-alive", "PT10S"),
                        Map.entry("apportion.push.largest-body", "16777216B"),
                        Map.entry("apportion.push.longest-stream", "PT1H"),
                        Map.entry("apportion.push.look-every", "PT1S"),
                        Map.entry("apportion.web.allowed-origins", "[]"),
                        Map.entry("apportion.web.failed-logins", "20"),
                        Map.entry("apportion.web.failed-logins-within", "PT1M"),
                        Map.entry("apportion.web.max-body", "1048576B"),
                        Map.entry("apportion.web.max-report", "16777216B"),
                        Map.entry("apportion.web.streams-of-address", "128"),
                        Map.entry("apportion.web.streams-of-caller", "32")));
    }

    /**
     * Of the server, with what the application itself sets, and nothing of this machine. The agent's stand in
     * packaging/agent.yaml, which is held to them by a test of its own.
     */
    private static Map<String, String> defaults() throws ReflectiveOperationException, IOException {
        StandardEnvironment application = new StandardEnvironment();
        application
                .getPropertySources()
                .forEach(source -> application.getPropertySources().remove(source.getName()));
        new YamlPropertySourceLoader()
                .load("application", new FileSystemResource("src/main/resources/application.yaml"))
                .forEach(application.getPropertySources()::addLast);
        Binder binder = Binder.get(application);
        Map<String, String> defaults = new TreeMap<>();
        var settings = new ClassPathScanningCandidateComponentProvider(false);
        settings.addIncludeFilter(new AnnotationTypeFilter(ConfigurationProperties.class));
        for (BeanDefinition found : settings.findCandidateComponents("io.apportion.server")) {
            Class<?> type = Class.forName(found.getBeanClassName());
            String prefix = type.getAnnotation(ConfigurationProperties.class).value();
            Object bound = binder.bindOrCreate(prefix, Bindable.of(type));
            for (RecordComponent component : type.getRecordComponents()) {
                component.getAccessor().setAccessible(true);
                defaults.put(
                        prefix + "." + dashed(component.getName()),
                        String.valueOf(component.getAccessor().invoke(bound)));
            }
        }
        return defaults;
    }

    private static String dashed(String name) {
        return name.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
    }
}
