package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import io.swagger.v3.oas.models.Components;
import io.swagger.v3.oas.models.OpenAPI;
import io.swagger.v3.oas.models.Operation;
import io.swagger.v3.oas.models.headers.Header;
import io.swagger.v3.oas.models.media.IntegerSchema;
import io.swagger.v3.oas.models.media.MediaType;
import io.swagger.v3.oas.models.media.Schema;
import io.swagger.v3.oas.models.media.StringSchema;
import io.swagger.v3.oas.models.parameters.Parameter;
import io.swagger.v3.oas.models.responses.ApiResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.springdoc.core.customizers.GlobalOpenApiCustomizer;
import org.springdoc.core.customizers.ParameterCustomizer;
import org.springframework.core.MethodParameter;
import org.springframework.stereotype.Component;
import tools.jackson.databind.json.JsonMapper;

/**
 * Completes the contract: the forms that numbers have in requests, an example of each body, and the headers of every
 * answer. Each answer shown is in {@code openapi/examples}, in a file for each type of body.
 */
@Component
final class ContractCompletion implements ParameterCustomizer, GlobalOpenApiCustomizer {

    private static final String SCHEMAS = "#/components/schemas/";
    private static final String PAGE = "PageView";

    private static final String DECIMAL_OR_HEX = "^(0x[0-9a-fA-F]+|0|[1-9][0-9]*)$";

    /** Of numbers in requests: the name of the schema, and how such a number is written as text. */
    private enum Form {
        ADAPTER("Adapter", DECIMAL_OR_HEX, true, "0x and hex digits, or plain decimal: 0 to 255"),
        DOMAIN("Domain", DECIMAL_OR_HEX, true, "0x and hex digits, or plain decimal: 0 to 255"),
        QUEUE("Queue", "^[0-9a-fA-F]{2}\\.00[0-9a-fA-F]{2}$", false, "Adapter and domain, in hex"),
        MASK("Mask", "^0x[0-9a-fA-F]{64}$", false, "256 bits, bit 0 leftmost");

        private final String answered;
        private final String pattern;
        private final boolean alsoInteger;
        private final String description;

        Form(String answered, String pattern, boolean alsoInteger, String description) {
            this.answered = answered;
            this.pattern = pattern;
            this.alsoInteger = alsoInteger;
            this.description = description;
        }

        String taken() {
            return answered + "Form";
        }

        Schema<?> text() {
            return new StringSchema().pattern(pattern);
        }

        /** In a body. */
        Schema<?> schema() {
            Schema<?> integer =
                    new IntegerSchema().format(null).minimum(BigDecimal.ZERO).maximum(BigDecimal.valueOf(255));
            Schema<?> schema = alsoInteger ? new Schema<>().anyOf(List.of(text(), integer)) : text();
            return schema.description(description);
        }
    }

    private final JsonMapper json;

    ContractCompletion(JsonMapper json) {
        this.json = json;
    }

    @Override
    public @Nullable Parameter customize(@Nullable Parameter parameter, MethodParameter method) {
        Form form = form(method.getParameterType());
        if (parameter != null && form != null) {
            parameter.setSchema(form.text());
            if (parameter.getDescription() == null) {
                parameter.setDescription(form.description);
            }
        }
        return parameter;
    }

    private static @Nullable Form form(Class<?> type) {
        if (type == AdapterNumber.class) {
            return Form.ADAPTER;
        }
        if (type == DomainNumber.class) {
            return Form.DOMAIN;
        }
        if (type == Queue.class) {
            return Form.QUEUE;
        }
        return type == ApMask.class ? Form.MASK : null;
    }

    @Override
    public void customise(OpenAPI contract) {
        Components components = contract.getComponents();
        components.addHeaders(
                RequestIds.HEADER,
                header("As sent, or made by the server: the log and the events name it", "4f6f3c2a-8b0e-4d57"));
        takeNumbersInAnyForm(components);
        contract.getPaths().values().stream()
                .flatMap(path -> path.readOperations().stream())
                .forEach(operation -> complete(operation, components));
    }

    private void complete(Operation operation, Components components) {
        if (operation.getParameters() != null) {
            // Those of the path are there in its order. Of two methods for one path neither comes first for sure.
            operation.setParameters(operation.getParameters().stream()
                    .sorted(Comparator.comparing((Parameter parameter) -> !"path".equals(parameter.getIn()))
                            .thenComparing(parameter -> "header".equals(parameter.getIn()))
                            .thenComparing(parameter -> "path".equals(parameter.getIn()) ? "" : parameter.getName()))
                    .toList());
        }
        if (operation.getRequestBody() != null) {
            operation.getRequestBody().getContent().values().forEach(body -> exampleOfItsType(body, components));
        }
        operation.getResponses().forEach((status, response) -> {
            if (status.equals("201")) {
                response.addHeaderObject("Location", header("Of the new resource", null));
            }
            if (status.startsWith("2")) {
                response.addHeaderObject(RequestIds.HEADER, new Header().$ref(RequestIds.HEADER));
                answerExample(response);
            }
        });
    }

    private static Header header(String description, @Nullable String example) {
        return new Header().description(description).schema(new StringSchema().example(example));
    }

    private static void exampleOfItsType(MediaType body, Components components) {
        String type = type(body);
        Schema<?> schema = type == null ? null : components.getSchemas().get(type);
        if (schema != null && body.getExample() == null && body.getExamples() == null) {
            body.setExample(schema.getExample());
        }
    }

    private void answerExample(ApiResponse response) {
        if (response.getContent() == null) {
            return;
        }
        response.getContent().forEach((media, body) -> {
            String type = type(body);
            switch (media) {
                case "text/plain" -> body.setExample("06.0004\n06.0047\n");
                case "text/event-stream" ->
                    body.setExample("id: 90210\ndata: "
                            + json.writeValueAsString(Objects.requireNonNull(example("EventView"))) + "\n\n");
                default -> {
                    if (type != null) {
                        body.setExample(example(type));
                    }
                }
            }
        });
    }

    private static @Nullable String type(MediaType body) {
        String ref = body.getSchema() == null ? null : body.getSchema().get$ref();
        return ref == null ? null : ref.substring(SCHEMAS.length());
    }

    /** @return null if there is none */
    private @Nullable Map<?, ?> example(String type) {
        if (type.startsWith(PAGE)) {
            Map<?, ?> item = example(type.substring(PAGE.length()));
            return item == null ? null : Map.of("items", List.of(item));
        }
        try (InputStream file = ContractCompletion.class.getResourceAsStream("/openapi/examples/" + type + ".json")) {
            return file == null ? null : json.readValue(file, Map.class);
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
    }

    private static void takeNumbersInAnyForm(Components components) {
        components.getSchemas().forEach((name, schema) -> {
            if (name.endsWith("Request") && schema.getProperties() != null) {
                schema.setAdditionalProperties(false);
                for (Object property : schema.getProperties().values()) {
                    takeInAnyForm((Schema<?>) property);
                }
            }
        });
        for (Form form : Form.values()) {
            if (components.getSchemas().containsKey(form.answered)) {
                components.addSchemas(form.taken(), form.schema());
            }
        }
    }

    private static void takeInAnyForm(Schema<?> property) {
        for (Form form : Form.values()) {
            if ((SCHEMAS + form.answered).equals(property.get$ref())) {
                property.set$ref(SCHEMAS + form.taken());
            }
        }
        if (property.getItems() != null) {
            takeInAnyForm(property.getItems());
        }
    }
}
