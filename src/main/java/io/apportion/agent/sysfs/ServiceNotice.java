package io.apportion.agent.sysfs;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells the service manager how far this service is (sd_notify of systemd), if it wants to be told. */
public final class ServiceNotice {

    private static final Logger LOG = LoggerFactory.getLogger(ServiceNotice.class);

    private final @Nullable String socket;

    /** @param socket what is in {@code NOTIFY_SOCKET}: a path, or an abstract name after an {@code @} */
    public ServiceNotice(@Nullable String socket) {
        this.socket = socket;
    }

    /** @param words for whoever asks for the service's status */
    public void ready(String words) {
        send("READY=1\nSTATUS=" + words);
    }

    public void stopping() {
        send("STOPPING=1");
    }

    private void send(String text) {
        if (socket == null || socket.isEmpty()) {
            return;
        }
        try {
            Libc.send(socket, text);
        } catch (ErrnoException failure) {
            LOG.warn("The service manager could not be told: {}", failure.getMessage());
        }
    }
}
