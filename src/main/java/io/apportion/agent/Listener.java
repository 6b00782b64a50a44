package io.apportion.agent;

import io.apportion.wire.DesiredHost;
import java.io.IOException;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The thread that listens for desired states, and dials again whenever the stream ends. */
final class Listener {

    private static final Logger LOG = LoggerFactory.getLogger(Listener.class);

    private final AgentSettings settings;
    private final ServerLink link;
    private final Noticeboard board;
    private final Backoff backoff;
    private final Complaint complaint;

    /** Whether a state came on the stream dialled last. */
    private boolean heard;

    Listener(AgentSettings settings, ServerLink link, Noticeboard board, RandomGenerator random) {
        this.settings = settings;
        this.link = link;
        this.board = board;
        this.backoff =
                new Backoff(settings.timings().retryFirst(), settings.timings().retryLast(), random);
        this.complaint = new Complaint(LOG, settings.host() + ": listening to the server");
    }

    void run() throws InterruptedException {
        long session;
        while ((session = board.awaitSession()) != 0) {
            heard = false;
            try (DesiredStream stream = link.desired(session)) {
                board.listensOn(stream, session);
                if (listen(stream, session)) {
                    continue;
                }
            } catch (IOException | RuntimeException failure) {
                if (!board.isClosed()) {
                    complaint.about(failure);
                }
            }
            board.pause(heard ? backoff.spread() : backoff.next());
        }
    }

    /** Returns true when to dial again at once. */
    private boolean listen(DesiredStream stream, long session) throws IOException, InterruptedException {
        stream.awaitOpen();
        DesiredHost desired;
        while ((desired = stream.take()) != null) {
            complaint.over();
            heard = true;
            if (!desired.host().equals(settings.host())) {
                throw new IOException("the server sent the desired state of host " + desired.host());
            }
            if (!board.give(desired)) {
                // What was computed before the server knew this host is not applied, but what it says after the report.
                return board.greet(desired.incarnation(), session);
            }
        }
        return false;
    }
}
