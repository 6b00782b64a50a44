package io.apportion.wire;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.annotation.PropertyAccessor;
import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.databind.DeserializationContext;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.SerializationContext;
import tools.jackson.databind.ValueDeserializer;
import tools.jackson.databind.ValueSerializer;
import tools.jackson.databind.cfg.MapperConfig;
import tools.jackson.databind.introspect.Annotated;
import tools.jackson.databind.introspect.AnnotatedMember;
import tools.jackson.databind.introspect.AnnotatedParameter;
import tools.jackson.databind.introspect.AnnotationIntrospectorPair;
import tools.jackson.databind.introspect.JacksonAnnotationIntrospector;
import tools.jackson.databind.introspect.NopAnnotationIntrospector;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.module.SimpleModule;

/**
 * The JSON that server and agent send each other: masks as {@code 0x} and 64 hex digits, queues as {@code 04.0047}.
 *
 * <p>Unknown fields are ignored, and only those marked nullable may be missing: a field that is added later is nullable, so
 * that an agent and a server one release apart understand each other.
 */
public final class WireFormat {

    /** Masks and queues as text, for any mapper that handles records of this package. */
    public static final SimpleModule MODULE = new SimpleModule("apportion-wire")
            .addSerializer(ApMask.class, new Text<>())
            .addSerializer(Queue.class, new Text<>())
            .addDeserializer(ApMask.class, new ValueDeserializer<>() {
                @Override
                public ApMask deserialize(JsonParser parser, DeserializationContext context) {
                    String text = parser.getValueAsString("");
                    try {
                        return ApMask.parse(text);
                    } catch (IllegalArgumentException malformed) {
                        throw context.weirdStringException(text, ApMask.class, "expected 0x and 64 hex digits");
                    }
                }
            })
            .addDeserializer(Queue.class, new ValueDeserializer<>() {
                @Override
                public Queue deserialize(JsonParser parser, DeserializationContext context) {
                    String text = parser.getValueAsString("");
                    try {
                        return Queue.parse(text);
                    } catch (IllegalArgumentException malformed) {
                        throw context.weirdStringException(text, Queue.class, "expected a queue such as 04.0047");
                    }
                }
            });

    public static final JsonMapper MAPPER = JsonMapper.builder()
            .addModule(MODULE)
            .annotationIntrospector(
                    AnnotationIntrospectorPair.pair(new JacksonAnnotationIntrospector(), new NullMarked()))
            // What a record is asked for beside its components is no part of it.
            .changeDefaultVisibility(
                    visible -> visible.withVisibility(PropertyAccessor.IS_GETTER, JsonAutoDetect.Visibility.NONE))
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    private WireFormat() {}

    /** SHA-256 of the JSON of what was observed, in hex: equal digests mean that no whole report is needed. */
    public static String digest(ObservedHost observed) {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            return HexFormat.of()
                    .formatHex(sha.digest(MAPPER.writeValueAsString(observed).getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException everyJdkHasIt) {
            throw new IllegalStateException(everyJdkHasIt);
        }
    }

    /** Holds JSON to what the records' own types say: only what is nullable may be null or missing. */
    private static final class NullMarked extends NopAnnotationIntrospector {

        @Override
        public @Nullable Boolean hasRequiredMarker(MapperConfig<?> config, AnnotatedMember member) {
            return isComponent(member) ? !isNullable(member) : null;
        }

        @Override
        public JsonSetter.Value findSetterInfo(MapperConfig<?> config, Annotated member) {
            if (!isComponent(member)) {
                return JsonSetter.Value.empty();
            }
            return isNullable(member)
                    ? JsonSetter.Value.forContentNulls(Nulls.FAIL)
                    : JsonSetter.Value.forValueNulls(Nulls.FAIL, Nulls.FAIL);
        }

        private static boolean isComponent(Annotated member) {
            return member instanceof AnnotatedParameter parameter
                    && parameter.getDeclaringClass().isRecord();
        }

        private static boolean isNullable(Annotated component) {
            AnnotatedParameter parameter = (AnnotatedParameter) component;
            return parameter
                    .getOwner()
                    .getNativeParameters()[parameter.getIndex()]
                    .getAnnotatedType()
                    .isAnnotationPresent(Nullable.class);
        }
    }

    private static final class Text<T> extends ValueSerializer<T> {
        @Override
        public void serialize(T value, JsonGenerator generator, SerializationContext context) {
            generator.writeString(value.toString());
        }
    }
}
