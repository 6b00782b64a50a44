package io.apportion.server.matrix;

import io.apportion.ap.ApMask;
import io.apportion.ap.Change;
import io.apportion.ap.Guest;
import io.apportion.ap.Inventory;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Notation;
import io.apportion.ap.Plan;
import io.apportion.ap.Policy;
import io.apportion.ap.QueueSet;
import io.apportion.server.store.AdapterRow;
import io.apportion.server.store.AgentRow;
import io.apportion.server.store.ForeignMdevRow;
import io.apportion.server.store.HostRow;
import io.apportion.server.store.MdevRow;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedGuest;
import io.apportion.wire.ObservedHost.ObservedMdev;
import io.apportion.wire.Report;
import java.time.Clock;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Service;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * What agents tell: sessions, reports, being heard. A report is one change, planned and stored under the matrix lock like
 * everything else: the whole new inventory replaces the old one.
 */
@Service
public class ReportService {

    private final MatrixLocks locks;
    private final Stores stores;
    private final Settlement settlement;
    private final Drift drift;
    private final Clock clock;
    private final DatabaseWatch watch;
    private final TransactionTemplate transaction;
    private final TransactionTemplate look;

    /**
     * By host: the last report that was taken and not stored, as it told nothing new. Where another replica took it, the
     * next seems to come after a gap.
     */
    private final ConcurrentHashMap<Long, Repeated> repeated = new ConcurrentHashMap<>();

    private record Repeated(long session, long sequence) {}

    ReportService(
            MatrixLocks locks,
            Stores stores,
            Settlement settlement,
            Drift drift,
            Clock clock,
            DatabaseWatch watch,
            PlatformTransactionManager transactions) {
        this.locks = locks;
        this.stores = stores;
        this.settlement = settlement;
        this.drift = drift;
        this.clock = clock;
        this.watch = watch;
        this.transaction = new TransactionTemplate(transactions);
        this.look = new TransactionTemplate(transactions);
        look.setReadOnly(true);
    }

    /**
     * A new instance of a host's agent: from now on only its reports are taken. Asked again by the same instance, the
     * answer is the same.
     *
     * @throws NotDone.NotFound if there is no such host: agents never create hosts
     * @throws NotDone.HostClaimed if another machine has claimed the host
     */
    public Report.Session open(String name, Report.Hello hello, Caller caller) {
        return locks.withLock(name, caller, host -> {
            HostRow row = host.row();
            if (row.machineId == null) {
                row.machineId = hello.machineId();
                host.event("host.claimed", null, null, null, Map.of("machineId", hello.machineId()), null, null);
            } else if (!row.machineId.equals(hello.machineId())) {
                throw new NotDone.HostClaimed(name);
            }
            AgentRow agent = host.agent();
            boolean wasAway = agent == null || agent.away;
            AgentRow heard = host.heard();
            heard.lastSeen = host.now();
            heard.away = false;
            boolean another = !hello.instance().equals(row.agentInstance);
            if (another) {
                row.agentInstance = hello.instance();
                row.session++;
                row.sequence = 0;
                row.digest = null;
            }
            if (another || wasAway) {
                host.event("agent.up", null, null, null, Map.of("instance", hello.instance()), null, null);
            }
            return new Report.Session(row.session);
        });
    }

    /**
     * Takes a report, unless it is not newer than the last. One that tells nothing new writes nothing, or after a gap only
     * its number.
     *
     * @throws NotDone.NotFound if there is no such host
     */
    public Report.Answer take(String name, Report report, Caller caller) {
        return locks.withLock(name, caller, host -> {
            HostRow row = host.row();
            if (!isPresent(row, report.instance(), report.session()) || report.sequence() <= row.sequence) {
                return new Report.Answer(false, row.session);
            }
            if (!report.digest().equals(row.digest) || !report.bootId().equals(row.bootId)) {
                store(host, report);
            } else if (report.sequence() > lastTaken(row) + 1) {
                // Reports before this one may still be on their way, and must not be taken after it.
                row.sequence = report.sequence();
            } else {
                repeated.put(Objects.requireNonNull(row.id), new Repeated(row.session, report.sequence()));
            }
            return new Report.Answer(true, row.session);
        });
    }

