package io.apportion.server.web;

import io.apportion.server.identity.FirstAdmin;
import io.apportion.server.identity.IdentitySettings;
import io.apportion.server.identity.JwtSettings;
import io.apportion.server.identity.ProviderTokens;
import io.apportion.server.identity.TokenService;
import jakarta.servlet.http.HttpServletRequest;
import java.time.Clock;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.security.oauth2.server.resource.autoconfigure.OAuth2ResourceServerProperties;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.web.server.Ssl;
import org.springframework.boot.web.server.autoconfigure.ServerProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.oauth2.server.resource.web.authentication.BearerTokenAuthenticationFilter;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.header.HeaderWriterFilter;

/**
 * The server's way of access: each request shows a token, Apportion's own or one of the site's identity provider; or its
 * connection a certificate. Imported by {@code ServerApplication}.
 */
@EnableConfigurationProperties(OAuth2ResourceServerProperties.class)
public class TokenAccess extends Guarded {

    private static final String METRICS = "/actuator/prometheus";

    @Bean
    FirstAdmin firstAdmin(TokenService tokens, IdentitySettings settings) {
        return new FirstAdmin(tokens, settings);
    }

    @Bean
    BearerTokens bearerTokens(
            TokenService tokens,
            OAuth2ResourceServerProperties provider,
            JwtSettings jwt,
            WebSettings settings,
            Clock clock) {
        return new BearerTokens(
                tokens,
                ProviderTokens.of(provider.getJwt(), jwt, clock),
                new FailedLogins(settings.failedLogins(), settings.failedLoginsWithin(), clock));
    }

    @Bean
    SecurityFilterChain access(
            HttpSecurity http,
            FilterProblems problems,
            BearerTokens tokens,
            WebSettings settings,
            ObjectProvider<ServerProperties> server,
            ObjectProvider<SslBundles> bundles) {
        // Not by oauth2ResourceServer(): it adds a page of metadata that everybody may read, on each port, and that
        // says what
        // is not so.
        BearerTokenAuthenticationFilter bearers = new BearerTokenAuthenticationFilter((HttpServletRequest request) ->
                request.getRequestURI().equals(METRICS) ? tokens.withoutDatabase() : tokens);
        bearers.setAuthenticationEntryPoint(problems::answer);
        // Also for what is no fault of the token, which it would throw on.
        bearers.setAuthenticationFailureHandler(problems::answer);
        http.addFilter(bearers);
        ServerProperties properties = server.getIfAvailable();
        Ssl ssl = properties == null ? null : properties.getSsl();
        if (ssl != null && ClientCertificates.areAskedFor(ssl)) {
            ClientCertificates.requireAuthority(ssl, bundles.getObject());
            http.x509(certificates -> certificates.x509AuthenticationFilter(ClientCertificates.filter()));
        }
        if (!settings.allowedOrigins().isEmpty()) {
            http.addFilterAfter(new OtherOrigins(settings.allowedOrigins()), HeaderWriterFilter.class);
        }
        return chain(http, problems, new AccessRules(false));
    }
}
