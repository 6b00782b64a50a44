package io.apportion.server.web;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import java.util.EnumSet;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.core.Ordered;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configuration.EnableWebSecurity;
import org.springframework.security.config.annotation.web.configurers.AbstractHttpConfigurer;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.firewall.HttpFirewall;
import org.springframework.security.web.firewall.RequestRejectedHandler;
import org.springframework.security.web.firewall.StrictHttpFirewall;

/**
 * What both ways of access share. Each is imported by its own application and never found by scanning: which one is there
 * is no matter of properties.
 */
@EnableWebSecurity
class Guarded {

    /** Instead of Spring Boot's own registration, whose reach properties can cut down to nothing. */
    @Bean
    FilterRegistrationBean<Filter> guard(@Qualifier("springSecurityFilterChain") Filter chain) {
        FilterRegistrationBean<Filter> guard = new FilterRegistrationBean<>(chain);
        guard.setOrder(Ordered.HIGHEST_PRECEDENCE + 10);
        guard.setDispatcherTypes(EnumSet.allOf(DispatcherType.class));
        return guard;
    }

    /** Any method may pass: whether it exists is for the resource to say, which then names those that do. */
    @Bean
    HttpFirewall firewall() {
        StrictHttpFirewall firewall = new StrictHttpFirewall();
        firewall.setUnsafeAllowAnyHttpMethod(true);
        return firewall;
    }

    @Bean
    RequestRejectedHandler rejections() {
        return (request, response, rejection) -> {
            throw rejection;
        };
    }

    /** No session, no cookie, and so nothing for a forged request to ride on. */
    static SecurityFilterChain chain(HttpSecurity http, FilterProblems problems, AccessRules rules) {
        SafeHeaders.on(http);
        return http.csrf(AbstractHttpConfigurer::disable)
                .sessionManagement(session -> session.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
                .requestCache(AbstractHttpConfigurer::disable)
                .logout(AbstractHttpConfigurer::disable)
                .exceptionHandling(handling ->
                        handling.authenticationEntryPoint(problems::answer).accessDeniedHandler(problems::answer))
                .authorizeHttpRequests(requests -> requests
                        // The rest of a request that was let in.
                        .dispatcherTypeMatchers(DispatcherType.ASYNC)
                        .permitAll()
                        .anyRequest()
                        .access(rules))
                .build();
    }
}
