package io.apportion.server.store;

import jakarta.persistence.AttributeConverter;
import java.util.Arrays;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Enums by the word that people read, not by the name in the code: renaming a constant changes no stored row. */
abstract class WordConverter<E extends Enum<E>> implements AttributeConverter<E, String> {

    private final Map<String, E> byWord;

    WordConverter(E[] values) {
        byWord = Arrays.stream(values).collect(Collectors.toMap(Enum::toString, Function.identity()));
    }

    @Override
    public @Nullable String convertToDatabaseColumn(@Nullable E value) {
        return value == null ? null : value.toString();
    }

    @Override
    public @Nullable E convertToEntityAttribute(@Nullable String word) {
        if (word == null) {
            return null;
        }
        E value = byWord.get(word);
        if (value == null) {
            throw new IllegalStateException("the database holds an unknown word: " + word);
        }
        return value;
    }
}
