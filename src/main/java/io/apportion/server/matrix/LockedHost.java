package io.apportion.server.matrix;

import io.apportion.ap.ApMask;
import io.apportion.ap.Cause;
import io.apportion.ap.CommitState;
import io.apportion.ap.Effect;
import io.apportion.ap.Guest;
import io.apportion.ap.HostMatrix;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Notation;
import io.apportion.ap.Plan;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueSet;
import io.apportion.ap.Reservation;
import io.apportion.server.store.AdapterRow;
import io.apportion.server.store.AgentRow;
import io.apportion.server.store.CommitObjectRow;
import io.apportion.server.store.CommitRow;
import io.apportion.server.store.EventRow;
import io.apportion.server.store.ForeignMdevRow;
import io.apportion.server.store.HostRow;
import io.apportion.server.store.MdevRow;
import io.apportion.server.store.QueueDriverRow;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A host whose matrix lock this transaction holds: its rows, and the one way in which a plan becomes rows.
 *
 * <p>Used by one thread, for one transaction.
 */
final class LockedHost {

    private static final Comparator<Counted> BY_KIND_AND_CAUSE =
            Comparator.comparing(Counted::kind).thenComparing(Counted::cause);

    private static final String COUNT_PLUGS = """
        merge into plug_counts counted
        using (select cast(? as bigint) host_id, cast(? as varchar(16)) kind, cast(? as varchar(32)) cause,
                      cast(? as bigint) plugs, cast(? as bigint) unplugs) more
        on counted.host_id = more.host_id and counted.kind = more.kind and counted.cause = more.cause
        when matched then update set plugs = counted.plugs + more.plugs, unplugs = counted.unplugs + more.unplugs
        when not matched then insert (host_id, kind, cause, plugs, unplugs)
            values (more.host_id, more.kind, more.cause, more.plugs, more.unplugs)
        """;

    /** The cause of what an agent's report changes; all others are somebody's will. */
    static final String REPORT = "report";

    private record Counted(String kind, String cause) {}

    private record Plugs(long plugs, long unplugs) {

        Plugs plus(Plugs more) {
            return new Plugs(plugs + more.plugs, unplugs + more.unplugs);
        }
    }

    private final Stores stores;
    private final String name;
    private final Caller caller;
    private final Instant now;

    private @Nullable HostRow row;
    private @Nullable AgentRow agent;
    private final Map<Short, AdapterRow> adapters = new TreeMap<>();
    private final Map<Queue, QueueDriverRow> drivers = new HashMap<>();
    private final Map<UUID, ForeignMdevRow> foreign = new HashMap<>();
    private final Map<UUID, MdevRow> mdevs = new HashMap<>();

    private final List<Runnable> afterFlush = new ArrayList<>();

    /** What the guests gain and lose by this transaction, however many they are: one statement, always in this order. */
    private final Map<Counted, Plugs> plugs = new TreeMap<>(BY_KIND_AND_CAUSE);

    private final List<MatrixChanged.Settled> settled = new ArrayList<>();
    private boolean newGeneration;
    private boolean events;
    private @Nullable HostState state;

    private LockedHost(Stores stores, String name, Caller caller, @Nullable HostRow row, Instant now) {
        this.stores = stores;
        this.name = name;
        this.caller = caller;
        this.row = row;
        this.now = now;
    }

    /** Its first statement takes the lock. Where there is no such host, there is nothing to lock and {@link #row} throws. */
    static LockedHost lock(Stores stores, String name, Caller caller, Clock clock) {
        HostRow locked = stores.hosts().lockByName(name).orElse(null);
        // Read once the lock is held: times of one host follow the order of its changes.
        LockedHost host = new LockedHost(stores, name, caller, locked, clock.instant());
        if (host.row != null) {
            long id = host.id();
            host.agent = stores.agents().findByHostId(id).orElse(null);
            stores.adapters().findByHostId(id).forEach(adapter -> host.adapters.put(adapter.adapter, adapter));
            stores.drivers()
                    .findByHostId(id)
                    .forEach(driver -> host.drivers.put(new Queue(driver.adapter, driver.domain), driver));
            stores.foreign().findByHostId(id).forEach(mdev -> host.foreign.put(mdev.uuid, mdev));
            stores.mdevs().findByHostId(id).forEach(mdev -> host.mdevs.put(mdev.uuid, mdev));
        }
        return host;
    }

