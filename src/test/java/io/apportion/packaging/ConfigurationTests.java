package io.apportion.packaging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.env.YamlPropertySourceLoader;
import org.springframework.context.annotation.ClassPathScanningCandidateComponentProvider;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.PropertySource;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.io.ByteArrayResource;
import org.springframework.core.io.FileSystemResource;
import org.springframework.core.io.Resource;
import org.springframework.core.type.filter.AnnotationTypeFilter;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The example files have every setting, with its default and what the source says of it, and the page says the same;
 * {@code -Dapportion.configuration=write} writes them anew. What they say of Spring's settings is written by hand, and true.
 */
class ConfigurationTests {

    private static final Path SERVER = Path.of("packaging/server.yaml");
    private static final Path AGENT = Path.of("packaging/agent.yaml");
    private static final Path PAGE = Path.of("docs/configuration.md");
    private static final String SAID = "%s; if the change is meant, run this test with -Dapportion.configuration=write";

    /** The line from which on a file is written by this test. */
    private static final Pattern FROM_HERE = Pattern.compile("(?m)^.*rom here on written by ConfigurationTests.*\n");

    private static final int WIDTH = 120;

    /** What {@code ServerApplication} sets by itself; {@code ManagementPortTests} sees it do so. */
    private static final Map<String, Object> SET_BY_THE_SERVER =
            Map.of("management.server.port", 8081, "management.server.address", "127.0.0.1");

    private static final ConfigurableEnvironment APPLICATION = application();
    private static final List<Setting> OF_SERVER = settings("io.apportion.server");
    private static final List<Setting> OF_AGENT = settings("io.apportion.agent");

    @BeforeAll
    static void write() throws IOException {
        if ("write".equals(System.getProperty("apportion.configuration"))) {
            Files.writeString(SERVER, head(SERVER) + lines(OF_SERVER));
            Files.writeString(AGENT, head(AGENT) + lines(OF_AGENT));
            Files.writeString(PAGE, head(PAGE) + page());
        }
    }

    @Test
    void examplesHaveEverySettingWithItsDefault() throws IOException {
        assertThat(Files.readString(SERVER)).as(SAID, SERVER).isEqualTo(head(SERVER) + lines(OF_SERVER));
        assertThat(Files.readString(AGENT)).as(SAID, AGENT).isEqualTo(head(AGENT) + lines(OF_AGENT));
    }

    @Test
    void pageSaysWhatTheExamplesSay() throws IOException {
        assertThat(Files.readString(PAGE)).as(SAID, PAGE).isEqualTo(head(PAGE) + page());
    }

    /** Each line of the server's example taken for what it is: the same as if it were not there. */
    @Test
    void exampleChangesNothingWhenItsLinesAreTaken() throws IOException {
        ConfigurableEnvironment without = application();
        Map<String, Object> examples = new HashMap<>(Map.of("apportion.data", "/var/lib/apportion"));
        OF_SERVER.stream()
                .filter(setting -> !setting.isDefault() && !setting.value().isEmpty())
                .forEach(setting -> examples.put(setting.name(), setting.value()));
        without.getPropertySources().addFirst(new MapPropertySource("examples", examples));

        ConfigurableEnvironment with = application();
        String lines = Files.readString(SERVER).replaceAll("(?m)^#([a-z][a-zA-Z0-9.-]+:.*)$", "$1");
        with.getPropertySources().addFirst(yaml("example", new ByteArrayResource(lines.getBytes(UTF_8))));

        for (Class<?> type : records("io.apportion.server")) {
            String prefix = type.getAnnotation(ConfigurationProperties.class).value();
            assertThat((Object) Binder.get(with).bindOrCreate(prefix, Bindable.of(type)))
                    .isEqualTo(Binder.get(without).bindOrCreate(prefix, Bindable.of(type)));
        }
    }

    @Test
    void whatIsSaidOfSpringsSettingsIsTrue() throws IOException {
        Map<String, JsonNode> known = new HashMap<>();
        for (URL metadata : Collections.list(
                getClass().getClassLoader().getResources("META-INF/spring-configuration-metadata.json"))) {
            try (InputStream json = metadata.openStream()) {
                JsonMapper.shared()
                        .readTree(json)
                        .path("properties")
                        .forEach(property -> known.put(property.path("name").asString(), property));
            }
        }
        List<String> wrong = new ArrayList<>();
        for (Line line :
                Stream.of(SERVER, AGENT).flatMap(ConfigurationTests::byHand).toList()) {
            if (line.comment().isEmpty()) {
                wrong.add(line.name() + " is not explained");
            }
            String set = Setting.asItStands(APPLICATION, line.name());
            JsonNode property = known(known, line.name());
            if (set == null && property == null && !line.name().equals("apportion.data")) {
                wrong.add("there is no setting " + line.name());
            }
            String byDefault = set == null && property != null
                    ? property.path("defaultValue").asString("")
                    : String.valueOf(set);
            if (!line.comment().contains("Default: ") && !line.value().equals(byDefault)) {
                wrong.add(line.name() + " is by default " + byDefault + ", and not " + line.value());
            }
        }
        assertThat(wrong).isEmpty();
    }

    /** Itself, or the map or list that it is in. */
    private static JsonNode known(Map<String, JsonNode> known, String name) {
        JsonNode property = known.get(name);
        for (int dot = name.lastIndexOf('.'); property == null && dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
            property = known.get(name.substring(0, dot));
            if (property != null && !property.path("type").asString().startsWith("java.util.Map")) {
                property = null;
            }
        }
        return property;
    }

