package io.apportion.server;

import org.springframework.boot.actuate.autoconfigure.web.ManagementContextConfiguration;
import org.springframework.boot.autoconfigure.AutoConfigurationExcludeFilter;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.context.TypeExcludeFilter;
import org.springframework.boot.context.properties.ConfigurationPropertiesScan;
import org.springframework.boot.security.autoconfigure.UserDetailsServiceAutoConfiguration;
import org.springframework.boot.security.autoconfigure.web.servlet.SecurityFilterAutoConfiguration;
import org.springframework.boot.security.oauth2.server.resource.autoconfigure.OAuth2ResourceServerAutoConfiguration;
import org.springframework.boot.webmvc.autoconfigure.error.ErrorMvcAutoConfiguration;
import org.springframework.context.annotation.ComponentScan;
import org.springframework.context.annotation.FilterType;

/**
 * The whole server but its way of access, which the application that imports this adds.
 *
 * <p>Left out of what Spring Boot brings: error pages, as {@code web}'s valve answers what is refused before a controller;
 * users with passwords; its reader of JWTs, in place of which {@code identity} has a more careful one; and its registration
 * of the security filter, as {@code web} has one that no property reaches.
 */
@EnableAutoConfiguration(
        exclude = {
            ErrorMvcAutoConfiguration.class,
            OAuth2ResourceServerAutoConfiguration.class,
            SecurityFilterAutoConfiguration.class,
            UserDetailsServiceAutoConfiguration.class
        })
@ComponentScan(
        excludeFilters = {
            @ComponentScan.Filter(type = FilterType.CUSTOM, classes = TypeExcludeFilter.class),
            @ComponentScan.Filter(type = FilterType.CUSTOM, classes = AutoConfigurationExcludeFilter.class),
            // For the actuator's port, where it has one of its own.
            @ComponentScan.Filter(ManagementContextConfiguration.class)
        })
@ConfigurationPropertiesScan
public final class ServerParts {}