    /**
     * Whether that instance is the host's agent. The number of its session is not enough: a database that was restored from
     * a backup gives numbers that the lost one gave to others, and a host that no agent ever spoke for has session 0.
     */
    private static boolean isPresent(HostRow row, String instance, long session) {
        return session == row.session && instance.equals(row.agentInstance);
    }

    private long lastTaken(HostRow row) {
        Repeated last = repeated.get(Objects.requireNonNull(row.id));
        return last == null || last.session() != row.session ? row.sequence : Math.max(row.sequence, last.sequence());
    }

    private void store(LockedHost host, Report report) {
        ObservedHost observed = report.observed();
        HostState before = host.state();
        HostRow row = host.row();
        boolean reboot = row.bootId != null && !row.bootId.equals(report.bootId());
        row.sequence = report.sequence();
        row.digest = report.digest();
        row.bootId = report.bootId();
        row.reportedAt = host.now();
        copyHost(observed, row);
        if (observed.adapters() != null) {
            copyAdapters(observed.adapters(), host);
        }
        Map<UUID, Change.Observe.Seen> seen = null;
        if (observed.mdevs() != null) {
            copyForeign(observed.mdevs(), host);
            seen = copyMdevs(observed.mdevs(), host);
        }
        if (observed.definitions() != null) {
            host.changeDefinitions(Definitions.text(observed.definitions()));
        }
        host.forget();

        Inventory inventory = Snapshots.inventory(
                row, host.adapters().values(), host.foreign().values());
        Plan plan = (Plan) before.matrix().plan(new Change.Observe(inventory, reboot, seen));
        host.store(plan, LockedHost.REPORT);
        inventoryEvents(host, plan);
        guestEvents(host, plan);

        ObservedHost.Applied applied = observed.applied();
        if (applied != null && applied.incarnation().equals(row.incarnation)) {
            row.appliedGeneration = applied.generation();
            settlement.settle(host, applied);
            host.forget();
            drift.judge(host, applied, observed.mdevs());
        } else {
            row.appliedGeneration = null;
        }
        host.forget();
    }

    private static void copyHost(ObservedHost observed, HostRow row) {
        row.reported = true;
        row.kernelRelease = observed.kernelRelease();
        row.hotPlug = observed.features().guestMatrix();
        row.apConfig = observed.features().apConfig();
        row.seesGuests = observed.features().guests();
        row.maxAdapter = (short) Math.clamp(observed.maxAdapter(), 0, 255);
        row.maxDomain = (short) Math.clamp(observed.maxDomain(), 0, 255);
        Matrix configuration = observed.hostConfiguration();
        if (configuration != null) {
            row.apm = configuration.adapters();
            row.aqm = configuration.domains();
            row.adm = configuration.controlDomains();
        }
        if (observed.masks() != null) {
            row.apmask = observed.masks().apmask();
            row.aqmask = observed.masks().aqmask();
        }
        row.keepAdapters = observed.keep().adapters();
        row.keepDomains = observed.keep().domains();
    }

    private static void copyAdapters(List<ObservedAdapter> adapters, LockedHost host) {
        Set<Short> there = new HashSet<>();
        for (ObservedAdapter adapter : adapters) {
            short number = (short) adapter.adapter();
            there.add(number);
            AdapterRow row = host.adapters().get(number);
            boolean created = row == null;
            if (row == null) {
                row = new AdapterRow();
                row.hostId = Objects.requireNonNull(host.row().id);
                row.adapter = number;
            }
            row.type = adapter.type();
            row.mode = adapter.mode();
            row.serial = adapter.serial();
            row.online = adapter.online();
            row.configured = adapter.configured();
            row.checkstopped = adapter.checkstopped();
            row.devices = adapter.devices();
            row.bound = adapter.bound();
            row.defaultDriver = adapter.defaultDriver();
            row.overridden = adapter.overridden();
            row.impaired = adapter.impaired();
            if (created) {
                host.persist(row);
                host.adapters().put(number, row);
            }
        }
        for (Short number : List.copyOf(host.adapters().keySet())) {
            if (!there.contains(number)) {
                host.remove(Objects.requireNonNull(host.adapters().remove(number)));
            }
        }
    }

