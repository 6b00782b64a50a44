package io.apportion.server.web;

import io.apportion.server.identity.FirstAdmin;
import io.apportion.server.identity.Identity;
import io.apportion.server.identity.IdentitySettings;
import io.apportion.server.identity.TokenService;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.springframework.context.annotation.Bean;
import org.springframework.http.HttpHeaders;
import org.springframework.security.authentication.BadCredentialsException;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.authority.AuthorityUtils;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.core.context.SecurityContextImpl;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.access.intercept.AuthorizationFilter;
import org.springframework.web.filter.OncePerRequestFilter;

/** The server's way of access: each request shows a token. Imported by {@code ServerApplication}. */
public class TokenAccess extends Guarded {

    @Bean
    FirstAdmin firstAdmin(TokenService tokens, IdentitySettings settings) {
        return new FirstAdmin(tokens, settings);
    }

    @Bean
    SecurityFilterChain access(HttpSecurity http, FilterProblems problems, TokenService tokens) {
        http.addFilterBefore(new BearerTokens(tokens), AuthorizationFilter.class);
        return chain(http, problems, new AccessRules(false));
    }

    /** Finds out whose token a request shows. One that shows none goes on without an identity. */
    private static final class BearerTokens extends OncePerRequestFilter {

        private static final Pattern BEARER = Pattern.compile("Bearer +([!-~]{1,512})", Pattern.CASE_INSENSITIVE);

        private final TokenService tokens;

        BearerTokens(TokenService tokens) {
            this.tokens = tokens;
        }

        @Override
        protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
                throws ServletException, IOException {
            String header = request.getHeader(HttpHeaders.AUTHORIZATION);
            if (header != null) {
                Matcher bearer = BEARER.matcher(header);
                Optional<Identity> identity = bearer.matches() ? tokens.identify(bearer.group(1)) : Optional.empty();
                SecurityContextHolder.setContext(
                        new SecurityContextImpl(UsernamePasswordAuthenticationToken.authenticated(
                                identity.orElseThrow(() -> new BadCredentialsException(
                                        "The token is unknown, revoked or expired, or the header is not Bearer"
                                                + " and a token.")),
                                null,
                                AuthorityUtils.NO_AUTHORITIES)));
            }
            chain.doFilter(request, response);
        }
    }
}
