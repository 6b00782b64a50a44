package io.apportion.agent;

import java.io.IOException;

/** The server answered, but not with what was asked for. */
final class ServerRefusal extends IOException {

    private static final long serialVersionUID = 1L;

    ServerRefusal(int status, String reason) {
        super("the server answers " + status + (reason.isEmpty() ? "" : ": " + reason));
    }
}
