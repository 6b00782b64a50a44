package io.apportion.server.identity;

import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A token as it is shown: without its secret.
 *
 * @param host of an agent's token, its only host
 * @param expiresAt null: never
 */
public record Token(
        UUID id,
        String name,
        Role role,
        @Nullable String host,
        Instant createdAt,
        String createdBy,
        @Nullable Instant expiresAt) {

    Identity identity() {
        return new Identity(role == Role.AGENT ? "agent:" + host : "token:" + name, role, host);
    }
}