    boolean exists() {
        return row != null;
    }

    /** @throws NotDone.NotFound if there is no such host */
    HostRow row() {
        if (row == null) {
            throw new NotDone.NotFound("host " + name);
        }
        return row;
    }

    private long id() {
        return Objects.requireNonNull(row().id);
    }

    Instant now() {
        return now;
    }

    Caller caller() {
        return caller;
    }

    /** @throws NotDone.NotFound if this host has no such mdev */
    MdevRow mdev(UUID uuid) {
        MdevRow mdev = mdevs.get(uuid);
        if (mdev == null) {
            throw new NotDone.NotFound("mdev " + uuid);
        }
        return mdev;
    }

    boolean hasMdev(UUID uuid) {
        return mdevs.containsKey(uuid);
    }

    Map<Short, AdapterRow> adapters() {
        return adapters;
    }

    Map<UUID, ForeignMdevRow> foreign() {
        return foreign;
    }

    Map<Queue, QueueDriverRow> drivers() {
        return drivers;
    }

    Map<UUID, MdevRow> mdevs() {
        return mdevs;
    }

    @Nullable
    AgentRow agent() {
        return agent;
    }

    void create() {
        HostRow created = new HostRow();
        created.name = name;
        created.createdAt = now;
        stores.entities().persist(created);
        row = created;
    }

    void delete() {
        mdevs.clear();
        stores.entities().remove(row());
    }

    void persist(Object newRow) {
        stores.entities().persist(newRow);
    }

    void remove(Object oldRow) {
        stores.entities().remove(oldRow);
    }

    AgentRow heard() {
        AgentRow present = agent;
        if (present == null) {
            present = new AgentRow();
            present.hostId = id();
            present.lastSeen = now;
            persist(present);
            agent = present;
        }
        return present;
    }

    /** The rows as they are now, changes of this transaction included. */
    HostState state() {
        if (state == null) {
            state = Snapshots.state(
                    new Snapshots.Rows(
                            row(), agent, adapters.values(), drivers.values(), foreign.values(), mdevs.values()),
                    now);
        }
        return state;
    }

    /** Rows were changed beside {@link #store}. */
    void forget() {
        state = null;
    }

    /**
     * Makes a plan rows: masks, the next generation with its commit, and events, all in this transaction.
     *
     * @param cause one word for the commit
     * @return the commit, or null where the plan does not change the desired state
     */
    @Nullable
    CommitRow store(Plan plan, String cause) {
        HostMatrix after = plan.after();
        storeMdevs(plan, cause.equals(REPORT));
        storeDrivers(after);
        HostRow host = row();
        Reservation managed = after.managedReservation();
        host.filter = after.filter();
        host.bindingMode = after.setBindingMode();
        host.managedApmask = managed == null ? null : managed.apmask();
        host.managedAqmask = managed == null ? null : managed.aqmask();
        CommitRow commit = null;
        if (plan.changesDesired()) {
            commit = nextGeneration(cause);
            for (UUID uuid : plan.mdevs()) {
                touch(commit, CommitObjectRow.MDEV, uuid.toString());
                MdevRow mdev = mdevs.get(uuid);
                if (mdev != null) {
                    mdev.commitId = commit.id;
                    mdev.commitGeneration = commit.generation;
                    mdev.commitState = CommitState.PENDING;
                    // Something changed: drift is judged anew.
                    mdev.repairTries = 0;
                    mdev.repairDue = null;
                }
            }
            for (Queue queue : plan.drivers()) {
                touch(commit, CommitObjectRow.DRIVER, queue.toString());
            }
            if (plan.reservation() || plan.bindingMode()) {
                touch(commit, CommitObjectRow.RESERVATION, "");
            }
            if (plan.reservation() || plan.bindingMode() || !plan.drivers().isEmpty()) {
                host.repairTries = 0;
                host.repairDue = null;
            }
        }
        for (Effect effect : plan.effects()) {
            guestEvents(plan, effect);
            countPlugs(effect);
        }
        forget();
        return commit;
    }

