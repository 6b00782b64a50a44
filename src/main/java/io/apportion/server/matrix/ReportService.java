package io.apportion.server.matrix;

import io.apportion.wire.Report;
import java.util.Collection;
import org.springframework.stereotype.Service;

/**
 * What agents tell: sessions, reports, being heard. A report is one change, planned and stored under the matrix lock like
 * everything else.
 */
@Service
public class ReportService {

    /**
     * A new instance of a host's agent: from now on only its reports are taken.
     *
     * @throws NotDone.NotFound if there is no such host: agents never create hosts
     * @throws NotDone.HostClaimed if another machine has claimed the host
     */
    public Report.Session open(String host, Report.Hello hello, Caller caller) {
        throw new UnsupportedOperationException();
    }

    /** Takes a report, unless it is not newer than the last. One that changes nothing writes nothing. */
    public Report.Answer take(String host, Report report, Caller caller) {
        throw new UnsupportedOperationException();
    }

    /** Compares digests; reads one row and writes nothing. */
    public Report.HeartbeatAnswer heartbeat(String host, Report.Heartbeat heartbeat) {
        throw new UnsupportedOperationException();
    }

    /** Notes that these hosts' agents were heard, in one statement. */
    public void heard(Collection<String> hosts) {
        throw new UnsupportedOperationException();
    }

    /** Tells, once each, of agents that were not heard for 30 s. */
    public void tellSilent() {
        throw new UnsupportedOperationException();
    }

    /** Orders the repairs of drift that are due. */
    public void orderRepairs() {
        throw new UnsupportedOperationException();
    }
}
