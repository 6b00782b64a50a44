package io.apportion.server.web;

import java.time.DateTimeException;
import java.time.Instant;
import java.util.Arrays;
import java.util.Locale;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** How everything but numbers of the matrix is written in requests. Each form has exactly one reading. */
final class TextForms {

    private static final Pattern UUID_FORM =
            Pattern.compile("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}");

    private static final Pattern WHOLE_NUMBER = Pattern.compile("0|[1-9][0-9]{0,17}");

    /** Years of four digits: databases have no room for all that an Instant can be. */
    private static final Pattern INSTANT = Pattern.compile("[0-9]{4}-[^+]{1,40}Z");

    private TextForms() {}

    /**
     * The canonical form alone, of either case: {@link UUID#fromString} takes far more.
     *
     * @throws IllegalArgumentException for anything else
     */
    static UUID parseUuid(String text) {
        if (!UUID_FORM.matcher(text).matches()) {
            throw wrong(UUID.class);
        }
        return UUID.fromString(text);
    }

    /** @throws IllegalArgumentException unless it is {@code true} or {@code false} */
    static Boolean parseBoolean(String text) {
        return switch (text) {
            case "true" -> true;
            case "false" -> false;
            default -> throw wrong(Boolean.class);
        };
    }

    /** @throws IllegalArgumentException unless it is plain decimal, at most 18 digits */
    static Long parseLong(String text) {
        if (!WHOLE_NUMBER.matcher(text).matches()) {
            throw wrong(Long.class);
        }
        return Long.valueOf(text);
    }

    /** @throws IllegalArgumentException unless it is plain decimal and fits */
    static Integer parseInteger(String text) {
        long number = parseLong(text);
        if (number > Integer.MAX_VALUE) {
            throw wrong(Integer.class);
        }
        return (int) number;
    }

    /** @throws IllegalArgumentException unless it is in UTC and of the years 0000 to 9999 */
    static Instant parseInstant(String text) {
        if (!INSTANT.matcher(text).matches()) {
            throw wrong(Instant.class);
        }
        try {
            return Instant.parse(text);
        } catch (DateTimeException malformed) {
            throw wrong(Instant.class);
        }
    }

    /** By the word that the constant is written as. */
    static <E extends Enum<E>> E parseWord(Class<E> type, String text) {
        return Arrays.stream(type.getEnumConstants())
                .filter(constant -> constant.toString().equals(text))
                .findFirst()
                .orElseThrow(() -> wrong(type));
    }

    /** Whether every database takes the text: NUL and half surrogate pairs are in no name or label. */
    static boolean isStorable(String text) {
        return text.indexOf('\0') < 0
                && text.codePoints()
                        .noneMatch(point -> point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE);
    }

    /** What is expected where a type is wanted, for example {@code true or false}. */
    static String expected(Class<?> type) {
        if (type.isEnum()) {
            return "one of "
                    + Arrays.stream(type.getEnumConstants())
                            .map(Object::toString)
                            .collect(Collectors.joining(", "));
        }
        return switch (type.getSimpleName().toLowerCase(Locale.ROOT)) {
            case "boolean" -> "true or false";
            case "int", "integer", "long" -> "a whole number";
            case "uuid" -> "a UUID such as 62177883-f1bb-47f0-914d-32a22e3a8804";
            case "instant" -> "an instant such as 2026-11-22T10:00:00Z";
            case "adapternumber" -> "an adapter such as 0x05";
            case "domainnumber" -> "a domain such as 0x0047";
            case "queue" -> "a queue such as 05.0047";
            case "apmask" -> "a mask: 0x and 64 hex digits";
            case "string" -> "text";
            case "list", "arraylist", "set", "linkedhashset", "hashset", "collection" -> "a list";
            default -> "an object";
        };
    }

    private static IllegalArgumentException wrong(Class<?> type) {
        return new IllegalArgumentException("expected " + expected(type));
    }
}
