package io.apportion.server.identity;

import java.security.Principal;
import org.jspecify.annotations.Nullable;

/**
 * Who calls.
 *
 * @param actor as stored with every event, for example {@code token:ci} or {@code agent:lpar1}
 * @param host of an agent: the only host that it speaks for; null for all others
 */
public record Identity(String actor, Role role, @Nullable String host) implements Principal {

    @Override
    public String getName() {
        return actor;
    }
}
