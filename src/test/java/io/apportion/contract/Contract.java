package io.apportion.contract;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.networknt.schema.Error;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaLocation;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SchemaRegistryConfig;
import com.networknt.schema.dialect.Dialects;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * A contract, and whether an answer keeps it. Stricter than a client has to be: whatever an answer has must be documented,
 * its operation, its status, its media type, each of its fields, and of a problem the kind, for that very operation.
 */
public final class Contract {

    /** The one that is committed. */
    static final Path FILE = Path.of("openapi", "apportion.yaml");

    private static final JsonMapper JSON = JsonMapper.shared();

    /** What answers a request that no operation takes. */
    private static final Set<String> OUTSIDE_OF_OPERATIONS = Set.of(
            "not-found",
            "method-not-allowed",
            "malformed-request",
            "unauthenticated",
            "forbidden",
            "too-large",
            "unsupported-media-type",
            "not-acceptable",
            "database-unavailable",
            "busy");

    private static final String LOCATION = "urn:apportion:contract";

    private final JsonNode root;
    private final List<Template> templates;
    private final SchemaRegistry schemas;
    private final Map<String, Schema> byPointer = new ConcurrentHashMap<>();

    private record Template(Pattern pattern, String path) {}

    /** One operation, as far as a test asks for it. */
    public record Operation(String method, String path, JsonNode node) {

        public String id() {
            return node.path("operationId").asString("");
        }

        @Override
        public String toString() {
            return method + " " + path;
        }
    }

    private Contract(JsonNode root) {
        this.root = root;
        closeObjects(root.path("components").path("schemas"));
        String document = JSON.createObjectNode()
                .<ObjectNode>set("components", root.path("components"))
                .toString();
        this.schemas = SchemaRegistry.withDialect(
                Dialects.getOpenApi31(),
                builder -> builder.schemas(Map.of(LOCATION, document))
                        .schemaRegistryConfig(SchemaRegistryConfig.builder()
                                .formatAssertionsEnabled(true)
                                .build()));
        // A path without templates before one that has them in the same place.
        this.templates = root.path("paths").propertyNames().stream()
                .sorted((one, other) -> one.replace('{', '~').compareTo(other.replace('{', '~')))
                .map(path -> new Template(
                        Pattern.compile(Stream.of(path.split("/", -1))
                                .map(part -> part.startsWith("{") ? "[^/]+" : Pattern.quote(part))
                                .collect(Collectors.joining("/"))),
                        path))
                .toList();
    }

    public static Contract of(String yaml) {
        return new Contract(YAMLMapper.shared().readTree(yaml));
    }

    static Contract committed() {
        try {
            return of(Files.readString(FILE));
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
    }

    /** Clients must take fields that they do not know; here, one that is not documented is an error. */
    private static void closeObjects(JsonNode schemas) {
        for (JsonNode schema : schemas) {
            if (schema instanceof ObjectNode object
                    && object.has("properties")
                    && !object.has("additionalProperties")) {
                object.put("additionalProperties", false);
            }
        }
    }

    JsonNode root() {
        return root;
    }

    public List<Operation> operations() {
        List<Operation> operations = new ArrayList<>();
        root.path("paths")
                .properties()
                .forEach(path -> path.getValue()
                        .properties()
                        .forEach(operation -> operations.add(new Operation(
                                operation.getKey().toUpperCase(Locale.ROOT), path.getKey(), operation.getValue()))));
        return operations;
    }

    /** Follows a reference of the document itself. */
    public JsonNode resolved(JsonNode node) {
        return node.has("$ref") ? root.at(node.path("$ref").asString().substring(1)) : node;
    }

    /**
     * @param path without the query, as sent
     * @param contentType null: none
     * @param body of the answer; not looked at after HEAD
     * @return in what the answer breaks the contract; empty: in nothing
     */
    public List<String> violations(String method, String path, int status, @Nullable String contentType, byte[] body) {
        boolean head = method.equals("HEAD");
        JsonNode operation = operation(head ? "GET" : method, path);
        String at = method + " " + path + " " + status + ": ";
        boolean problem = status >= 400;
        if (operation == null && method.equals("OPTIONS") && status < 300) {
            return List.of();
        }
        if (operation == null && !problem) {
            return List.of(at + "no such operation is documented");
        }
        JsonNode response =
                operation == null ? null : resolved(operation.path("responses").path(String.valueOf(status)));
        String kind = problem && !head ? kind(body) : null;
        if (response == null || (status == 405 && response.isMissingNode())) {
            return kind != null && !OUTSIDE_OF_OPERATIONS.contains(kind)
                    ? List.of(at + "no operation, and yet " + kind)
                    : head ? List.of() : shape(at, "/components/schemas/Problem", body);
        }
        if (response.isMissingNode()) {
            return List.of(at + "the status is not documented, but "
                    + operation.path("responses").propertyNames() + "; the body: " + new String(body, UTF_8));
        }
        if (head) {
            return List.of();
        }
        MediaType type = contentType == null ? null : MediaType.parseMediaType(contentType);
        JsonNode content = type == null
                ? response.path("nothing")
                : response.path("content").path(type.getType() + "/" + type.getSubtype());
        if (content.isMissingNode()) {
            return List.of(at + "the media type " + contentType + " is not documented");
        }
        if (problem && !content.path("examples").has(String.valueOf(kind))) {
            return List.of(at + "the problem " + kind + " is not documented, but "
                    + content.path("examples").propertyNames());
        }
        String ref = content.path("schema").path("$ref").asString("");
        if (ref.isEmpty()) {
            return content.path("schema").path("type").asString("").equals("string")
                    ? List.of()
                    : List.of(at + "the body has no schema");
        }
        if (MediaType.TEXT_EVENT_STREAM.isCompatibleWith(type)) {
            return new String(body, UTF_8)
                    .lines()
                    .filter(line -> line.startsWith("data:"))
                    .flatMap(line ->
                            shape(
                                    at,
                                    ref.substring(1),
                                    line.substring("data:".length()).getBytes(UTF_8))
                                    .stream())
                    .toList();
        }
        return shape(at, ref.substring(1), body);
    }

    private @Nullable JsonNode operation(String method, String path) {
        return templates.stream()
                .filter(template -> template.pattern().matcher(path).matches())
                .findFirst()
                .map(template -> root.path("paths").path(template.path()))
                .map(item -> item.get(method.toLowerCase(Locale.ROOT)))
                .orElse(null);
    }

    private static String kind(byte[] body) {
        try {
            return JSON.readTree(body).path("type").asString("").replace("/problems/", "");
        } catch (JacksonException noJson) {
            return "no JSON";
        }
    }

    /** @param pointer to the schema in the document */
    List<String> shape(String at, String pointer, byte[] body) {
        JsonNode json;
        try {
            json = JSON.readTree(body);
        } catch (JacksonException noJson) {
            return List.of(at + "the body is no JSON: " + new String(body, UTF_8));
        }
        return shape(at, pointer, json);
    }

    List<String> shape(String at, String pointer, JsonNode json) {
        List<Error> errors = byPointer
                .computeIfAbsent(pointer, key -> schemas.getSchema(SchemaLocation.of(LOCATION + "#" + key)))
                .validate(json);
        return errors.stream().map(error -> at + error).toList();
    }
}
