package io.apportion.packaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.KeyToPath;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.VolumeProjection;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.bootstrap.DefaultBootstrapContext;
import org.springframework.boot.context.config.ConfigDataEnvironmentPostProcessor;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.handler.NoUnboundElementsBindHandler;
import org.springframework.boot.context.properties.source.ConfigurationPropertySources;
import org.springframework.boot.env.YamlPropertySourceLoader;
import org.springframework.boot.origin.Origin;
import org.springframework.boot.origin.OriginLookup;
import org.springframework.core.env.EnumerablePropertySource;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.PropertySource;
import org.springframework.core.env.SimpleCommandLinePropertySource;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;
import org.springframework.core.io.DefaultResourceLoader;
import org.springframework.core.io.FileSystemResource;

/** What the chart's pods find in {@code /etc/apportion} is what the program takes: no setting that does not exist or fit. */
@DisabledIfSystemProperty(named = "os.arch", matches = "s390x")
class ChartConfigurationTests {

    private static final String MOUNTED = "/etc/apportion";

    @TempDir
    private Path folder;

    private Chart chart;

    @BeforeEach
    void copy() throws IOException {
        chart = Chart.copiedTo(Files.createDirectory(folder.resolve("chart")));
    }

    static List<String> values() throws IOException {
        return ChartTests.values().stream()
                .filter(values -> !values.equals("agent"))
                .toList();
    }

    /** The projected volumes as the kubelet would make them, with other words in place of secrets. */
    private Path mounted(KubernetesObjects objects, String component) throws IOException {
        String root = folder.resolve(component).toString();
        Map<String, String> paths = objects.container(component).getVolumeMounts().stream()
                .collect(Collectors.toMap(VolumeMount::getName, VolumeMount::getMountPath));
        for (Volume volume : objects.pod(component).getSpec().getVolumes()) {
            if (volume.getProjected() == null) {
                continue;
            }
            Path mounted = Files.createDirectories(Path.of(root + paths.get(volume.getName())));
            for (VolumeProjection source : volume.getProjected().getSources()) {
                if (source.getConfigMap() != null) {
                    String file = component.equals("agent") ? "agent.yaml" : "application.yaml";
                    Files.writeString(mounted.resolve(file), objects.file(file).replace(MOUNTED, root + MOUNTED));
                } else {
                    for (KeyToPath item : source.getSecret().getItems()) {
                        Path file = mounted.resolve(item.getPath());
                        Files.createDirectories(file.getParent());
                        Files.writeString(file, source.getSecret().getName() + "/" + item.getKey() + "\n");
                    }
                }
            }
        }
        return Path.of(root + MOUNTED);
    }

    /** As the server's own start would read it, before anything else is done. */
    private static StandardEnvironment environment(KubernetesObjects objects, Path mounted) {
        StandardEnvironment environment = new StandardEnvironment();
        Map<String, Object> variables = Map.of(
                "SPRING_CONFIG_ADDITIONAL_LOCATION",
                objects.container("server").getEnv().stream()
                        .filter(variable -> variable.getName().equals("SPRING_CONFIG_ADDITIONAL_LOCATION"))
                        .findFirst()
                        .orElseThrow()
                        .getValue()
                        .replace(MOUNTED, mounted.toString()));
        environment
                .getPropertySources()
                .replace(
                        StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME,
                        new SystemEnvironmentPropertySource(
                                StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME, variables));
        ConfigDataEnvironmentPostProcessor.applyTo(
                environment, new DefaultResourceLoader(), new DefaultBootstrapContext(), List.of());
        return environment;
    }

    @ParameterizedTest
    @MethodSource("values")
    void theServerTakesEverySetting(String values) throws Exception {
        KubernetesObjects objects = KubernetesObjects.read(chart.render(values, Map.of()));
        Path mounted = mounted(objects, "server");
        StandardEnvironment environment = environment(objects, mounted);
        List<String> names = from(mounted, environment);
        assertThat(names).contains("apportion.data", "server.port", "management.server.port");

        KnownSettings known = KnownSettings.ofTheClassPath();
        // A placeholder of the program's own application.yaml, and no setting.
        assertThat(names)
                .filteredOn(name -> !name.equals("apportion.data"))
                .allSatisfy(name -> known.bind(environment, name));
        for (Class<?> settings : KnownSettings.ofTheServer()) {
            Binder.get(environment)
                    .bindOrCreate(
                            settings.getAnnotation(ConfigurationProperties.class)
                                    .value(),
                            Bindable.of(settings));
        }
    }

