package io.apportion.server.web;

import com.fasterxml.jackson.databind.JavaType;
import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import io.swagger.v3.core.converter.AnnotatedType;
import io.swagger.v3.core.converter.ModelConverter;
import io.swagger.v3.core.converter.ModelConverterContext;
import io.swagger.v3.core.util.Json31;
import io.swagger.v3.oas.models.OpenAPI;
import io.swagger.v3.oas.models.media.Schema;
import io.swagger.v3.oas.models.parameters.Parameter;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springdoc.core.customizers.GlobalOpenApiCustomizer;
import org.springdoc.core.customizers.ParameterCustomizer;
import org.springframework.core.MethodParameter;
import org.springframework.stereotype.Component;

/**
 * How the contract describes our types: numbers as the texts they are written as, and of records, those fields as required
 * that are never null.
 */
@Component
final class SchemaForms implements ModelConverter, ParameterCustomizer, GlobalOpenApiCustomizer {

    private static final String REF = "#/components/schemas/";

    private record Form(String name, String pattern, String example, String description) {

        Schema<?> schema() {
            Schema<?> schema = new Schema<>();
            schema.addType("string");
            schema.setPattern(pattern);
            schema.setExample(example);
            schema.setDescription(description);
            return schema;
        }
    }

    private static final Map<Class<?>, Form> FORMS = Map.of(
            AdapterNumber.class,
            new Form("Adapter", "^0x[0-9a-f]{2}$", "0x05", "An adapter, 0 to 255."),
            DomainNumber.class,
            new Form("Domain", "^0x00[0-9a-f]{2}$", "0x0047", "A usage or control domain, 0 to 255."),
            Queue.class,
            new Form(
                    "Queue",
                    "^[0-9a-f]{2}\\.00[0-9a-f]{2}$",
                    "05.0047",
                    "A queue: adapter and domain, two and four hex digits."),
            ApMask.class,
            new Form("Mask", "^0x[0-9a-f]{64}$", "0x" + "0".repeat(64), "256 bits, bit 0 leftmost."));

    /** Springdoc takes what Spring makes of a text for just a text. */
    @Override
    public Parameter customize(Parameter parameter, MethodParameter source) {
        Form form = FORMS.get(source.getParameterType());
        if (form != null && parameter != null) {
            parameter.setSchema(new Schema<>().$ref(REF + form.name()));
        }
        return parameter;
    }

    @Override
    public void customise(OpenAPI contract) {
        FORMS.values().forEach(form -> contract.getComponents().addSchemas(form.name(), form.schema()));
    }

    @Override
    public @Nullable Schema<?> resolve(
            AnnotatedType type, ModelConverterContext context, Iterator<ModelConverter> chain) {
        JavaType java = Json31.mapper().constructType(type.getType());
        Form form = java == null ? null : FORMS.get(java.getRawClass());
        if (form != null) {
            context.defineModel(form.name(), form.schema());
            return new Schema<>().$ref(REF + form.name());
        }
        Schema<?> schema = chain.hasNext() ? chain.next().resolve(type, context, chain) : null;
        if (schema != null && java != null && isOurs(java.getRawClass())) {
            require(java.getRawClass(), model(schema, context));
        }
        return schema;
    }

    private static boolean isOurs(Class<?> type) {
        return type.isRecord() && type.getName().startsWith("io.apportion.");
    }

    private static @Nullable Schema<?> model(Schema<?> schema, ModelConverterContext context) {
        String ref = schema.get$ref();
        return ref == null ? schema : context.getDefinedModels().get(ref.substring(REF.length()));
    }

    private static void require(Class<?> type, @Nullable Schema<?> model) {
        if (model != null && model.getProperties() != null) {
            List<String> required = Arrays.stream(type.getRecordComponents())
                    .filter(component -> !component.getAnnotatedType().isAnnotationPresent(Nullable.class))
                    .map(RecordComponent::getName)
                    .filter(model.getProperties()::containsKey)
                    .toList();
            model.setRequired(required);
        }
    }
}
