package io.apportion.server.store;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.jdbc.autoconfigure.DataSourceProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

@Configuration(proxyBeanMethods = false)
class StoreConfiguration {

    /** As long as for a matrix lock. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    /** Set as the pool that Spring Boot would make. */
    @Bean
    @ConfigurationProperties("spring.datasource.hikari")
    DatabaseConnections dataSource(DataSourceProperties properties) {
        DatabaseConnections connections = new DatabaseConnections(PATIENCE);
        connections.setDriverClassName(properties.determineDriverClassName());
        connections.setJdbcUrl(properties.determineUrl());
        connections.setUsername(properties.determineUsername());
        connections.setPassword(properties.determinePassword());
        return connections;
    }
}
