package io.apportion.agent;

import io.apportion.agent.Noticeboard.Look;
import io.apportion.wire.Report;
import io.apportion.wire.Report.Answer;
import io.apportion.wire.Report.Heartbeat;
import io.apportion.wire.Report.HeartbeatAnswer;
import io.apportion.wire.Report.Hello;
import io.apportion.wire.WireFormat;
import java.io.IOException;
import java.util.UUID;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread that tells the server what was seen, one report at a time: whole when it is something new or when the server
 * asks for it, otherwise a heartbeat.
 */
final class Reporter {

    private static final Logger LOG = LoggerFactory.getLogger(Reporter.class);

    private final AgentSettings settings;
    private final ServerLink link;
    private final Noticeboard board;
    private final Backoff backoff;
    private final Complaint complaint;
    private final Hello hello;

    private long lastSession;

    /** Of the last report in that session. */
    private long sequence;

    /** {@link Look#since} of what the server knows, and its digest. */
    private long told;

    private @Nullable String digestTold;

    Reporter(AgentSettings settings, HostKernel kernel, ServerLink link, Noticeboard board, RandomGenerator random) {
        this.settings = settings;
        this.hello = new Hello(UUID.randomUUID().toString(), kernel.bootId(), kernel.machineId());
        this.link = link;
        this.board = board;
        this.backoff =
                new Backoff(settings.timings().retryFirst(), settings.timings().retryLast(), random);
        this.complaint = new Complaint(LOG, settings.host() + ": reporting to the server");
    }

    void run() throws InterruptedException {
        Look look;
        while ((look = board.awaitReport(told, nextHeartbeat())) != null) {
            try {
                tell(look);
                complaint.over();
            } catch (IOException | RuntimeException failure) {
                if (!board.isClosed()) {
                    complaint.about(failure);
                }
                board.pause(backoff.next());
            }
        }
    }

    private long nextHeartbeat() {
        return System.nanoTime() + settings.timings().heartbeat().toNanos();
    }

    private void tell(Look look) throws IOException, InterruptedException {
        if (board.session() == 0) {
            long opened = link.open(hello).session();
            if (opened != lastSession) { // the server may know this instance, and answer as before
                lastSession = opened;
                sequence = 0;
            }
            board.sessionOpened(opened, look);
        }
        String digest = digestTold != null && look.since() == told ? digestTold : WireFormat.digest(look.host());
        if (digest.equals(digestTold) && !board.isWholeWanted()) {
            beat(look, digest);
        } else {
            tellWhole(look, digest);
        }
    }

    private void tellWhole(Look look, String digest) throws IOException, InterruptedException {
        long session = board.session();
        Answer answer =
                link.report(new Report(hello.instance(), hello.bootId(), session, ++sequence, digest, look.host()));
        if (!answer.taken() || answer.session() != session) {
            loseSession();
        }
        told = look.since();
        digestTold = digest;
        board.wholeTaken(look);
    }

    private void beat(Look look, String digest) throws IOException, InterruptedException {
        long session = board.session();
        HeartbeatAnswer answer = link.beat(new Heartbeat(hello.instance(), session, digest));
        if (answer.session() != session) {
            loseSession();
        }
        told = look.since();
        if (answer.whole()) {
            board.wantWhole();
        } else {
            // Not after each report: two agents of one host that take the session from each other must grow slower.
            backoff.reset();
        }
    }

    private void loseSession() throws IOException {
        board.sessionLost();
        // Another agent of this host has dialled, or the database was restored from before this session.
        throw new IOException("the server knows another session; opening a new one");
    }
}
