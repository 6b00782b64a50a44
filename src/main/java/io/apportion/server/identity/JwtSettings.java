package io.apportion.server.identity;

import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * How callers with a JWT of the site's identity provider are taken. Which provider that is, and for which audience its
 * tokens must be, {@code spring.security.oauth2.resourceserver.jwt} says ({@code issuer-uri}, {@code audiences}).
 *
 * @param rolesClaim the claim with a caller's roles, one or several words; a dot leads into a claim of claims, as in
 *     {@code realm_access.roles}
 * @param roles which role each word of that claim stands for
 * @param actorClaim the claim that says who the caller is, in events. It must name one person for ever, as {@code sub} does
 * @param scopeClaim the claim with terms such as {@code zone=a}, all of which a host's labels must fit for an operator to
 *     change anything there, or {@code *}; for example {@code crypto_hosts}. An operator without that claim is then a
 *     viewer. Default: none, and no operator is limited
 * @param clockSkew by how much the provider's clock may differ, at most 5m
 */
@ConfigurationProperties("apportion.identity.jwt")
public record JwtSettings(
        @DefaultValue("roles") String rolesClaim,
        Map<String, Role> roles,
        @DefaultValue("sub") String actorClaim,
        @Nullable String scopeClaim,
        @DefaultValue("30s") Duration clockSkew) {

    private static final Duration MOST_SKEW = Duration.ofMinutes(5);

    private static final Map<String, Role> BY_NAME =
            new TreeMap<>(Map.of("viewer", Role.VIEWER, "operator", Role.OPERATOR, "admin", Role.ADMIN));

    public JwtSettings {
        roles = roles == null || roles.isEmpty() ? BY_NAME : new TreeMap<>(roles);
        if (roles.containsValue(Role.AGENT)) {
            throw new IllegalArgumentException(
                    "apportion.identity.jwt.roles: agents have a token of Apportion's or a certificate, never a JWT");
        }
        if (clockSkew.isNegative() || clockSkew.compareTo(MOST_SKEW) > 0) {
            throw new IllegalArgumentException("apportion.identity.jwt.clock-skew is not within 0s and 5m");
        }
    }
}
