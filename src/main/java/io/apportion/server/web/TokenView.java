package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.Token;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * @param host of an agent, its only host
 * @param scope of an operator, if it is limited: labels that a host must have for anything there to be changed
 * @param createdBy the actor who made it
 * @param expiresAt absent: never
 * @param token the token itself: only in the answer that made it, and never again
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record TokenView(
        UUID id,
        String name,
        Role role,
        @Nullable String host,

        @Nullable Map<String, String> scope,
        Instant createdAt,
        String createdBy,
        @Nullable Instant expiresAt,
        @Nullable String token) {

    static TokenView of(Token token) {
        return with(token, null);
    }

    static TokenView with(Token token, @Nullable String secret) {
        return new TokenView(
                token.id(),
                token.name(),
                token.role(),
                token.host(),
                token.scope().isEmpty() ? null : token.scope(),
                token.createdAt(),
                token.createdBy(),
                token.expiresAt(),
                secret);
    }
}