    private static List<String> from(Path folder, StandardEnvironment environment) {
        return environment.getPropertySources().stream()
                .filter(EnumerablePropertySource.class::isInstance)
                .map(EnumerablePropertySource.class::cast)
                .flatMap(source ->
                        List.of(source.getPropertyNames()).stream().filter(name -> from(folder, source, name)))
                .toList();
    }

    private static boolean from(Path folder, PropertySource<?> source, String name) {
        Origin origin = OriginLookup.getOrigin(source, name);
        return origin != null && origin.toString().contains(folder.toString());
    }

    @Test
    void secretsComeFromFiles() throws IOException {
        KubernetesObjects objects = KubernetesObjects.read(chart.render("postgresql-tls-oidc", Map.of()));
        StandardEnvironment environment = environment(objects, mounted(objects, "server"));
        assertThat(environment.getProperty("spring.datasource.username")).isEqualTo("crypto-app/username");
        assertThat(environment.getProperty("spring.datasource.password")).isEqualTo("crypto-app/password");
        for (String file : List.of(
                "spring.ssl.bundle.pem.site.keystore.certificate",
                "spring.ssl.bundle.pem.site.keystore.private-key",
                "spring.ssl.bundle.pem.site.truststore.certificate")) {
            assertThat(Path.of(environment.getRequiredProperty(file)))
                    .isRegularFile()
                    .as("in a folder of a volume only the first renewal is noticed")
                    .hasParent(folder.resolve("server/etc/apportion-tls"));
        }
    }

    @Test
    void theH2FileAndTheAdminsTokenAreOnTheVolume() throws IOException {
        KubernetesObjects objects = KubernetesObjects.read(chart.render("h2", Map.of()));
        Path mounted = mounted(objects, "server");
        StandardEnvironment environment = environment(objects, mounted);
        assertThat(environment.getProperty("apportion.data")).isEqualTo("/var/lib/apportion");
        MapPropertySource application = new MapPropertySource("data", Map.of("apportion.data", "/var/lib/apportion"));
        StandardEnvironment own = new StandardEnvironment();
        own.getPropertySources().addFirst(application);
        new YamlPropertySourceLoader()
                .load("application", new FileSystemResource("src/main/resources/application.yaml"))
                .forEach(own.getPropertySources()::addLast);
        assertThat(own.getProperty("spring.datasource.url")).startsWith("jdbc:h2:file:/var/lib/apportion/apportion;");
        assertThat(own.getProperty("apportion.identity.admin-token-file")).isEqualTo("/var/lib/apportion/admin-token");
    }

    @ParameterizedTest
    @ValueSource(strings = {"agent", "everything-on"})
    void theAgentTakesEverySetting(String values) throws Exception {
        KubernetesObjects objects = KubernetesObjects.read(chart.render(values, Map.of()));
        Path mounted = mounted(objects, "agent");
        StandardEnvironment environment = new StandardEnvironment();
        new YamlPropertySourceLoader()
                .load("agent", new FileSystemResource(mounted.resolve("agent.yaml")))
                .forEach(environment.getPropertySources()::addFirst);
        assertThat(from(mounted, environment))
                .isNotEmpty()
                .allMatch(name -> name.startsWith("apportion.agent.") || name.startsWith("logging.level."));
        environment
                .getPropertySources()
                .addFirst(new SimpleCommandLinePropertySource(objects.container("agent").getArgs().stream()
                        .filter(argument -> argument.startsWith("--apportion."))
                        .toArray(String[]::new)));
        ConfigurationPropertySources.attach(environment);
        Class<?> settings = Class.forName("io.apportion.agent.AgentFileSettings");
        Object bound = Binder.get(environment)
                .bind("apportion.agent", Bindable.of(settings), new NoUnboundElementsBindHandler(BindHandler.DEFAULT))
                .get();
        assertThat(bound.toString()).contains("host=$(NODE_NAME)", "/etc/apportion-identity/");
    }

    @Test
    void aSettingThatDoesNotExistOrFitWouldBeSeen() throws Exception {
        KnownSettings known = KnownSettings.ofTheClassPath();
        StandardEnvironment environment = new StandardEnvironment();
        environment
                .getPropertySources()
                .addFirst(new MapPropertySource(
                        "wrong",
                        Map.of(
                                "server.prot", "8080",
                                "server.port", "eighty",
                                "spring.ssl.bundle.pem.site.keystore.certficate", "x",
                                "apportion.matrix.keep-events", "a month")));
        for (String wrong : List.of(
                "server.prot",
                "server.port",
                "spring.ssl.bundle.pem.site.keystore.certficate",
                "apportion.matrix.keep-events")) {
            assertThatThrownBy(() -> known.bind(environment, wrong)).as(wrong).isInstanceOf(Throwable.class);
        }
    }
}
