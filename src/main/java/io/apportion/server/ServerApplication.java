package io.apportion.server;

import io.apportion.server.web.TokenAccess;
import org.springframework.boot.SpringApplication;
import org.springframework.context.annotation.Import;

/** The REST service, and nothing of an agent. It always authenticates. */
@Import({ServerParts.class, TokenAccess.class})
public final class ServerApplication {

    public static void main(String[] args) {
        SpringApplication.run(ServerApplication.class, args);
    }
}
