package io.apportion.agent.sysfs;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens to what the kernel tells of its devices, on a thread of its own. It tells nothing of a check-stop, of what is
 * assigned, or of who opens an mdev: that has to be looked for.
 */
final class Uevents implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Uevents.class);

    /** A mask that frees all queues of a large host has the kernel tell ten thousand things at once. */
    static final int ROOM = 1 << 23;

    private static final Duration CLOSING = Duration.ofMillis(500);

    private static final Pattern NUL = Pattern.compile("\0");
    private static final Set<String> SUBSYSTEMS = Set.of("ap", "mdev", "matrix", "vfio", "vfio-dev");

    private final int socket;
    private final Thread thread;
    private volatile boolean closed;

    /**
     * From now on nothing is missed.
     *
     * @param room bytes for what is not heard yet
     * @param matters which messages to call back for
     * @throws ErrnoException where that is not allowed
     */
    Uevents(int room, Predicate<String> matters, Runnable changed) throws ErrnoException {
        socket = Libc.openUevents(room);
        thread = Thread.ofPlatform().name("uevents").daemon().unstarted(() -> listen(matters, changed));
        thread.start();
    }

    private void listen(Predicate<String> matters, Runnable changed) {
        try {
            while (!closed) {
                if (Libc.awaitInput(socket, CLOSING) && receive(matters)) {
                    changed.run();
                }
            }
        } catch (ErrnoException failure) {
            LOG.warn("Uevents are heard no more ({}); changes are seen by polling alone", failure.getMessage());
            changed.run();
        } finally {
            Libc.close(socket);
        }
    }

    private boolean receive(Predicate<String> matters) throws ErrnoException {
        try {
            return matters.test(new String(Libc.receive(socket), StandardCharsets.UTF_8));
        } catch (ErrnoException failure) {
            if (failure.is("ENOBUFS")) {
                return true; // there was no room for some: anything may have changed
            }
            throw failure;
        }
    }

    /**
     * Whether a message is of the AP bus or of mdevs, or of a virtual machine that begins or ends, which may have one.
     *
     * @param message {@code action@path}, then {@code KEY=value} after each NUL
     */
    static boolean concernsCrypto(String message) {
        return NUL.splitAsStream(message)
                .anyMatch(word -> word.equals("DEVNAME=kvm")
                        || (word.startsWith("SUBSYSTEM=")
                                && SUBSYSTEMS.contains(word.substring("SUBSYSTEM=".length()))));
    }

    @Override
    public void close() {
        closed = true;
        try {
            thread.join();
        } catch (InterruptedException hurry) {
            Thread.currentThread().interrupt();
        }
    }
}
