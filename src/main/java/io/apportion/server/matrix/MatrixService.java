package io.apportion.server.matrix;

import io.apportion.ap.BindingMode;
import io.apportion.ap.Change;
import io.apportion.ap.CommitState;
import io.apportion.ap.HostMatrix;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Notation;
import io.apportion.ap.Outcome;
import io.apportion.ap.Plan;
import io.apportion.ap.Policy;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.Refusal;
import io.apportion.ap.Reservation;
import io.apportion.server.store.CommitObjectRow;
import io.apportion.server.store.CommitRow;
import io.apportion.server.store.ForeignMdevRow;
import io.apportion.server.store.HostRow;
import io.apportion.server.store.MdevRow;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.context.event.EventListener;
import org.springframework.stereotype.Service;

/**
 * What people and programs change. Each call but a dry run holds the host's matrix lock, plans, and stores everything of
 * the change in one transaction: what it returns from is kept, what it throws from changed nothing. A dry run takes no lock
 * and plans on one consistent snapshot.
 */
@Service
public class MatrixService {

    /** Mdevs, of which each takes about 200 bytes. */
    private static final int REMEMBERED = 50_000;

    private final MatrixLocks locks;
    private final MatrixQueries queries;
    private final ConcurrentHashMap<String, CompletableFuture<Void>> settlements = new ConcurrentHashMap<>();

