package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueSet;
import io.apportion.ap.Reservation;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.DesiredStates;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.ReportService;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.Report;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * An agent without a host: it reports that everything desired was done, on a machine with cards 04, 05 and 06 of domains
 * 0004, 0047, 0053 and 0054, all bound to vfio_ap, unless it is told otherwise.
 */
final class ReportingAgent {

    static final ApMask CARDS = ApMask.of(0x04, 0x05, 0x06);
    static final ApMask DOMAINS = ApMask.of(0x04, 0x47, 0x53, 0x54);

    private final String host;
    private final MatrixQueries queries;
    private final ReportService reports;
    private final Caller caller;
    private final long session;
    private long sequence;

    ApMask cards = CARDS;
    QueueSet bound = QueueSet.rectangle(CARDS, DOMAINS);
    QueueSet devices = bound;
    ApMask deconfigured = ApMask.NONE;
    boolean seesGuests = true;
    Reservation masks = new Reservation(ApMask.NONE, ApMask.NONE);
    final Map<UUID, String> guests = new HashMap<>();
    final Map<UUID, Matrix> foreign = new HashMap<>();

    /** Null: the agent does not know them. */
    @Nullable
    List<ObservedHost.ObservedDefinition> definitions = List.of();

    /** By the id that an object has in results: UUID, queue, or nothing for the reservation; with their errno. */
    final Map<String, String> failing = new HashMap<>();

    final Set<UUID> leftAlone = new HashSet<>();
    final Map<UUID, Matrix> shownInstead = new HashMap<>();

    ReportingAgent(String host, MatrixQueries queries, ReportService reports) {
        this.host = host;
        this.queries = queries;
        this.reports = reports;
        this.caller = new Caller("agent:" + host, false, "-");
        this.session = reports.open(host, new Report.Hello("instance", "boot", "machine-" + host), caller)
                .session();
    }

    void unbind(String queue) {
        bound = bound.without(Queue.parse(queue));
    }

    DesiredHost desired() {
        return DesiredStates.of(queries.host(host));
    }

    /** Applies the newest desired state and reports. */
    void report() {
        report(desired());
    }

    void report(DesiredHost desired) {
        List<ObservedHost.ObservedMdev> mdevs = new ArrayList<>();
        List<ObservedHost.ObjectResult> results = new ArrayList<>();
        for (DesiredHost.DesiredMdev mdev : desired.mdevs()) {
            ObservedHost.ObjectResult result = result("mdev", mdev.uuid().toString());
            if (!leftAlone.contains(mdev.uuid())) {
                results.add(result);
            }
            if (result.errno() == null && !(mdev.removing() && !guests.containsKey(mdev.uuid()))) {
                mdevs.add(new ObservedHost.ObservedMdev(
                        mdev.uuid(),
                        true,
                        mdev.claim(),
                        shownInstead.getOrDefault(mdev.uuid(), mdev.guestMatrix()),
                        guest(mdev.uuid())));
            }
        }
        foreign.forEach(
                (uuid, matrix) -> mdevs.add(new ObservedHost.ObservedMdev(uuid, false, matrix, matrix, guest(uuid))));
        if (desired.reservation() != null && !failing.containsKey("")) {
            masks = desired.reservation();
        }
        results.add(result("reservation", ""));
        desired.drivers()
                .forEach(driver -> results.add(result("driver", driver.queue().toString())));
        List<ObservedHost.ObservedAdapter> adapters = cards.numbers()
                .mapToObj(card -> new ObservedHost.ObservedAdapter(
                        card,
                        card == 0x06 ? "CEX7P" : "CEX8P",
                        "EP11-Coproc",
                        "93AA00" + card,
                        true,
                        !deconfigured.has(card),
                        false,
                        devices.domains(card),
                        bound.domains(card),
                        ApMask.NONE,
                        ApMask.NONE,
                        deconfigured.has(card) ? devices.domains(card) : ApMask.NONE))
                .toList();
        sequence++;
        reports.take(
                host,
                new Report(
                        "instance",
                        "boot",
                        session,
                        sequence,
                        "digest-" + sequence,
                        new ObservedHost(
                                "6.19.0",
                                new ObservedHost.Features(true, true, seesGuests),
                                0x3f,
                                0x54,
                                new Matrix(CARDS, DOMAINS, DOMAINS),
                                masks,
                                ObservedHost.Keep.NOTHING,
                                adapters,
                                mdevs,
                                definitions,
                                new ObservedHost.Applied(desired.incarnation(), desired.generation(), results))),
                caller);
    }

    private ObservedHost.ObjectResult result(String kind, String id) {
        String errno = failing.get(id);
        return new ObservedHost.ObjectResult(kind, id, errno, errno == null ? null : "told to fail");
    }

    private ObservedHost.@Nullable ObservedGuest guest(UUID mdev) {
        if (!seesGuests) {
            return null;
        }
        String name = guests.get(mdev);
        return name == null
                ? ObservedHost.ObservedGuest.NONE
                : new ObservedHost.ObservedGuest("boot:" + name, name, null);
    }
}
