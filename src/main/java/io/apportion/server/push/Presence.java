package io.apportion.server.push;

import io.apportion.server.matrix.ReportService;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.springframework.stereotype.Component;

/**
 * Which agents this replica heard since it last stored so.
 *
 * <p>An open stream is not being heard: a host that lost its power leaves one behind, which TCP may hold for minutes.
 */
@Component
final class Presence {

    private final ReportService reports;
    private final Set<String> heard = ConcurrentHashMap.newKeySet();

    Presence(ReportService reports) {
        this.reports = reports;
    }

    /** An instance whose session is over is not the host's agent any more. */
    void heard(String host, long session, long presentSession) {
        if (session == presentSession) {
            heard.add(host);
        }
    }

    /** One statement, and none when nobody was heard. */
    void store() {
        Set<String> hosts = Set.copyOf(heard);
        if (!hosts.isEmpty()) {
            reports.heard(hosts);
            // Whoever was heard meanwhile is in this statement as well.
            heard.removeAll(hosts);
        }
    }
}
