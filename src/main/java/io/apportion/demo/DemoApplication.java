package io.apportion.demo;

import io.apportion.server.ServerParts;
import io.apportion.server.web.OpenAccess;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Import;

/**
 * The demo: the whole server without authentication on this machine's loopback, and three simulated hosts with their agents,
 * which dial it over HTTP as any agent would.
 */
@Import({ServerParts.class, OpenAccess.class, DemoHosts.class, DemoController.class})
public final class DemoApplication {

    private DemoApplication() {}

    public static void main(String[] args) {
        start(args);
    }

    static ConfigurableApplicationContext start(String... args) {
        SpringApplication application = new SpringApplication(DemoApplication.class);
        application.setDefaultProperties(Map.of(
                // Apart from a server's, so that neither finds the other's hosts.
                "apportion.data", "./data/demo",
                "apportion.documented-paths", "/api/**,/demo/**"));
        return application.run(args);
    }
}