    /**
     * An own mdev that is no longer known here is on its way out. While a guest holds it, it counts as foreign: its queues
     * are in use, and it can be adopted back.
     */
    private static void copyForeign(List<ObservedMdev> mdevs, LockedHost host) {
        Set<UUID> there = new HashSet<>();
        for (ObservedMdev mdev : mdevs) {
            boolean leaving = mdev.own() && mdev.guest() != null && guest(mdev.guest()) == null;
            if (leaving || host.hasMdev(mdev.uuid())) {
                continue;
            }
            there.add(mdev.uuid());
            ForeignMdevRow row = host.foreign().get(mdev.uuid());
            boolean created = row == null;
            if (created && (mdev.assigned() == null || (mdev.guest() != null && mdev.guestMatrix() == null))) {
                // What could not be read is not empty: adopted so, its guest would lose everything.
                continue;
            }
            if (row == null) {
                row = new ForeignMdevRow();
                row.hostId = Objects.requireNonNull(host.row().id);
                row.uuid = mdev.uuid();
            }
            if (mdev.assigned() != null) {
                row.apm = mdev.assigned().adapters();
                row.aqm = mdev.assigned().domains();
                row.adm = mdev.assigned().controlDomains();
            }
            if (mdev.guestMatrix() != null) {
                row.guestApm = mdev.guestMatrix().adapters();
                row.guestAqm = mdev.guestMatrix().domains();
            }
            if (mdev.guest() != null) {
                Guest guest = guest(mdev.guest());
                row.guestIdentity = guest == null ? null : guest.identity();
                row.guestName = guest == null ? null : guest.name();
            }
            if (created) {
                host.persist(row);
                host.foreign().put(row.uuid, row);
            }
        }
        for (UUID uuid : List.copyOf(host.foreign().keySet())) {
            if (!there.contains(uuid)) {
                host.remove(Objects.requireNonNull(host.foreign().remove(uuid)));
            }
        }
    }

    private static Map<UUID, Change.Observe.Seen> copyMdevs(List<ObservedMdev> mdevs, LockedHost host) {
        Map<UUID, Change.Observe.Seen> seen = new HashMap<>();
        ApMask configured = host.row().adm;
        for (ObservedMdev mdev : mdevs) {
            if (!host.hasMdev(mdev.uuid())) {
                continue;
            }
            MdevRow row = host.mdev(mdev.uuid());
            Matrix assigned = mdev.assigned();
            Matrix guestMatrix = mdev.guestMatrix();
            if (assigned != null) {
                row.seenApm = assigned.adapters();
                row.seenAqm = assigned.domains();
                row.seenAdm = assigned.controlDomains();
            }
            if (guestMatrix != null) {
                row.seenGuestApm = guestMatrix.adapters();
                row.seenGuestAqm = guestMatrix.domains();
            }
            Matrix has = guestMatrix == null || assigned == null
                    ? guestMatrix
                    : new Matrix(
                            guestMatrix.adapters(),
                            guestMatrix.domains(),
                            assigned.controlDomains().and(configured));
            ObservedGuest guest = mdev.guest();
            seen.put(
                    mdev.uuid(),
                    new Change.Observe.Seen(assigned, has, guest != null, guest == null ? null : guest(guest)));
        }
        host.mdevs().forEach((uuid, row) -> row.seen = seen.containsKey(uuid));
        return seen;
    }

    private static @Nullable Guest guest(ObservedGuest observed) {
        String identity = observed.identity();
        return identity == null ? null : new Guest(identity, observed.name() == null ? identity : observed.name());
    }

    private static void inventoryEvents(LockedHost host, Plan plan) {
        Inventory before = plan.before().inventory();
        Inventory after = plan.after().inventory();
        if (!before.hostConfiguration().equals(after.hostConfiguration())) {
            host.event(
                    "host.configuration.changed",
                    null,
                    null,
                    "host_configuration",
                    null,
                    EventText.matrix(before.hostConfiguration()),
                    EventText.matrix(after.hostConfiguration()));
        }
        queueEvent(host, "queue.unbound", "unbind", before.bound().minus(after.bound()));
        queueEvent(host, "queue.bound", "bind", after.bound().minus(before.bound()));
        queueEvent(host, "queue.impaired", null, after.impaired().minus(before.impaired()));
        queueEvent(
                host,
                "queue.recovered",
                null,
                before.impaired().minus(after.impaired()).and(after.devices()));
        if (before.reported() && !before.masks().equals(after.masks())) {
            host.event(
                    "host.masks.changed",
                    null,
                    null,
                    null,
                    null,
                    EventText.reservation(before.masks()),
                    EventText.reservation(after.masks()));
        }
    }

