package io.apportion.wire;

import org.jspecify.annotations.Nullable;

/** What texts of the wire may be: no program or person on a host decides how much another one has to keep. */
final class Texts {

    private Texts() {}

    /**
     * By which something is recognised: it is taken as it is, or not at all.
     *
     * @throws IllegalArgumentException if it is longer, or has other than visible ASCII characters
     */
    static String name(String text, int longest) {
        if (text.length() > longest || text.chars().anyMatch(c -> c < ' ' || c > '~')) {
            throw new IllegalArgumentException("expected at most " + longest + " visible characters");
        }
        return text;
    }

    static @Nullable String nameOrNull(@Nullable String text, int longest) {
        return text == null ? null : name(text, longest);
    }

    /** For people: cut where it is too long, and mended where it has what not every database can keep. */
    static String words(String text, int longest) {
        StringBuilder mended = new StringBuilder(Math.min(text.length(), longest));
        text.codePoints()
                .map(point -> point == 0 || (point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE)
                        ? '?'
                        : point)
                .takeWhile(point -> mended.length() + Character.charCount(point) <= longest)
                .forEachOrdered(mended::appendCodePoint);
        return mended.toString();
    }

    static @Nullable String wordsOrNull(@Nullable String text, int longest) {
        return text == null ? null : words(text, longest);
    }
}