    /** The next desired state of this host. Without objects it would settle by itself: the caller names what it touches. */
    CommitRow nextGeneration(String cause) {
        HostRow host = row();
        host.generation++;
        newGeneration = true;
        CommitRow commit = new CommitRow();
        commit.hostId = id();
        commit.generation = host.generation;
        commit.storedAt = now;
        commit.actor = caller.actor();
        commit.requestId = caller.requestId();
        commit.cause = cause;
        persist(commit);
        forget();
        return commit;
    }

    void touch(CommitRow commit, String kind, String object) {
        CommitObjectRow touched = new CommitObjectRow();
        touched.commitId = Objects.requireNonNull(commit.id);
        touched.kind = kind;
        touched.object = object;
        touched.hostId = id();
        touched.generation = commit.generation;
        persist(touched);
    }

    private void storeMdevs(Plan plan, boolean reported) {
        HostMatrix after = plan.after();
        for (UUID uuid : List.copyOf(mdevs.keySet())) {
            if (!after.mdevs().containsKey(uuid)) {
                stores.entities().remove(Objects.requireNonNull(mdevs.remove(uuid)));
            }
        }
        for (Mdev mdev : after.mdevs().values()) {
            MdevRow present = mdevs.get(mdev.uuid());
            Mdev before = plan.before().mdevs().get(mdev.uuid());
            if (present == null) {
                present = new MdevRow();
                present.uuid = mdev.uuid();
                present.hostId = id();
                present.born = now.toEpochMilli();
                copy(mdev, present);
                persist(present);
                mdevs.put(mdev.uuid(), present);
            } else if (!mdev.equals(before)) {
                if (!mdev.assigned().equals(before == null ? null : before.assigned())) {
                    present.version++;
                }
                copy(mdev, present);
                if (before != null
                        && !before.kernelFiltered().isEmpty()
                        && mdev.kernelFiltered().isEmpty()) {
                    present.repairTries = 0;
                    present.repairDue = null;
                }
            }
            int impaired = after.impaired(mdev).count();
            Matrix guest = mdev.guestMatrix();
            present.filtered =
                    !mdev.assigned().isIn(guest) || !mdev.kernelFiltered().isEmpty();
            present.impaired = impaired > 0;
            present.guestQueues = mdev.guest() == null
                    ? 0
                    : guest.adapters().count() * guest.domains().count();
            present.guestQueuesImpaired = mdev.guest() == null ? 0 : impaired;
            noteLost(present, mdev, reported && before != null ? before.guestMatrix() : guest);
            present.atNextStartLess = mdev.guest() != null && !guest.isIn(after.atNextStart(mdev));
            if (before == null || !before.assigned().equals(mdev.assigned())) {
                changeTerms(
                        mdev.uuid(),
                        before == null ? Set.of() : numberTerms(before.assigned()),
                        numberTerms(mdev.assigned()));
            }
        }
    }

    /**
     * Keeps what the attached guest lost although nobody took it away, until it has it again or it is assigned no more.
     *
     * @param had what the guest had before; what an operator took is not in it
     */
    private void noteLost(MdevRow row, Mdev mdev, Matrix had) {
        Matrix guest = mdev.guestMatrix();
        Matrix before = new Matrix(orNone(row.lostApm), orNone(row.lostAqm), ApMask.NONE);
        // A guest that attached just now lost nothing yet.
        Matrix lost = mdev.guest() == null || now.equals(row.guestSince)
                ? Matrix.EMPTY
                : before.or(had).and(mdev.assigned()).minus(guest);
        row.lostApm = lost.adapters().isEmpty() ? null : lost.adapters();
        row.lostAqm = lost.domains().isEmpty() ? null : lost.domains();
        row.guestQueuesLost = guest.or(lost).queueCount() - guest.queueCount();
    }

    private static ApMask orNone(@Nullable ApMask mask) {
        return mask == null ? ApMask.NONE : mask;
    }