    // What is written.

    private static String head(Path file) throws IOException {
        String text = Files.readString(file);
        Matcher from = FROM_HERE.matcher(text);
        assertThat(from.find())
                .as("%s has the line from which on it is written", file)
                .isTrue();
        return text.substring(0, from.end());
    }

    private static String lines(List<Setting> settings) {
        StringBuilder lines = new StringBuilder();
        for (Setting setting : settings) {
            String text = sentence(setting).replace("`", "");
            lines.append("\n# ").append(wrapped(text)).append('\n');
            // Without it there is no agent.
            lines.append(setting.name().equals("apportion.agent.server") ? "" : "#")
                    .append(setting.name())
                    .append((": " + setting.value()).stripTrailing())
                    .append('\n');
        }
        return lines.toString();
    }

    private static String sentence(Setting setting) {
        String text = setting.meaning();
        return Character.toUpperCase(text.charAt(0)) + text.substring(1) + (text.endsWith(".") ? "" : ".");
    }

    private static String wrapped(String text) {
        StringBuilder wrapped = new StringBuilder();
        int column = 2;
        for (String word : text.split(" ")) {
            boolean first = wrapped.isEmpty();
            if (!first && column + 1 + word.length() > WIDTH) {
                wrapped.append("\n# ");
                column = 2;
            } else if (!first) {
                wrapped.append(' ');
                column++;
            }
            wrapped.append(word);
            column += word.length();
        }
        return wrapped.toString();
    }

    private static String page() throws IOException {
        return "\n## The server\n" + table(OF_SERVER)
                + "\n"
                + "### Data, addresses, certificates, logging\n\n"
                + "Of Spring Boot's settings, those that whoever runs a server is likely to need; and where data"
                + " are.\n"
                + tableByHand(byHand(SERVER).toList())
                + "\n## The agent\n" + table(OF_AGENT)
                + "\n### Its journal\n" + tableByHand(byHand(AGENT).toList());
    }

    private static String table(List<Setting> settings) {
        return table(settings.stream()
                .map(setting -> row(setting.name(), setting.isDefault() ? setting.value() : "", sentence(setting))));
    }

    private static String tableByHand(List<Line> lines) {
        return table(lines.stream()
                .map(line ->
                        row(line.name(), line.comment().contains("Default: ") ? "" : line.value(), line.comment())));
    }

    private static String table(Stream<String> rows) {
        return rows.collect(Collectors.joining("", "\n| setting | default | |\n|---|---|---|\n", ""));
    }

    private static String row(String name, String value, String meaning) {
        return "| `%s` | %s | %s |\n".formatted(name, value.isEmpty() ? "" : "`" + value + "`", meaning);
    }

    // What is there.

    private record Line(String name, String value, String comment) {}

    /** Settings in what is written by hand, each with the comment above it. */
    private static Stream<Line> byHand(Path file) {
        String head;
        try {
            head = head(file);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        Pattern setting = Pattern.compile("#?([a-z][a-zA-Z0-9.-]+): ?(.*)");
        List<Line> lines = new ArrayList<>();
        StringBuilder comment = new StringBuilder();
        for (String line : head.lines().toList()) {
            Matcher matcher = setting.matcher(line);
            if (line.startsWith("# ")) {
                comment.append(comment.isEmpty() ? "" : " ").append(line.substring(2));
            } else if (matcher.matches()) {
                lines.add(new Line(matcher.group(1), matcher.group(2), comment.toString()));
            }
            if (!line.startsWith("# ")) {
                comment.setLength(0);
            }
        }
        return lines.stream();
    }

    /** Read once: it takes a compiler. */
    private static List<Setting> settings(String room) {
        List<Setting> settings = new ArrayList<>();
        for (Class<?> type : records(room)) {
            try {
                settings.addAll(Setting.of(type, APPLICATION));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return settings;
    }

    /** Ordered by their prefixes. */
    private static List<Class<?>> records(String room) {
        var scan = new ClassPathScanningCandidateComponentProvider(false);
        scan.addIncludeFilter(new AnnotationTypeFilter(ConfigurationProperties.class));
        Map<String, Class<?>> records = new HashMap<>();
        scan.findCandidateComponents(room).forEach(found -> {
            try {
                Class<?> type = Class.forName(found.getBeanClassName());
                records.put(type.getAnnotation(ConfigurationProperties.class).value(), type);
            } catch (ClassNotFoundException e) {
                throw new IllegalStateException(e);
            }
        });
        return new TreeSet<>(records.keySet())
                .stream().<Class<?>>map(records::get).toList();
    }

    /** What the application itself sets, and nothing of this machine. */
    private static ConfigurableEnvironment application() {
        StandardEnvironment application = new StandardEnvironment();
        application
                .getPropertySources()
                .forEach(source -> application.getPropertySources().remove(source.getName()));
        application
                .getPropertySources()
                .addLast(yaml("application", new FileSystemResource("src/main/resources/application.yaml")));
        application.getPropertySources().addLast(new MapPropertySource("server", SET_BY_THE_SERVER));
        return application;
    }

    private static PropertySource<?> yaml(String name, Resource resource) {
        try {
            return new YamlPropertySourceLoader().load(name, resource).getFirst();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
