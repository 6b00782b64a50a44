package io.apportion.server.identity;

import java.security.Principal;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Who calls.
 *
 * @param actor as stored with every event, for example {@code token:ci}, {@code user:jane} or {@code agent:lpar1}
 * @param host of an agent: the only host that it speaks for; null for all others
 * @param scope of an operator: labels that a host must have to be changed; empty: any host may be
 * @param token by which the caller was let in, if it is one of Apportion's own: it may be revoked at any time
 * @param until whatever let the caller in is good until then; null: forever
 */
public record Identity(
        String actor,
        Role role,
        @Nullable String host,
        Map<String, String> scope,
        @Nullable UUID token,
        @Nullable Instant until)
        implements Principal {

    public Identity(String actor, Role role, @Nullable String host) {
        this(actor, role, host, Map.of(), null, null);
    }

    @Override
    public String getName() {
        return actor;
    }
}