    private void copy(Mdev mdev, MdevRow to) {
        to.apm = mdev.assigned().adapters();
        to.aqm = mdev.assigned().domains();
        to.adm = mdev.assigned().controlDomains();
        to.guestApm = mdev.guestMatrix().adapters();
        to.guestAqm = mdev.guestMatrix().domains();
        to.guestAdm = mdev.guestMatrix().controlDomains();
        Guest guest = mdev.guest();
        if (guest == null) {
            to.guestIdentity = null;
            to.guestName = null;
            to.guestSince = null;
        } else {
            if (to.guestName == null || !Objects.equals(to.guestIdentity, guest.identity())) {
                to.guestSince = now;
            }
            to.guestIdentity = guest.identity();
            to.guestName = guest.name();
        }
        to.removing = mdev.removing();
        to.heldApm = mdev.held().adapters();
        to.heldAqm = mdev.held().domains();
        to.kernelFiltered = mdev.kernelFiltered();
    }

    private void storeDrivers(HostMatrix after) {
        for (Queue queue : List.copyOf(drivers.keySet())) {
            if (!after.drivers().containsKey(queue)) {
                stores.entities().remove(Objects.requireNonNull(drivers.remove(queue)));
            }
        }
        after.drivers().forEach((queue, driver) -> {
            QueueDriverRow present = drivers.get(queue);
            if (present == null) {
                present = new QueueDriverRow();
                present.hostId = id();
                present.adapter = (short) queue.adapter();
                present.domain = (short) queue.domain();
                present.driver = driver;
                persist(present);
                drivers.put(queue, present);
            } else {
                present.driver = driver;
            }
        });
    }

    private static Set<String> numberTerms(Matrix assigned) {
        Set<String> terms = new HashSet<>();
        assigned.adapters().forEach(a -> terms.add(Terms.adapter(a)));
        assigned.domains().forEach(d -> terms.add(Terms.domain(d)));
        return terms;
    }

    void changeLabels(MdevRow mdev, Map<String, String> labels) {
        if (!mdev.labels.equals(labels)) {
            changeTerms(mdev.uuid, Terms.labels(mdev.labels), Terms.labels(labels));
            mdev.labels = Map.copyOf(labels);
            forget();
        }
    }

    private void changeTerms(UUID mdev, Set<String> before, Set<String> after) {
        List<Object[]> gone = before.stream()
                .filter(term -> !after.contains(term))
                .map(term -> new Object[] {term, mdev})
                .toList();
        List<Object[]> added = after.stream()
                .filter(term -> !before.contains(term))
                .map(term -> new Object[] {term, mdev})
                .toList();
        afterFlush.add(() -> {
            if (!gone.isEmpty()) {
                stores.jdbc().batchUpdate("delete from mdev_terms where term = ? and mdev = ?", gone);
            }
            if (!added.isEmpty()) {
                stores.jdbc().batchUpdate("insert into mdev_terms (term, mdev) values (?, ?)", added);
            }
        });
    }

    /** @param text see {@link Definitions} */
    void changeDefinitions(@Nullable String text) {
        if (!Objects.equals(row().definitions, text)) {
            row().definitions = text;
            long id = id();
            afterFlush.add(() -> stores.jdbc().update("update hosts set definitions = ? where id = ?", text, id));
            forget();
        }
    }

    // ---- events and counts

    /**
     * @param detail null: nothing more to say
     * @param before what is new has no before, what is gone no after
     */
    void event(
            String type,
            @Nullable UUID mdev,
            @Nullable String guest,
            @Nullable String cause,
            @Nullable Map<String, ?> detail,
            @Nullable Map<String, ?> before,
            @Nullable Map<String, ?> after) {
        EventRow event = new EventRow();
        event.at = now;
        event.type = type;
        event.host = name;
        event.hostId = id();
        event.ordinal = ++row().events;
        event.mdev = mdev;
        event.guest = guest;
        event.actor = caller.actor();
        event.requestId = caller.requestId();
        event.cause = cause;
        event.detail = detail == null ? null : EventText.json(detail);
        event.beforeState = before == null ? null : EventText.json(before);
        event.afterState = after == null ? null : EventText.json(after);
        persist(event);
        events = true;
    }

