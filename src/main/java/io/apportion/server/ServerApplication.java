package io.apportion.server;

import io.apportion.server.web.TokenAccess;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Import;

/** The REST service, and nothing of an agent. It always authenticates. */
@Import({ServerParts.class, TokenAccess.class})
public final class ServerApplication {

    private ServerApplication() {}

    public static void main(String[] args) {
        start(args);
    }

    static ConfigurableApplicationContext start(String... args) {
        SpringApplication application = new SpringApplication(ServerApplication.class);
        // Whoever may reach the API need not reach the metrics; and the demo, for all that it shows, has one port.
        application.setDefaultProperties(
                Map.of("management.server.port", 8081, "management.server.address", "127.0.0.1"));
        return application.run(args);
    }
}
