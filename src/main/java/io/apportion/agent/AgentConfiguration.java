package io.apportion.agent;

import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.springframework.beans.factory.config.YamlPropertiesFactoryBean;
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.UnboundConfigurationPropertiesException;
import org.springframework.boot.context.properties.bind.handler.NoUnboundElementsBindHandler;
import org.springframework.boot.context.properties.source.ConfigurationPropertySources;
import org.springframework.boot.context.properties.source.UnboundElementsSourceFilter;
import org.springframework.boot.logging.LogLevel;
import org.springframework.boot.logging.LoggingInitializationContext;
import org.springframework.boot.logging.LoggingSystem;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.PropertiesPropertySource;
import org.springframework.core.env.SimpleCommandLinePropertySource;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.io.FileSystemResource;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.representer.Representer;
import org.yaml.snakeyaml.resolver.Resolver;

/**
 * The agent's settings as Spring Boot would find them: the command line before the environment before the file. There is no
 * application context, which would cost each host a second at its boot and 25 MB for as long as it runs, and give nothing.
 */
final class AgentConfiguration {

    private static final String PREFIX = "apportion.agent";
    private static final String LEVELS = "logging.level";

    /** The journal knows time and process by itself. */
    private static final Map<String, Object> LOGGING = Map.of("logging.pattern.console", "%p: %m%n%wEx");

    private final ConfigurableEnvironment environment = new StandardEnvironment();

    /**
     * @param file read if it is there
     * @param options {@code --apportion.agent.poll=1s} and the like
     * @throws IllegalArgumentException with words for people
     */
    AgentConfiguration(Path file, String... options) {
        var sources = environment.getPropertySources();
        sources.addFirst(new SimpleCommandLinePropertySource(options));
        sources.addLast(new PropertiesPropertySource("file", properties(file)));
        sources.addLast(new MapPropertySource("logging", LOGGING));
        ConfigurationPropertySources.attach(environment);
    }

    private static Properties properties(Path file) {
        FileSystemResource resource = new FileSystemResource(file);
        Properties properties = new Properties();
        if (resource.exists()) {
            YamlPropertiesFactoryBean yaml = new AsWritten();
            yaml.setResources(resource);
            try {
                properties.putAll(yaml.getObject());
            } catch (YAMLException | IllegalStateException malformed) {
                throw new IllegalArgumentException(file + " cannot be read: " + malformed.getMessage(), malformed);
            }
        }
        properties.stringPropertyNames().stream()
                .filter(name -> !name.startsWith(PREFIX + ".") && !name.startsWith(LEVELS + "."))
                .findFirst()
                .ifPresent(name -> {
                    throw new IllegalArgumentException(file + ": there is no setting " + name);
                });
        return properties;
    }

    /** Values as they stand there: YAML would make 39 of {@code 047}. */
    private static final class AsWritten extends YamlPropertiesFactoryBean {
        @Override
        protected Yaml createYaml() {
            LoaderOptions options = new LoaderOptions();
            options.setAllowDuplicateKeys(false);
            DumperOptions unused = new DumperOptions();
            return new Yaml(new SafeConstructor(options), new Representer(unused), unused, options, new Resolver() {
                @Override
                protected void addImplicitResolvers() {}
            });
        }
    }

    /** @throws IllegalArgumentException with words for people */
    AgentFileSettings settings() {
        BindHandler known = new NoUnboundElementsBindHandler(BindHandler.DEFAULT, new UnboundElementsSourceFilter());
        try {
            AgentFileSettings settings =
                    Binder.get(environment).bindOrCreate(PREFIX, Bindable.of(AgentFileSettings.class), known);
            settings.keep().keep();
            return settings;
        } catch (BindException failure) {
            throw new IllegalArgumentException(words(failure), failure);
        }
    }

    private static String words(BindException failure) {
        if (failure.getCause() instanceof UnboundConfigurationPropertiesException unknown) {
            return unknown.getUnboundProperties().stream()
                    .map(property -> "there is no setting " + property.getName())
                    .sorted()
                    .collect(Collectors.joining("; "));
        }
        String reason = failure.getCause() == null
                ? ""
                : String.valueOf(failure.getCause().getMessage());
        return failure.getProperty() == null
                ? failure.getName() + ": " + reason
                : "%s: \"%s\" is not understood"
                        .formatted(failure.getName(), failure.getProperty().getValue());
    }

    /** On standard output, what the file asks for. */
    void log() {
        LoggingSystem logging = logging();
        Binder.get(environment)
                .bind(LEVELS, Bindable.mapOf(String.class, LogLevel.class))
                .ifBound(levels -> levels.forEach(logging::setLogLevel));
    }

    /** Standard output is for something else, and what is only tried must not be logged as done. */
    void logNothing() {
        logging().setLogLevel(LoggingSystem.ROOT_LOGGER_NAME, LogLevel.OFF);
    }

    private LoggingSystem logging() {
        LoggingSystem logging = LoggingSystem.get(AgentConfiguration.class.getClassLoader());
        logging.beforeInitialize();
        logging.initialize(new LoggingInitializationContext(environment), null, null);
        return logging;
    }
}
