package io.apportion.server;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.springframework.boot.test.context.SpringBootTest;

/**
 * The whole server on a free port and a database of its own, shared by all tests that are marked so. What comes round only
 * by the hour here is what those tests do by hand.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
@SpringBootTest(
        classes = ServerApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
        properties = {
            "spring.datasource.url=jdbc:h2:mem:full-server",
            "apportion.identity.admin-token-file=target/full-server/admin-token",
            "apportion.push.keep-alive=300ms",
            "apportion.push.look-every=1h",
            "apportion.push.heard-every=1h",
            "apportion.push.largest-body=1MB",
            "management.prometheus.metrics.export.enabled=true",
            "logging.level.io.apportion.agent=off"
        })
public @interface FullServer {}
