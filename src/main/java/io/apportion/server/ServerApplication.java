package io.apportion.server;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.webmvc.autoconfigure.error.ErrorMvcAutoConfiguration;

/**
 * The REST service, and nothing of an agent.
 *
 * <p>Spring's error pages are off: what is refused before a controller is answered by {@code web}'s valve, in the same
 * form as every other problem.
 */
@SpringBootApplication(exclude = ErrorMvcAutoConfiguration.class)
public class ServerApplication {

    public static void main(String[] args) {
        SpringApplication.run(ServerApplication.class, args);
    }
}
