package io.apportion.packaging;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.handler.NoUnboundElementsBindHandler;
import org.springframework.boot.context.properties.source.ConfigurationPropertyName;
import org.springframework.context.annotation.ClassPathScanningCandidateComponentProvider;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.type.filter.AnnotationTypeFilter;
import org.springframework.util.ClassUtils;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * All settings of this program and of Spring Boot, as their metadata on the class path say.
 *
 * @param types by name, as Java would write them
 */
record KnownSettings(Map<ConfigurationPropertyName, String> types) {

    private static final Pattern MAP = Pattern.compile("java\\.util\\.Map<java\\.lang\\.String,(.*)>");
    private static final Pattern LIST = Pattern.compile("java\\.util\\.(?:List|Set)<(.*)>");

    static KnownSettings ofTheClassPath() throws IOException {
        Map<ConfigurationPropertyName, String> types = new TreeMap<>();
        for (URL file : Collections.list(
                KnownSettings.class.getClassLoader().getResources("META-INF/spring-configuration-metadata.json"))) {
            try (InputStream json = file.openStream()) {
                for (JsonNode property : JsonMapper.shared().readTree(json).path("properties")) {
                    if (!property.path("deprecation").path("level").asString("").equals("error")
                            && ConfigurationPropertyName.isValid(
                                    property.path("name").asString())) {
                        types.put(
                                ConfigurationPropertyName.of(
                                        property.path("name").asString()),
                                property.path("type").asString("java.lang.String"));
                    }
                }
            }
        }
        return new KnownSettings(types);
    }

    /** The records of the server's own. */
    static List<Class<?>> ofTheServer() {
        ClassPathScanningCandidateComponentProvider settings = new ClassPathScanningCandidateComponentProvider(false);
        settings.addIncludeFilter(new AnnotationTypeFilter(ConfigurationProperties.class));
        return settings.findCandidateComponents("io.apportion.server").stream()
                .<Class<?>>map(found -> ClassUtils.resolveClassName(String.valueOf(found.getBeanClassName()), null))
                .toList();
    }

    /** @throws RuntimeException or AssertionError: there is no such setting, or its value does not fit it */
    void bind(ConfigurableEnvironment environment, String name) {
        ConfigurationPropertyName asked = ConfigurationPropertyName.of(name);
        ConfigurationPropertyName known = types.keySet().stream()
                .filter(candidate -> candidate.equals(asked) || candidate.isAncestorOf(asked))
                .max((a, b) -> Integer.compare(a.getNumberOfElements(), b.getNumberOfElements()))
                .orElseThrow(() -> new AssertionError("there is no setting " + name));
        String type = types.get(known);
        if (!known.equals(asked)
                && !MAP.matcher(type).matches()
                && !LIST.matcher(type).matches()) {
            throw new AssertionError("there is no setting " + name + ": " + known + " is a " + type);
        }
        Binder.get(environment)
                .bind(known, bindable(type), new NoUnboundElementsBindHandler(BindHandler.DEFAULT))
                .get();
    }

    private static Bindable<?> bindable(String type) {
        Matcher map = MAP.matcher(type);
        Matcher list = LIST.matcher(type);
        if (map.matches()) {
            return Bindable.mapOf(String.class, type(map.group(1)));
        }
        return list.matches() ? Bindable.listOf(type(list.group(1))) : Bindable.of(type(type));
    }

    private static Class<?> type(String name) {
        return ClassUtils.resolveClassName(name, null);
    }
}