    /**
     * On which host an mdev was last found: it saves a transaction before the lock, and is believed only under the lock,
     * when the mdev is seen to be there.
     */
    private final Map<UUID, String> whereabouts = Collections.synchronizedMap(new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<UUID, String> longestUnused) {
            return size() > REMEMBERED;
        }
    });

    MatrixService(MatrixLocks locks, MatrixQueries queries) {
        this.locks = locks;
        this.queries = queries;
    }

    /**
     * Waits until every object of that commit is settled, at most so long; returns at once when no agent is connected.
     * Holds no lock and no connection while it waits.
     *
     * @throws NotDone.NotFound if there is no such commit
     */
    public CommitRecord await(long commit, Duration atMost) {
        long deadline = System.nanoTime() + atMost.toNanos();
        String host = queries.commit(commit).host();
        while (true) {
            // Asked for before the look, so that no settlement between the two is missed.
            CompletableFuture<Void> next = settlements.computeIfAbsent(host, name -> new CompletableFuture<>());
            CommitRecord record = queries.commit(commit);
            long left = deadline - System.nanoTime();
            if (record.state() != CommitState.PENDING || left <= 0 || !queries.agentConnected(host)) {
                return record;
            }
            try {
                // Another replica may have taken the report, and its word be lost: look again each second.
                next.get(Math.min(left, Duration.ofSeconds(1).toNanos()), TimeUnit.NANOSECONDS);
            } catch (TimeoutException expected) {
                // Look again.
            } catch (ExecutionException never) {
                throw new IllegalStateException(never);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
                return record;
            }
        }
    }

    @EventListener
    void settled(MatrixChanged changed) {
        if (!changed.settled().isEmpty()) {
            lookAgain(changed.host());
        }
    }

    @EventListener
    void settledElsewhere(ChangedElsewhere changed) {
        if (changed.settled()) {
            lookAgain(changed.host());
        }
    }

    private void lookAgain(String host) {
        CompletableFuture<Void> waiting = settlements.remove(host);
        if (waiting != null) {
            waiting.complete(null);
        }
    }

    /** How a call is to be taken. */
    public record Mode(Preconditions preconditions, boolean force, boolean dryRun, Caller caller) {

        /** @throws NotDone.Forbidden if the caller asks for more than the role allows */
        public Mode {
            if (force && !caller.mayForce()) {
                throw new NotDone.Forbidden("force needs the role admin.");
            }
        }

        /**
         * @param before that which is to be changed
         * @throws NotDone.Forbidden if the caller may change nothing there
         */
        private void admit(HostState before) {
            caller.scope().forEach((label, value) -> {
                if (!value.equals(before.labels().get(label))) {
                    throw new NotDone.Forbidden(caller.actor() + " changes only hosts with the label " + label + "="
                            + value + ", and " + before.name() + " has it not.");
                }
            });
        }
    }

    // ---- hosts

    /** Creates or changes a host: a setting that is null keeps its value. */
    public Written putHost(String name, HostSettings settings, Mode mode) {
        if (mode.dryRun()) {
            return queries.inSnapshot(() -> dryPutHost(name, settings, mode));
        }
        return locks.withLock(name, mode.caller(), host -> {
            boolean created = !host.exists();
            mode.preconditions()
                    .check("The host " + name, created ? null : host.state().tag());
            if (created) {
                host.create();
            }
            HostState before = host.state();
            Plan plan = planSettings(before, settings, mode);
            HostRow row = host.row();
            CommitRow commit = host.store(plan, "settings");
            boolean pauses = settings.policy() != null && pauses(row.policy, settings.policy());
            row.labels = settings.labels() == null ? row.labels : settings.labels();
            row.description = settings.description() == null ? row.description : settings.description();
            if (settings.policy() != null && settings.policy() != row.policy) {
                row.policy = settings.policy();
                Drift.policyChanged(host);
            }
            if (pauses) {
                // The agent is told by the next desired state, which may otherwise be the same.
                commit = commit == null ? host.nextGeneration("policy") : commit;
                host.touch(commit, CommitObjectRow.POLICY, "");
            }
            host.forget();
            HostState after = host.state();
            if (!created && !sameSettings(before, after)) {
                row.version++;
                host.forget();
            }
            if (created || !sameSettings(before, after)) {
                host.event(
                        created ? "host.created" : "host.changed",
                        null,
                        null,
                        null,
                        null,
                        created ? null : settings(before),
                        settings(after));
            }
            return new Written(created ? null : before, host.state(), null, plan, created, stored(commit));
        });
    }

    private Written dryPutHost(String name, HostSettings settings, Mode mode) {
        HostState before = queries.find(name);
        mode.preconditions().check("The host " + name, before == null ? null : before.tag());
        HostState start = before == null ? queries.unborn(name) : before;
        Plan plan = planSettings(start, settings, mode);
        HostState after = Snapshots.planned(start, plan).withSettings(settings);
        boolean told = plan.changesDesired() || pauses(start.policy(), after.policy());
        return new Written(
                before,
                after.numbered(
                        sameSettings(start, after) || before == null ? start.version() : start.version() + 1,
                        told ? start.generation() + 1 : start.generation()),
                null,
                plan,
                before == null,
                null);
    }

    /** Whether a pause begins or ends. */
    private static boolean pauses(Policy before, Policy after) {
        return (before == Policy.PAUSED) != (after == Policy.PAUSED);
    }

    /** Binding mode, then filter: one plan from the state before both to the state after both. */
    private static Plan planSettings(HostState before, HostSettings settings, Mode mode) {
        mode.admit(before);
        HostMatrix matrix = before.matrix();
        Plan plan = new Plan(matrix, matrix, List.of(), Set.of(), Set.of(), false, false);
        if (settings.bindingMode() != null && settings.bindingMode() != matrix.setBindingMode()) {
            if (!mode.caller().mayForce()) {
                throw new NotDone.Forbidden("Changing the binding mode needs the role admin.");
            }
            plan = accepted(before.name(), matrix.plan(new Change.SetBindingMode(settings.bindingMode())));
        }
        if (settings.filter() != null && settings.filter() != matrix.filter()) {
            Plan filtered = accepted(
                    before.name(), plan.after().plan(new Change.SwitchFilter(settings.filter(), mode.force())));
            Set<UUID> mdevs = new TreeSet<>(plan.mdevs());
            mdevs.addAll(filtered.mdevs());
            plan = new Plan(
                    matrix,
                    filtered.after(),
                    filtered.effects(),
                    mdevs,
                    plan.drivers(),
                    plan.reservation(),
                    plan.bindingMode());
        }
        return plan;
    }

    private static boolean sameSettings(HostState one, HostState other) {
        return settings(one).equals(settings(other));
    }

    /** As users set them: what is the host's own and could be another one tomorrow is not among them. */
    private static Map<String, Object> settings(HostState host) {
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("labels", new TreeMap<>(host.labels()));
        settings.put("description", host.description());
        settings.put("filter", host.matrix().filter().toString());
        settings.put("policy", host.policy().toString());
        BindingMode bindingMode = host.matrix().setBindingMode();
        if (bindingMode != null) {
            settings.put("bindingMode", bindingMode.toString());
        }
        return settings;
    }

    public Written deleteHost(String name, Mode mode) {
        Function<HostState, Written> check = before -> {
            mode.admit(before);
            mode.preconditions().check("The host " + name, before.tag());
            if (!before.mdevs().isEmpty()) {
                throw new NotDone.HostNotEmpty(name, List.copyOf(before.mdevs().keySet()));
            }
            return new Written(before, before, null, null, false, null);
        };
        if (mode.dryRun()) {
            return check.apply(queries.host(name));
        }
        return locks.withLock(name, mode.caller(), host -> {
            Written written = check.apply(existing(host));
            host.event("host.deleted", null, null, null, null, settings(written.after()), null);
            host.delete();
            return written;
        });
    }

    /** Forgets which machine has claimed the host, so that another one may. */
    public Written releaseClaim(String name, Mode mode) {
        if (mode.dryRun()) {
            HostState before = queries.host(name);
            mode.admit(before);
            mode.preconditions().check("The host " + name, before.tag());
            return new Written(before, before.unclaimed(), null, null, false, null);
        }
        return locks.withLock(name, mode.caller(), host -> {
            HostState before = existing(host);
            mode.admit(before);
            mode.preconditions().check("The host " + name, before.tag());
            HostRow row = host.row();
            if (row.machineId != null) {
                host.event("host.claim.released", null, null, null, Map.of("machineId", row.machineId), null, null);
                row.machineId = null;
                // Whatever still reports for the old machine is not listened to any more.
                row.session++;
                row.sequence = 0;
                host.forget();
            }
            return new Written(before, host.state(), null, null, false, null);
        });
    }

    /** @param reservation null: unmanaged again */
    public Written reserve(String name, @Nullable Reservation reservation, Mode mode) {
        return changeHost(name, new Change.Reserve(reservation), "reservation", mode, (host, plan) -> {
            Map<String, Object> detail = new LinkedHashMap<>();
            detail.put("freed", Notation.queues(plan.freed()));
            detail.put("takenBack", Notation.queues(plan.takenBack()));
            host.event(
                    "reservation.changed",
                    null,
                    null,
                    null,
                    detail,
                    EventText.reservation(plan.before().managedReservation()),
                    EventText.reservation(plan.after().managedReservation()));
        });
    }

    /** @param driver null: unmanaged again */
    public Written setDriver(String name, Queue queue, @Nullable QueueDriver driver, Mode mode) {
        return changeHost(name, new Change.SetDriver(queue, driver, mode.force()), "driver", mode, (host, plan) -> {
            QueueDriver before = plan.before().drivers().get(queue);
            host.event(
                    "queue.driver.changed",
                    null,
                    null,
                    null,
                    Map.of("queue", queue.toString()),
                    before == null ? null : Map.of("driver", before.toString()),
                    driver == null ? null : Map.of("driver", driver.toString()));
        });
    }

    private interface Telling {
        void tell(LockedHost host, Plan plan);
    }

    private Written changeHost(String name, Change change, String cause, Mode mode, Telling telling) {
        if (mode.dryRun()) {
            HostState before = queries.host(name);
            mode.admit(before);
            mode.preconditions().check("The host " + name, before.tag());
            Plan plan = accepted(name, before.matrix().plan(change));
            return new Written(before, Snapshots.planned(before, plan), null, plan, false, null);
        }
        return locks.withLock(name, mode.caller(), host -> {
            HostState before = existing(host);
            mode.admit(before);
            mode.preconditions().check("The host " + name, before.tag());
            Plan plan = accepted(name, before.matrix().plan(change));
            CommitRow commit = host.store(plan, cause);
            if (plan.changesReservationOrDrivers()) {
                host.row().version++;
                host.forget();
                telling.tell(host, plan);
            }
            return new Written(before, host.state(), null, plan, false, stored(commit));
        });
    }

    // ---- mdevs

    /** Takes a foreign mdev as it is. The preconditions are of the host, which lists it. */
    public Written adopt(String name, UUID uuid, Mode mode) {
        if (mode.dryRun()) {
            return queries.inSnapshot(() -> {
                elsewhere(uuid, name);
                HostState before = queries.host(name);
                mode.admit(before);
                mode.preconditions().check("The host " + name, before.tag());
                Plan plan = accepted(name, before.matrix().plan(new Change.Adopt(uuid)));
                return new Written(before, Snapshots.planned(before, plan), uuid, plan, true, null);
            });
        }
        return locks.withLock(name, mode.caller(), host -> {
            elsewhere(uuid, name);
            HostState before = existing(host);
            mode.admit(before);
            mode.preconditions().check("The host " + name, before.tag());
            Plan plan = accepted(name, before.matrix().plan(new Change.Adopt(uuid)));
            ForeignMdevRow foreign = host.foreign().remove(uuid);
            if (foreign != null) {
                host.remove(foreign);
            }
            CommitRow commit = host.store(plan, "adopt");
            host.event("mdev.adopted", uuid, null, "adopt", null, null, assigned(plan.after(), uuid));
            return new Written(before, host.state(), uuid, plan, true, stored(commit));
        });
    }

    /** Creates; there must be no mdev with that UUID. */
    public Written createMdev(UUID uuid, MdevSettings settings, Mode mode) {
        return putMdev(
                uuid,
                settings,
                new Mode(
                        new Preconditions(mode.preconditions().ifMatch(), true),
                        mode.force(),
                        mode.dryRun(),
                        mode.caller()));
    }

    /** Creates or replaces, all masks at once. */
    public Written putMdev(UUID uuid, MdevSettings settings, Mode mode) {
        String name = settings.host();
        if (mode.dryRun()) {
            return queries.inSnapshot(() -> {
                elsewhere(uuid, name);
                HostState before = queries.host(name);
                Plan plan = planMdev(before, uuid, settings, mode);
                HostState after = Snapshots.planned(before, plan);
                if (settings.labels() != null) {
                    MdevState mdev = Objects.requireNonNull(after.mdevs().get(uuid));
                    after.mdevs()
                            .put(
                                    uuid,
                                    mdev.withLabels(
                                            settings.labels(), before.mdevs().get(uuid)));
                }
                return new Written(before, after, uuid, plan, !before.mdevs().containsKey(uuid), null);
            });
        }
        return locks.withLock(name, mode.caller(), host -> {
            boolean created = !host.hasMdev(uuid);
            if (created) {
                elsewhere(uuid, name);
            }
            HostState before = existing(host);
            Plan plan = planMdev(before, uuid, settings, mode);
            CommitRow commit = host.store(plan, created ? "create" : "replace");
            MdevRow row = host.mdev(uuid);
            boolean relabelled = settings.labels() != null && !settings.labels().equals(row.labels);
            if (relabelled) {
                host.changeLabels(row, Objects.requireNonNull(settings.labels()));
                if (!created
                        && row.version
                                == Objects.requireNonNull(before.mdevs().get(uuid))
                                        .version()) {
                    row.version++;
                }
            }
            if (created) {
                host.event("mdev.created", uuid, null, null, null, null, assigned(plan.after(), uuid));
            } else {
                assignmentEvent(host, plan, uuid);
                if (relabelled) {
                    host.event(
                            "mdev.labels.changed",
                            uuid,
                            null,
                            null,
                            null,
                            Map.of(
                                    "labels",
                                    Objects.requireNonNull(before.mdevs().get(uuid))
                                            .labels()),
                            Map.of("labels", row.labels));
                }
            }
            return new Written(before, host.state(), uuid, plan, created, stored(commit));
        });
    }

    private void elsewhere(UUID uuid, String name) {
        queries.nameOfHostOf(uuid).filter(host -> !host.equals(name)).ifPresent(host -> {
            throw new NotDone.MdevElsewhere(uuid, host);
        });
    }

    private static Plan planMdev(HostState before, UUID uuid, MdevSettings settings, Mode mode) {
        mode.admit(before);
        MdevState present = before.mdevs().get(uuid);
        mode.preconditions().check("The mdev " + uuid, present == null ? null : present.tag());
        return accepted(
                before.name(),
                before.matrix()
                        .plan(
                                present == null
                                        ? new Change.Create(uuid, settings.assigned())
                                        : new Change.Replace(uuid, settings.assigned())));
    }

    public Written deleteMdev(UUID uuid, Mode mode) {
        return changeMdev(uuid, new Change.Remove(uuid, mode.force()), "delete", mode, (host, plan) -> {
            boolean removing = plan.after().mdevs().containsKey(uuid);
            host.event(
                    removing ? "mdev.removing" : "mdev.deleted",
                    uuid,
                    null,
                    "delete",
                    null,
                    assigned(plan.before(), uuid),
                    null);
        });
    }

    /** Adds these numbers to the assigned matrix. */
    public Written assign(UUID uuid, Matrix added, Mode mode) {
        return changeMdev(
                uuid,
                new Change.Assign(uuid, added),
                "assign",
                mode,
                (host, plan) -> assignmentEvent(host, plan, uuid));
    }

    /** Takes these numbers from the assigned matrix. */
    public Written unassign(UUID uuid, Matrix taken, Mode mode) {
        return changeMdev(
                uuid,
                new Change.Unassign(uuid, taken),
                "unassign",
                mode,
                (host, plan) -> assignmentEvent(host, plan, uuid));
    }

    /** All three masks at once. */
    public Written replaceMatrix(UUID uuid, Matrix assigned, Mode mode) {
        return changeMdev(
                uuid,
                new Change.Replace(uuid, assigned),
                "replace",
                mode,
                (host, plan) -> assignmentEvent(host, plan, uuid));
    }

    /** For hosts whose agent cannot see guests. */
    public Written attachGuest(UUID uuid, String guest, Mode mode) {
        return changeMdev(uuid, new Change.Attach(uuid, guest), "attach", mode, (host, plan) -> {
            host.event("guest.attached", uuid, guest, null, null, null, null);
        });
    }

    /** For hosts whose agent cannot see guests. */
    public Written releaseGuest(UUID uuid, Mode mode) {
        return changeMdev(uuid, new Change.Release(uuid), "release", mode, (host, plan) -> {
            Mdev before = Objects.requireNonNull(plan.before().mdevs().get(uuid));
            host.event(
                    "guest.released",
                    uuid,
                    before.guest() == null ? null : before.guest().name(),
                    null,
                    null,
                    null,
                    null);
        });
    }

    private Written changeMdev(UUID uuid, Change change, String cause, Mode mode, Telling telling) {
        if (mode.dryRun()) {
            HostState before = queries.hostOf(uuid);
            Plan plan = planOfMdev(before, uuid, change, mode);
            return new Written(before, Snapshots.planned(before, plan), uuid, plan, false, null);
        }
        String remembered = whereabouts.get(uuid);
        if (remembered != null) {
            Optional<Written> written = changeMdevOn(remembered, uuid, change, cause, mode, telling);
            if (written.isPresent()) {
                return written.get();
            }
            // It was deleted, and may have been made anew elsewhere.
            whereabouts.remove(uuid);
        }
        String name = queries.nameOfHostOf(uuid).orElseThrow(() -> new NotDone.NotFound("mdev " + uuid));
        Written written = changeMdevOn(name, uuid, change, cause, mode, telling)
                .orElseThrow(() -> new NotDone.NotFound("mdev " + uuid));
        whereabouts.put(uuid, name);
        return written;
    }

    /** @return empty if that host has no such mdev */
    private Optional<Written> changeMdevOn(
            String name, UUID uuid, Change change, String cause, Mode mode, Telling telling) {
        return locks.withLock(name, mode.caller(), host -> {
            if (!host.hasMdev(uuid)) {
                return Optional.empty();
            }
            HostState before = host.state();
            Plan plan = planOfMdev(before, uuid, change, mode);
            if (plan.before().equals(plan.after())) {
                return Optional.of(new Written(before, before, uuid, plan, false, null));
            }
            CommitRow commit = host.store(plan, cause);
            telling.tell(host, plan);
            return Optional.of(new Written(before, host.state(), uuid, plan, false, stored(commit)));
        });
    }

    private static Plan planOfMdev(HostState before, UUID uuid, Change change, Mode mode) {
        MdevState present = before.mdevs().get(uuid);
        if (present == null) {
            throw new NotDone.NotFound("mdev " + uuid);
        }
        mode.admit(before);
        mode.preconditions().check("The mdev " + uuid, present.tag());
        return accepted(before.name(), before.matrix().plan(change));
    }

    private static void assignmentEvent(LockedHost host, Plan plan, UUID uuid) {
        Matrix before = Objects.requireNonNull(plan.before().mdevs().get(uuid)).assigned();
        Matrix after = Objects.requireNonNull(plan.after().mdevs().get(uuid)).assigned();
        if (before.equals(after)) {
            return;
        }
        Map<String, Object> detail = new LinkedHashMap<>();
        detail.put("assigned", EventText.matrix(after.minus(before)));
        detail.put("unassigned", EventText.matrix(before.minus(after)));
        host.event(
                after.isIn(before) ? "mdev.unassigned" : "mdev.assigned",
                uuid,
                null,
                null,
                detail,
                EventText.matrix(before),
                EventText.matrix(after));
    }

    private static Map<String, Object> assigned(HostMatrix matrix, UUID uuid) {
        return EventText.matrix(Objects.requireNonNull(matrix.mdevs().get(uuid)).assigned());
    }

    private static HostState existing(LockedHost host) {
        host.row();
        return host.state();
    }

    private static Plan accepted(String host, Outcome outcome) {
        return switch (outcome) {
            case Plan plan -> plan;
            case Refusal refusal -> throw new NotDone.Refused(host, refusal);
        };
    }

    private static Written.@Nullable StoredCommit stored(@Nullable CommitRow commit) {
        return commit == null ? null : new Written.StoredCommit(Objects.requireNonNull(commit.id), commit.generation);
    }
}
