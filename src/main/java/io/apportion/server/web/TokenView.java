package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.Token;
import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * @param host of an agent, its only host
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
                token.createdAt(),
                token.createdBy(),
                token.expiresAt(),
                secret);
    }
}
