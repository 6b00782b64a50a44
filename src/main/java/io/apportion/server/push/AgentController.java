package io.apportion.server.push;

import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.ReportService;
import io.apportion.server.matrix.Stay;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.Report;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** What agents call. That an agent speaks for its own host only is seen to before. */
@RestController
@RequestMapping(path = "/agent/v1/hosts/{host}", produces = MediaType.APPLICATION_JSON_VALUE)
final class AgentController {

    private final ReportService reports;
    private final DesiredStreams streams;
    private final Presence presence;

    AgentController(ReportService reports, DesiredStreams streams, Presence presence) {
        this.reports = reports;
        this.streams = streams;
        this.presence = presence;
    }

    @PostMapping("/session")
    Report.Session open(@PathVariable String host, @RequestBody Report.Hello hello, Caller caller) {
        return reports.open(host, hello, agentOf(host, caller));
    }

    @PutMapping("/observed")
    Report.Answer take(@PathVariable String host, @RequestBody Report report, Caller caller) {
        Report.Answer answer = reports.take(host, report, agentOf(host, caller));
        presence.heard(host, report.session(), answer.session());
        return answer;
    }

    /** Whatever its token is called, in events it is the host's agent. */
    private static Caller agentOf(String host, Caller caller) {
        return new Caller("agent:" + host, false, caller.requestId());
    }

    @PostMapping("/heartbeat")
    Report.HeartbeatAnswer beat(@PathVariable String host, @RequestBody Report.Heartbeat heartbeat) {
        Report.HeartbeatAnswer answer = reports.heartbeat(host, heartbeat);
        presence.heard(host, heartbeat.session(), answer.session());
        return answer;
    }

    @GetMapping("/desired")
    DesiredHost desired(@PathVariable String host, @RequestParam long session) {
        return streams.desired(host, session);
    }

    /** Holds the request's virtual thread, and between two states nothing else. */
    @GetMapping(path = "/desired", produces = MediaType.TEXT_EVENT_STREAM_VALUE)
    void stream(@PathVariable String host, @RequestParam long session, Stay stay, HttpServletResponse response)
            throws IOException {
        streams.serve(host, session, stay, response);
    }
}
