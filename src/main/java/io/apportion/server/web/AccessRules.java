package io.apportion.server.web;

import io.apportion.server.identity.Identity;
import io.apportion.server.identity.Role;
import jakarta.servlet.http.HttpServletRequest;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpMethod;
import org.springframework.http.server.PathContainer;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.security.authentication.InsufficientAuthenticationException;
import org.springframework.security.authorization.AuthorizationDecision;
import org.springframework.security.authorization.AuthorizationManager;
import org.springframework.security.authorization.AuthorizationResult;
import org.springframework.security.core.Authentication;
import org.springframework.security.web.access.intercept.RequestAuthorizationContext;
import org.springframework.web.util.ServletRequestPathUtils;
import org.springframework.web.util.pattern.PathPattern;
import org.springframework.web.util.pattern.PathPatternParser;

/** Who may do what. Of the rules, the first that fits decides; what none fits is an operator's. */
final class AccessRules implements AuthorizationManager<RequestAuthorizationContext> {

    private static final Set<HttpMethod> READING = Set.of(HttpMethod.GET, HttpMethod.HEAD, HttpMethod.OPTIONS);
    private static final Set<HttpMethod> ANY = Set.of();

    private static final List<Rule> RULES = List.of(
            new Rule(READING, "/problems/**", null),
            new Rule(READING, "/v3/api-docs/**", null),
            new Rule(READING, "/v3/api-docs.yaml", null),
            new Rule(READING, "/swagger-ui/**", null),
            new Rule(READING, "/swagger-ui.html", null),
            new Rule(READING, "/actuator/health/**", null),
            new Rule(ANY, "/agent/**", Role.AGENT),
            new Rule(ANY, "/api/v1/tokens/**", Role.ADMIN),
            new Rule(READING, "/**", Role.VIEWER),
            new Rule(ANY, "/api/v1/hosts/{host}", Role.ADMIN),
            new Rule(ANY, "/api/v1/hosts/{host}/claim", Role.ADMIN));

    private static final PathPattern OWN_HOST = PathPatternParser.defaultInstance.parse("/agent/v1/hosts/{host}/**");

    private final boolean anybodyIsAnyAgent;

    /** @param anybodyIsAnyAgent whether agents need no token of their host: in the demo, where nobody has one */
    AccessRules(boolean anybodyIsAnyAgent) {
        this.anybodyIsAnyAgent = anybodyIsAnyAgent;
    }

    /** @param role null: no token is asked for */
    private record Rule(
            Set<HttpMethod> methods,
            PathPattern path,
            @Nullable Role role) {

        Rule(Set<HttpMethod> methods, String path, @Nullable Role role) {
            this(methods, PathPatternParser.defaultInstance.parse(path), role);
        }

        boolean fits(HttpMethod method, PathContainer requested) {
            return (methods.isEmpty() || methods.contains(method)) && path.matches(requested);
        }
    }

    /** The role that a request without {@code force} needs; nothing if it needs none. */
    static Optional<Role> needed(HttpMethod method, PathContainer path) {
        for (Rule rule : RULES) {
            if (rule.fits(method, path)) {
                return Optional.ofNullable(rule.role());
            }
        }
        return Optional.of(Role.OPERATOR);
    }

    @Override
    public AuthorizationResult authorize(
            Supplier<? extends @Nullable Authentication> authentication, RequestAuthorizationContext context) {
        HttpServletRequest request = context.getRequest();
        // As Spring MVC reads it, also where it serves below a prefix.
        PathContainer path = ServletRequestPathUtils.parse(request).pathWithinApplication();
        Optional<Role> needed = needed(HttpMethod.valueOf(request.getMethod()), path);
        if (needed.isPresent()) {
            check(identity(authentication.get()), needed.get(), path);
            if ("true".equals(request.getParameter("force"))) {
                check(identity(authentication.get()), Role.ADMIN, path);
            }
        }
        return new AuthorizationDecision(true);
    }

    private static Identity identity(@Nullable Authentication authentication) {
        if (authentication != null && authentication.getPrincipal() instanceof Identity identity) {
            return identity;
        }
        throw new InsufficientAuthenticationException("This needs a token, and the request has none.");
    }

    private void check(Identity identity, Role needed, PathContainer path) {
        if (needed == Role.AGENT && anybodyIsAnyAgent) {
            return;
        }
        if (!identity.role().covers(needed)) {
            throw new AccessDeniedException("This needs the role " + needed + "; " + identity.actor() + " has the role "
                    + identity.role() + ".");
        }
        if (needed == Role.AGENT) {
            PathPattern.PathMatchInfo match = OWN_HOST.matchAndExtract(path);
            String own = identity.host();
            if (own == null
                    || match == null
                    || !own.equals(match.getUriVariables().get("host"))) {
                throw new AccessDeniedException(identity.actor() + " speaks for its own host only.");
            }
        }
    }
}
