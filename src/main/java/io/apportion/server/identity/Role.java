package io.apportion.server.identity;

import java.util.Locale;

/** What a token may do. */
public enum Role {
    /** Reads. */
    VIEWER,
    /** Reads and changes. */
    OPERATOR,
    /** All of that, and hosts, tokens and {@code force}. */
    ADMIN,
    /** The agent's own API, for its own host only; nothing else. */
    AGENT;

    static Role of(String word) {
        return valueOf(word.toUpperCase(Locale.ROOT));
    }

    /** Whether this role may do what the other may. */
    public boolean covers(Role other) {
        return this == other || (this != AGENT && other != AGENT && compareTo(other) > 0);
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
