package io.apportion.server.web;

import io.apportion.server.identity.Identity;
import io.apportion.server.identity.Role;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.util.Collections;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.web.server.ConfigurableWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.authority.AuthorityUtils;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.authentication.AnonymousAuthenticationFilter;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * The demo's way of access: everybody on this machine is an admin, and nobody else gets in. Never part of the server.
 *
 * <p>A page of some other site in a browser on this machine is somebody else: by DNS rebinding it comes with its own name
 * in {@code Host}, else with its own {@code Origin}. So is whatever a proxy forwards.
 */
public class OpenAccess extends Guarded {

    private static final Pattern LOOPBACK =
            Pattern.compile("localhost|127(\\.[0-9]{1,3}){3}|\\[?(::1|0:0:0:0:0:0:0:1)]?", Pattern.CASE_INSENSITIVE);

    @Bean
    SecurityFilterChain access(HttpSecurity http, FilterProblems problems) {
        http.anonymous(everybody -> everybody
                .principal(new Identity("demo", Role.ADMIN, null))
                .authorities(AuthorityUtils.createAuthorityList("demo")));
        http.addFilterBefore(new LoopbackOnly(), AnonymousAuthenticationFilter.class);
        return chain(http, problems, new AccessRules(true));
    }

    /** Last of all customizers: whatever address is configured, it is not this application's. */
    @Bean
    @Order(Ordered.LOWEST_PRECEDENCE)
    WebServerFactoryCustomizer<ConfigurableWebServerFactory> loopback() {
        return server -> server.setAddress(InetAddress.getLoopbackAddress());
    }

    private static final class LoopbackOnly extends OncePerRequestFilter {

        @Override
        protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
                throws ServletException, IOException {
            if (!isLoopback(request.getRemoteAddr()) || !isLoopback(request.getServerName())) {
                throw new AccessDeniedException("The demo serves this machine only: use http://localhost.");
            }
            if (Collections.list(request.getHeaderNames()).stream().anyMatch(LoopbackOnly::isForwarding)) {
                throw new AccessDeniedException("The demo serves no forwarded requests.");
            }
            String origin = request.getHeader("Origin");
            if (origin != null && !isLoopback(hostOf(origin))) {
                throw new AccessDeniedException("The demo serves no other sites' pages.");
            }
            chain.doFilter(request, response);
        }

        private static boolean isForwarding(String header) {
            String name = header.toLowerCase(Locale.ROOT);
            return name.equals("forwarded")
                    || name.startsWith("x-forwarded")
                    || name.equals("via")
                    || name.equals("x-real-ip");
        }

        private static boolean isLoopback(@Nullable String host) {
            return host != null && LOOPBACK.matcher(host).matches();
        }

        private static @Nullable String hostOf(String origin) {
            try {
                return URI.create(origin).getHost();
            } catch (IllegalArgumentException malformed) {
                return null;
            }
        }
    }
}