    private void guestEvents(Plan plan, Effect effect) {
        Mdev before = plan.before().mdevs().get(effect.mdev());
        Mdev after = plan.after().mdevs().get(effect.mdev());
        Map<String, Object> had = EventText.matrix(before == null ? Matrix.EMPTY : before.guestMatrix());
        Map<String, Object> has = EventText.matrix(after == null ? Matrix.EMPTY : after.guestMatrix());
        if (effect.cause() == Cause.ATTACH || effect.cause() == Cause.ADOPT) {
            had = EventText.matrix(Matrix.EMPTY);
        }
        if (effect.cause() == Cause.RELEASE) {
            has = EventText.matrix(Matrix.EMPTY);
        }
        Matrix plugged = effect.plugged();
        Matrix unplugged = effect.unplugged();
        guestEvent(
                "guest.adapter.unplugged", effect, "adapters", unplugged.adapters(), because(plan, effect), had, has);
        guestEvent("guest.domain.unplugged", effect, "domains", unplugged.domains(), null, had, has);
        guestEvent(
                "guest.control-domain.unplugged", effect, "controlDomains", unplugged.controlDomains(), null, had, has);
        guestEvent("guest.adapter.plugged", effect, "adapters", plugged.adapters(), null, had, has);
        guestEvent("guest.domain.plugged", effect, "domains", plugged.domains(), null, had, has);
        guestEvent("guest.control-domain.plugged", effect, "controlDomains", plugged.controlDomains(), null, had, has);
    }

    private void guestEvent(
            String type,
            Effect effect,
            String kind,
            ApMask numbers,
            @Nullable QueueSet because,
            Map<String, Object> before,
            Map<String, Object> after) {
        if (numbers.isEmpty()) {
            return;
        }
        Map<String, Object> detail = new LinkedHashMap<>();
        detail.put(kind, kind.equals("adapters") ? Notation.adapters(numbers) : Notation.domains(numbers));
        if (because != null && !because.isEmpty()) {
            detail.put("because", Notation.queues(because));
        }
        event(type, effect.mdev(), effect.guest(), effect.cause().toString(), detail, before, after);
    }

    /** The queues whose loss forced adapters out: of the guest matrix before, and not usable any more. */
    private static @Nullable QueueSet because(Plan plan, Effect effect) {
        Mdev before = plan.before().mdevs().get(effect.mdev());
        if (before == null || effect.cause() == Cause.RELEASE) {
            return null;
        }
        return QueueSet.rectangle(
                        effect.unplugged().adapters(), before.guestMatrix().domains())
                .minus(plan.after().usable());
    }

    private void countPlugs(Effect effect) {
        count("adapter", effect, effect.plugged().adapters(), effect.unplugged().adapters());
        count("domain", effect, effect.plugged().domains(), effect.unplugged().domains());
        count(
                "control_domain",
                effect,
                effect.plugged().controlDomains(),
                effect.unplugged().controlDomains());
    }

    private void count(String kind, Effect effect, ApMask plugged, ApMask unplugged) {
        if (!plugged.isEmpty() || !unplugged.isEmpty()) {
            plugs.merge(
                    new Counted(kind, effect.cause().toString()),
                    new Plugs(plugged.count(), unplugged.count()),
                    Plugs::plus);
        }
    }

    private void storePlugs() {
        stores.jdbc()
                .batchUpdate(
                        COUNT_PLUGS,
                        plugs.entrySet().stream()
                                .map(count -> new Object[] {
                                    id(),
                                    count.getKey().kind(),
                                    count.getKey().cause(),
                                    count.getValue().plugs(),
                                    count.getValue().unplugs()
                                })
                                .toList());
    }

    void settled(MatrixChanged.Settled commit) {
        settled.add(commit);
    }

    /** Last work of the transaction: what needs the rows to be there. */
    void finish() {
        if (!afterFlush.isEmpty() || !plugs.isEmpty()) {
            stores.entities().flush();
            afterFlush.forEach(Runnable::run);
            storePlugs();
        }
    }

    /** What to tell once the transaction is kept. */
    Optional<MatrixChanged> changed() {
        return newGeneration || events || !settled.isEmpty()
                ? Optional.of(new MatrixChanged(name, newGeneration, events, List.copyOf(settled)))
                : Optional.empty();
    }
}
