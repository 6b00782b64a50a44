package io.apportion.server.web;

import java.util.List;
import org.springframework.http.HttpHeaders;
import org.springframework.http.server.ServerHttpResponse;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.web.cors.CorsConfiguration;
import org.springframework.web.cors.DefaultCorsProcessor;
import org.springframework.web.cors.UrlBasedCorsConfigurationSource;
import org.springframework.web.filter.CorsFilter;

/** Lets pages of the origins that the settings name use the API in a browser, with tokens and never with cookies. */
final class OtherOrigins extends CorsFilter {

    OtherOrigins(List<String> origins) {
        super(source(origins));
        setCorsProcessor(new DefaultCorsProcessor() {
            @Override
            protected void rejectRequest(ServerHttpResponse response) {
                throw new AccessDeniedException("Pages of this origin, or such requests of theirs, are not allowed.");
            }
        });
    }

    private static UrlBasedCorsConfigurationSource source(List<String> origins) {
        CorsConfiguration api = new CorsConfiguration();
        api.setAllowedOrigins(origins);
        api.setAllowedMethods(List.of("GET", "HEAD", "POST", "PUT", "DELETE"));
        api.setAllowedHeaders(List.of(
                HttpHeaders.AUTHORIZATION,
                HttpHeaders.CONTENT_TYPE,
                HttpHeaders.ACCEPT,
                HttpHeaders.IF_MATCH,
                HttpHeaders.IF_NONE_MATCH,
                HttpHeaders.CACHE_CONTROL,
                "Prefer",
                "Last-Event-ID",
                RequestIds.HEADER));
        api.setExposedHeaders(List.of(
                HttpHeaders.ETAG,
                HttpHeaders.LOCATION,
                HttpHeaders.RETRY_AFTER,
                HttpHeaders.ALLOW,
                "Preference-Applied",
                RequestIds.HEADER));
        api.setAllowCredentials(false);
        api.setMaxAge(3600L);
        UrlBasedCorsConfigurationSource source = new UrlBasedCorsConfigurationSource();
        source.registerCorsConfiguration("/api/**", api);
        source.registerCorsConfiguration("/problems/**", api);
        return source;
    }
}
