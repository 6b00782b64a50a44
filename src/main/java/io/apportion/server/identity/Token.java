package io.apportion.server.identity;

import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A token as it is shown: without its secret.
 *
 * @param host of an agent's token, its only host
 * @param scope of an operator's token: labels that a host must have to be changed; empty: any may be
 * @param expiresAt null: never
 */
public record Token(
        UUID id,
        String name,
        Role role,
        @Nullable String host,
        Map<String, String> scope,
        Instant createdAt,
        String createdBy,
        @Nullable Instant expiresAt) {

    Identity identity() {
        return new Identity(role == Role.AGENT ? "agent:" + host : "token:" + name, role, host, scope, id, expiresAt);
    }
}
