package io.apportion.server.web;

import java.util.Objects;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.beans.factory.HierarchicalBeanFactory;
import org.springframework.boot.actuate.autoconfigure.web.ManagementContextConfiguration;
import org.springframework.boot.actuate.autoconfigure.web.ManagementContextType;
import org.springframework.context.annotation.Bean;

/**
 * The actuator's port, where it has one of its own: what the server answers there is guarded and told as at the other.
 * Spring Boot takes over the guard by itself, and the rest from here.
 */
@ManagementContextConfiguration(value = ManagementContextType.CHILD, proxyBeanMethods = false)
class ManagementPort {

    private final BeanFactory server;

    ManagementPort(HierarchicalBeanFactory port) {
        this.server = Objects.requireNonNull(port.getParentBeanFactory());
    }

    @Bean
    RequestIds requestIds() {
        return server.getBean(RequestIds.class);
    }

    @Bean
    FilterProblems filterProblems() {
        return server.getBean(FilterProblems.class);
    }

    @Bean
    TomcatRefusals tomcatRefusals() {
        return server.getBean(TomcatRefusals.class);
    }
}
