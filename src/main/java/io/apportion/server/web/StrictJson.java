package io.apportion.server.web;

import com.fasterxml.jackson.annotation.Nulls;
import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import java.time.Instant;
import java.util.UUID;
import java.util.function.Function;
import org.springframework.boot.jackson.autoconfigure.JsonFactoryBuilderCustomizer;
import org.springframework.boot.jackson.autoconfigure.JsonMapperBuilderCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationContext;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.SerializationContext;
import tools.jackson.databind.ValueDeserializer;
import tools.jackson.databind.ValueSerializer;
import tools.jackson.databind.cfg.CoercionAction;
import tools.jackson.databind.cfg.CoercionInputShape;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.exc.InvalidFormatException;
import tools.jackson.databind.module.SimpleModule;

/**
 * How bodies are read: what is not understood to the letter is refused. Nothing is guessed from a wrong type, a field that
 * nobody knows, or one that is there twice.
 */
@Configuration(proxyBeanMethods = false)
class StrictJson {

    @Bean
    JsonFactoryBuilderCustomizer limits() {
        return factory -> factory.streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(32)
                        // Texts are as long as bodies may be: whoever sends too much is told that, not this.
                        // Enough that a number of ten thousand digits is out of range, not unreadable.
                        .maxNumberLength(64 * 1024)
                        .build())
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION);
    }

    @Bean
    JsonMapperBuilderCustomizer strictness() {
        return mapper -> {
            mapper.enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                    .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .enable(EnumFeature.FAIL_ON_NUMBERS_FOR_ENUMS)
                    .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                    .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                    .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
                    .changeDefaultNullHandling(nulls -> nulls.withContentNulls(Nulls.FAIL))
                    .withCoercionConfigDefaults(coercions -> {
                        for (CoercionInputShape shape : CoercionInputShape.values()) {
                            coercions.setCoercion(shape, CoercionAction.Fail);
                        }
                    })
                    .addModule(forms());
        };
    }

    private static SimpleModule forms() {
        return new SimpleModule("apportion-web")
                .addSerializer(AdapterNumber.class, new Text<>())
                .addSerializer(DomainNumber.class, new Text<>())
                .addSerializer(Queue.class, new Text<>())
                .addSerializer(ApMask.class, new Text<>())
                .addDeserializer(
                        AdapterNumber.class, new NumberForm<>(AdapterNumber::parse, true, new AdapterNumber(0)))
                .addDeserializer(DomainNumber.class, new NumberForm<>(DomainNumber::parse, true, new DomainNumber(0)))
                .addDeserializer(Queue.class, new NumberForm<>(NumberForms::parseQueue, false, new Queue(0, 0)))
                .addDeserializer(ApMask.class, new NumberForm<>(NumberForms::parseMask, false, ApMask.NONE))
                .addDeserializer(UUID.class, new TextForm<>(UUID.class, TextForms::parseUuid))
                .addDeserializer(Instant.class, new TextForm<>(Instant.class, TextForms::parseInstant))
                .addDeserializer(String.class, new TextForm<>(String.class, StrictJson::storable));
    }

    private static String storable(String text) {
        if (!TextForms.isStorable(text)) {
            throw new IllegalArgumentException("NUL, or half of a surrogate pair");
        }
        return text;
    }

    private static final class Text<T> extends ValueSerializer<T> {
        @Override
        public void serialize(T value, JsonGenerator generator, SerializationContext context) {
            generator.writeString(value.toString());
        }
    }

    /** A number as text, or also as an integer; a bad one is noted and stood in for. */
    private static final class NumberForm<T> extends ValueDeserializer<T> {

        private final Function<String, T> parse;
        private final boolean integers;
        private final T standIn;

        NumberForm(Function<String, T> parse, boolean integers, T standIn) {
            this.parse = parse;
            this.integers = integers;
            this.standIn = standIn;
        }

        @Override
        public T deserialize(JsonParser parser, DeserializationContext context) {
            boolean readable = parser.hasToken(JsonToken.VALUE_STRING)
                    || parser.hasToken(JsonToken.VALUE_NUMBER_INT)
                    || parser.hasToken(JsonToken.VALUE_NUMBER_FLOAT);
            if (!readable) {
                throw context.wrongTokenException(parser, handledType(), JsonToken.VALUE_STRING, "");
            }
            String text = parser.getString();
            try {
                if (!integers && !parser.hasToken(JsonToken.VALUE_STRING)) {
                    throw new NumberException(ProblemKind.MALFORMED_NUMBER, text, "is to be written as text");
                }
                return parse.apply(text);
            } catch (NumberException bad) {
                BadNumbers.add(parser.streamReadContext().pathAsPointer().toString(), bad);
                return standIn;
            }
        }

        @Override
        public Class<?> handledType() {
            return standIn.getClass();
        }
    }

    /** Anything else that is written as text. */
    private static final class TextForm<T> extends ValueDeserializer<T> {

        private final Class<T> type;
        private final Function<String, T> parse;

        TextForm(Class<T> type, Function<String, T> parse) {
            this.type = type;
            this.parse = parse;
        }

        @Override
        public T deserialize(JsonParser parser, DeserializationContext context) {
            if (!parser.hasToken(JsonToken.VALUE_STRING)) {
                throw context.wrongTokenException(parser, type, JsonToken.VALUE_STRING, "");
            }
            String text = parser.getString();
            try {
                return parse.apply(text);
            } catch (IllegalArgumentException malformed) {
                throw InvalidFormatException.from(parser, "malformed", text, type);
            }
        }
    }
}
