package io.apportion.packaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.xpath.XPathFactory;
import org.junit.jupiter.api.Test;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The chart's values, their schema and their documentation say the same. */
class ChartValuesTests {

    private static final Path README = Chart.SOURCE.resolve("README.md");
    private static final String HEADING = "## Values\n\n";
    private static final Pattern KEY = Pattern.compile("( *)([A-Za-z][A-Za-z0-9]*):.*");
    private static final Pattern COMMENT = Pattern.compile(" *# ?(.*)");

    /** What the chart sets itself, or nobody sets in a pod. */
    private static final Set<String> NOT_OFFERED = Set.of(
            "apportion.identity.admin-token-file",
            "apportion.identity.first-admin-token-file",
            "apportion.identity.jwt");

    private static JsonNode values() throws IOException {
        Object values = new Yaml(new SafeConstructor(new LoaderOptions()))
                .load(Files.readString(Chart.SOURCE.resolve("values.yaml")));
        return JsonMapper.shared().valueToTree(values);
    }

    private static JsonNode schema() throws IOException {
        return JsonMapper.shared()
                .readTree(Chart.SOURCE.resolve("values.schema.json").toFile());
    }

    @Test
    void schemaHasEachValueAndNoOther() throws IOException {
        compare("", values(), schema());
    }

    /** @param schema of an object with the chart's own keys; what Kubernetes says the shape of is not looked into */
    private static void compare(String path, JsonNode values, JsonNode schema) {
        Set<String> keys = new TreeSet<>(schema.path("properties").propertyNames());
        if (path.isEmpty()) {
            // Helm's own: a chart above this one may set it.
            keys.remove("global");
        }
        assertThat(new TreeSet<>(values.propertyNames())).as("keys of %s", path).isEqualTo(keys);
        for (String key : keys) {
            if (isSection(values.path(key), schema.path("properties").path(key))) {
                compare(
                        path + "/" + key,
                        values.path(key),
                        schema.path("properties").path(key));
            }
        }
    }

    private static boolean isSection(JsonNode value, JsonNode schema) {
        return schema.has("properties") && !value.isEmpty();
    }

    @Test
    void schemaLetsNoUnknownKeyThrough() throws IOException {
        List<String> open = new ArrayList<>();
        findOpen("", schema(), open);
        assertThat(open).containsExactly("/properties/global");
    }

    private static void findOpen(String path, JsonNode node, List<String> open) {
        if (node.path("type").asString("").equals("object") && !node.has("additionalProperties")) {
            open.add(path);
        }
        node.propertyStream().forEach(child -> findOpen(path + "/" + child.getKey(), child.getValue(), open));
        if (node.isArray()) {
            node.forEach(child -> findOpen(path + "/[]", child, open));
        }
    }

    /** All of the server's settings can be set, with their own names; a new one has to come into the schema. */
    @Test
    void schemaOffersTheSettingsOfTheProgram() throws IOException {
        Set<String> offered = new TreeSet<>();
        JsonNode rooms = schema().at("/properties/settings/properties/apportion/properties");
        rooms.propertyStream()
                .forEach(room -> room.getValue()
                        .path("properties")
                        .propertyNames()
                        .forEach(name -> offered.add("apportion." + room.getKey() + "." + name)));
        Set<String> settings = new TreeSet<>();
        for (Class<?> type : KnownSettings.ofTheServer()) {
            String prefix = type.getAnnotation(ConfigurationProperties.class).value();
            for (var component : type.getRecordComponents()) {
                settings.add(prefix + "."
                        + component.getName().replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT));
            }
        }
        settings.removeIf(name -> NOT_OFFERED.stream().anyMatch(name::startsWith));
        assertThat(offered).isEqualTo(settings);
    }

    @Test
    void chartIsOfTheProgramsVersion() throws Exception {
        Map<?, ?> chart = new Yaml(new SafeConstructor(new LoaderOptions()))
                .load(Files.readString(Chart.SOURCE.resolve("Chart.yaml")));
        Object version = XPathFactory.newInstance()
                .newXPath()
                .evaluate(
                        "/project/version",
                        DocumentBuilderFactory.newInstance()
                                .newDocumentBuilder()
                                .parse(Path.of("pom.xml").toFile()));
        assertThat(chart.get("appVersion")).isEqualTo(version);
    }

    /** {@code -Dapportion.chart=write} writes it. */
    @Test
    void readmeHasEachValueWithItsDefaultAndItsMeaning() throws IOException {
        String readme = Files.readString(README);
        int table = readme.indexOf(HEADING) + HEADING.length();
        String written = readme.substring(0, table) + table();
        if ("write".equals(System.getProperty("apportion.chart"))) {
            Files.writeString(README, written);
        }
        assertThat(Files.readString(README)).as("-Dapportion.chart=write").isEqualTo(written);
    }

    private static String table() throws IOException {
        JsonNode values = values();
        JsonNode schema = schema();
        StringBuilder table = new StringBuilder("| value | default | |\n|---|---|---|\n");
        meanings().forEach((path, meaning) -> {
            JsonNode value = values.at("/" + path.replace('.', '/'));
            assertThat(value.isMissingNode()).as("%s is a value", path).isFalse();
            boolean section = isSection(value, at(schema, path));
            assertThat(section || !meaning.isEmpty())
                    .as("%s says what it means", path)
                    .isTrue();
            if (!meaning.isEmpty()) {
                table.append("| `%s` | %s | %s |\n"
                        .formatted(path, section ? "" : "`" + shown(value) + "`", meaning.replace("|", "\\|")));
            }
        });
        return table.toString();
    }

    private static String shown(JsonNode value) {
        return value.isString() && !value.asString().isEmpty() ? value.asString() : value.toString();
    }

    private static JsonNode at(JsonNode schema, String path) {
        JsonNode node = schema;
        for (String key : path.split("\\.", -1)) {
            node = node.path("properties").path(key);
        }
        return node;
    }

    /** By path, in the order of values.yaml, the comment that stands before a key; without those in a value of its own. */
    private static Map<String, String> meanings() throws IOException {
        JsonNode values = values();
        JsonNode schema = schema();
        Map<String, String> meanings = new LinkedHashMap<>();
        Deque<String> path = new ArrayDeque<>();
        List<String> comment = new ArrayList<>();
        String leaf = null;
        for (String line : Files.readAllLines(Chart.SOURCE.resolve("values.yaml"))) {
            Matcher remark = COMMENT.matcher(line);
            Matcher key = KEY.matcher(line);
            if (line.isBlank()) {
                // What stood before is of the file, and not of the next key.
                comment.clear();
            } else if (remark.matches()) {
                comment.add(remark.group(1));
            } else if (key.matches()) {
                int depth = key.group(1).length() / 2;
                while (path.size() > depth) {
                    path.removeLast();
                }
                path.addLast(key.group(2));
                String name = String.join(".", path);
                if (leaf == null || !name.startsWith(leaf + ".")) {
                    meanings.put(name, String.join(" ", comment));
                    leaf = isSection(values.at("/" + name.replace('.', '/')), at(schema, name)) ? null : name;
                }
                comment.clear();
            }
        }
        return meanings;
    }
}
