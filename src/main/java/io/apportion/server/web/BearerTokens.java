package io.apportion.server.web;

import io.apportion.server.identity.Identity;
import io.apportion.server.identity.ProviderTokens;
import io.apportion.server.identity.TokenService;
import java.util.Optional;
import java.util.function.Function;
import org.springframework.security.authentication.AuthenticationManager;
import org.springframework.security.authentication.BadCredentialsException;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.authority.AuthorityUtils;
import org.springframework.security.oauth2.server.resource.authentication.BearerTokenAuthenticationToken;
import org.springframework.security.web.authentication.WebAuthenticationDetails;

/** Finds out whose token a request shows, by its form: Apportion's own, or else the identity provider's. */
final class BearerTokens implements AuthenticationManager {

    private final TokenService tokens;
    private final Optional<ProviderTokens> provider;
    private final FailedLogins failures;

    BearerTokens(TokenService tokens, Optional<ProviderTokens> provider, FailedLogins failures) {
        this.tokens = tokens;
        this.provider = provider;
        this.failures = failures;
    }

    @Override
    public Authentication authenticate(Authentication request) {
        return authenticate(request, tokens::identify);
    }

    /** For metrics: they tell that the database is away, and so are read while it is. */
    AuthenticationManager withoutDatabase() {
        return request -> authenticate(request, tokens::identifyKnown);
    }

    private Authentication authenticate(Authentication request, Function<String, Optional<Identity>> own) {
        BearerTokenAuthenticationToken shown = (BearerTokenAuthenticationToken) request;
        String address = shown.getDetails() instanceof WebAuthenticationDetails details
                ? String.valueOf(details.getRemoteAddress())
                : "";
        Optional<FailedLogins.TooMany> tooMany = failures.tooMany(address);
        try {
            return UsernamePasswordAuthenticationToken.authenticated(
                    identify(shown.getToken(), own, tooMany), null, AuthorityUtils.NO_AUTHORITIES);
        } catch (BadCredentialsException bad) {
            if (tooMany.isPresent()) {
                throw tooMany.get();
            }
            failures.add(address);
            throw bad;
        }
    }

    private Identity identify(
            String token, Function<String, Optional<Identity>> own, Optional<FailedLogins.TooMany> tooMany) {
        if (TokenService.isToken(token) || provider.isEmpty()) {
            if (tooMany.isPresent() && !tokens.isKnown(token)) {
                throw tooMany.get();
            }
            return own.apply(token)
                    .orElseThrow(() -> new BadCredentialsException("The token is unknown, revoked or expired."));
        }
        return provider.get().identify(token);
    }
}
