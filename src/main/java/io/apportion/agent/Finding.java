package io.apportion.agent;

import org.jspecify.annotations.Nullable;

/**
 * One thing that was looked at, to tell an administrator whether a host can serve.
 *
 * @param words what was found
 * @param remedy what to do about it
 */
public record Finding(
        Verdict verdict, String words, @Nullable String remedy) {

    public enum Verdict {
        OK,

        /** It works, but better with something else, or there is something to know. */
        NOTE,

        /** Like this there can be no agent here. */
        FAIL
    }

    public static Finding ok(String words) {
        return new Finding(Verdict.OK, words, null);
    }

    public static Finding note(String words, @Nullable String remedy) {
        return new Finding(Verdict.NOTE, words, remedy);
    }

    public static Finding fail(String words, @Nullable String remedy) {
        return new Finding(Verdict.FAIL, words, remedy);
    }

    /** For people: a second line has the remedy. */
    @Override
    public String toString() {
        return "%-6s%s%s".formatted(verdict, words, remedy == null ? "" : "\n      " + remedy);
    }
}