    private static void queueEvent(LockedHost host, String type, @Nullable String cause, QueueSet queues) {
        if (!queues.isEmpty()) {
            host.event(type, null, null, cause, Map.of("queues", Notation.queues(queues)), null, null);
        }
    }

    private static void guestEvents(LockedHost host, Plan plan) {
        Set<UUID> all = new HashSet<>(plan.before().mdevs().keySet());
        all.addAll(plan.after().mdevs().keySet());
        for (UUID uuid : all) {
            Mdev before = plan.before().mdevs().get(uuid);
            Mdev after = plan.after().mdevs().get(uuid);
            Guest had = before == null ? null : before.guest();
            Guest has = after == null ? null : after.guest();
            boolean same = had != null && has != null && Objects.equals(had.identity(), has.identity());
            if (had != null && !same) {
                host.event("guest.released", uuid, had.name(), null, null, null, null);
            }
            if (has != null && !same) {
                host.event("guest.attached", uuid, has.name(), null, null, null, null);
            }
            if (after == null) {
                host.event("mdev.deleted", uuid, null, "delete", null, null, null);
            }
        }
    }

    /**
     * Compares digests; reads one row and writes nothing. An instance that is not the host's agent any more is asked for
     * everything, whatever its digest: its report is then not taken, and so it opens a new session.
     *
     * @throws NotDone.NotFound if there is no such host
     */
    public Report.HeartbeatAnswer heartbeat(String name, Report.Heartbeat heartbeat) {
        HostRow row = look.execute(status -> stores.hosts().findByName(name).orElse(null));
        if (row == null) {
            throw new NotDone.NotFound("host " + name);
        }
        boolean known = isPresent(row, heartbeat.instance(), heartbeat.session())
                && heartbeat.digest().equals(row.digest);
        return new Report.HeartbeatAnswer(!known, row.session);
    }

    /** Notes that these hosts' agents were heard, in one statement. */
    public void heard(Collection<String> hosts) {
        if (!hosts.isEmpty()) {
            transaction.executeWithoutResult(status -> stores.agents().seen(hosts, clock.instant()));
        }
    }

    /**
     * Tells, once each, of agents that were not heard for 30 s, and of those that came back without a new session. After a
     * fault of the database nobody is told of before all had time to be heard: it could not be stored that they were.
     */
    public void tellSilent() {
        if (watch.faultWithin(Snapshots.AWAY_AFTER)) {
            return;
        }
        List<String> turned = Objects.requireNonNull(
                look.execute(status -> stores.agents().turned(clock.instant().minus(Snapshots.AWAY_AFTER))));
        for (String name : turned) {
            unlessBusy(name, host -> {
                AgentRow agent = host.exists() ? host.agent() : null;
                if (agent != null) {
                    boolean silent = agent.lastSeen.isBefore(host.now().minus(Snapshots.AWAY_AFTER));
                    if (silent != agent.away) {
                        agent.away = silent;
                        host.event(
                                silent ? "agent.away" : "agent.up",
                                null,
                                null,
                                null,
                                Map.of("lastSeen", agent.lastSeen.toString()),
                                null,
                                null);
                    }
                }
                return true;
            });
        }
    }

    /** A host that is busy is left for the next round, and keeps no other waiting. */
    private void unlessBusy(String name, Function<LockedHost, Boolean> work) {
        try {
            locks.withLock(name, Caller.SERVER, work);
        } catch (NotDone.Busy nextRound) {
            // It is found again by the same look.
        }
    }

    /** Orders the repairs of drift that are due. */
    public void orderRepairs() {
        List<String> due = Objects.requireNonNull(look.execute(status ->
                stores.mdevs().hostsWithRepairDue(clock.instant(), List.of(Policy.REPAIR, Policy.REPAIR_ALL))));
        for (String name : due) {
            unlessBusy(name, host -> {
                if (host.exists()) {
                    drift.orderDue(host);
                }
                return true;
            });
        }
    }
}
