package io.apportion.ap;

import io.apportion.ap.Refusal.Conflict;
import io.apportion.ap.Refusal.Holder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One planning of one change. Every way ends in {@link #settle}, which runs the filter of each mdev once over the new
 * state: no change has a filter path of its own.
 */
final class Planning {

    private final HostMatrix before;

    Planning(HostMatrix before) {
        this.before = before;
    }

    Outcome plan(Change change) {
        return switch (change) {
            case Change.Create create -> create(create);
            case Change.Assign assign -> assign(assign);
            case Change.Unassign unassign -> unassign(unassign);
            case Change.Replace replace -> replace(replace);
            case Change.Remove remove -> remove(remove);
            case Change.Adopt adopt -> adopt(adopt.mdev());
            case Change.SwitchFilter switchFilter -> switchFilter(switchFilter);
            case Change.Reserve reserve -> reserve(reserve.reservation());
            case Change.SetDriver setDriver -> setDriver(setDriver);
            case Change.SetBindingMode set -> setBindingMode(set.mode());
            case Change.Attach attach -> attach(attach);
            case Change.Release release -> release(release.mdev());
            case Change.Observe observe -> observe(observe);
        };
    }

    // ---- assigned matrices

    private Outcome create(Change.Create create) {
        if (before.inventory().foreign().containsKey(create.mdev())) {
            return new Refusal.MdevIsForeign(create.mdev());
        }
        Refusal refusal = whyNotAssignable(create.mdev(), create.assigned());
        if (refusal != null) {
            return refusal;
        }
        return withMdev(Mdev.unattached(create.mdev(), create.assigned(), Matrix.EMPTY), Cause.ASSIGN);
    }

    private Outcome assign(Change.Assign assign) {
        Mdev mdev = mdev(assign.mdev());
        if (mdev.removing()) {
            return new Refusal.MdevRemoving(mdev.uuid());
        }
        Refusal outOfRange = outOfRange(assign.added());
        if (outOfRange != null) {
            return outOfRange;
        }
        if (assign.added().isIn(mdev.assigned())) {
            return unchanged();
        }
        Matrix wanted = mdev.assigned().or(assign.added());
        Refusal refusal = whyNotChangeable(mdev);
        if (refusal == null) {
            refusal = whyNotAssignable(mdev.uuid(), wanted);
        }
        return refusal != null ? refusal : withMdev(mdev.withAssigned(wanted), Cause.ASSIGN);
    }

    private Outcome unassign(Change.Unassign unassign) {
        Mdev mdev = mdev(unassign.mdev());
        if (mdev.removing()) {
            return new Refusal.MdevRemoving(mdev.uuid());
        }
        Refusal outOfRange = outOfRange(unassign.taken());
        if (outOfRange != null) {
            return outOfRange;
        }
        Matrix wanted = mdev.assigned().minus(unassign.taken());
        if (wanted.equals(mdev.assigned())) {
            return unchanged();
        }
        Refusal refusal = whyNotChangeable(mdev);
        return refusal != null ? refusal : withMdev(mdev.withAssigned(wanted), Cause.UNASSIGN);
    }

    private Outcome replace(Change.Replace replace) {
        Mdev mdev = mdev(replace.mdev());
        if (mdev.removing()) {
            return new Refusal.MdevRemoving(mdev.uuid());
        }
        Matrix wanted = replace.assigned();
        if (wanted.equals(mdev.assigned())) {
            return unchanged();
        }
        Refusal refusal = whyNotChangeable(mdev);
        if (refusal == null && !wanted.isIn(mdev.assigned())) {
            refusal = whyNotAssignable(mdev.uuid(), wanted);
        }
        if (refusal != null) {
            return refusal;
        }
        Mdev replaced = mdev.withAssigned(wanted);
        if (wanted.isIn(mdev.assigned())) {
            return withMdev(replaced, Cause.UNASSIGN);
        }
        if (mdev.assigned().isIn(wanted)) {
            return withMdev(replaced, Cause.ASSIGN);
        }
        // What the guest gains by it is an assignment, what it loses an unassignment.
        return settle(before.withMdevs(put(replaced)), Cause.ASSIGN, Cause.UNASSIGN);
    }

    private @Nullable Refusal whyNotChangeable(Mdev mdev) {
        if (mdev.guest() != null && !before.inventory().hotPlug()) {
            return new Refusal.CannotHotPlug(mdev.uuid(), mdev.guest().name());
        }
        return null;
    }

    /** Range, then every queue of the whole matrix that somebody else has: the order of assign_adapter in the kernel. */
    private @Nullable Refusal whyNotAssignable(UUID owner, Matrix wanted) {
        Refusal outOfRange = outOfRange(wanted);
        if (outOfRange != null) {
            return outOfRange;
        }
        List<Conflict> conflicts = new ArrayList<>();
        addReserved(wanted, conflicts);
        for (Mdev other : before.mdevs().values()) {
            if (!other.uuid().equals(owner) && other.conflictsWith(wanted)) {
                QueueSet common = common(wanted, other.assigned()).or(common(wanted, other.held()));
                common.queues().forEach(queue -> conflicts.add(new Conflict(queue, Holder.MDEV, other.uuid())));
            }
        }
        before.inventory().foreign().forEach((uuid, foreign) -> {
            if (!uuid.equals(owner) && foreign.assigned().sharesQueueWith(wanted)) {
                common(wanted, foreign.assigned())
                        .queues()
                        .forEach(queue -> conflicts.add(new Conflict(queue, Holder.FOREIGN_MDEV, uuid)));
            }
        });
        return conflicts.isEmpty() ? null : heldByOthers(conflicts);
    }

    private static Refusal heldByOthers(List<Conflict> conflicts) {
        conflicts.sort(Comparator.comparing(Conflict::queue).thenComparing(Conflict::holder));
        return new Refusal.Conflicts(List.copyOf(conflicts));
    }

    private void addReserved(Matrix wanted, List<Conflict> conflicts) {
        Inventory.Keep keep = before.inventory().keep();
        Holder byMode = before.bindingMode() == BindingMode.OVERRIDE ? Holder.DRIVER : Holder.MASKS;
        wanted.adapters()
                .forEach(a -> before.reservedDomains(a)
                        .and(wanted.domains())
                        .forEach(d -> conflicts.add(
                                new Conflict(new Queue(a, d), keep.names(a, d) ? Holder.KEEP : byMode, null))));
    }

    private static QueueSet common(Matrix one, Matrix other) {
        return QueueSet.rectangle(
                one.adapters().and(other.adapters()), one.domains().and(other.domains()));
    }

    private @Nullable Refusal outOfRange(Matrix matrix) {
        Inventory inventory = before.inventory();
        ApMask adapters = ApMask.upTo(inventory.maxAdapter());
        ApMask domains = ApMask.upTo(inventory.maxDomain());
        Matrix tooHigh = matrix.minus(new Matrix(adapters, domains, domains));
        return tooHigh.isEmpty()
                ? null
                : new Refusal.NumberOutOfRange(tooHigh, inventory.maxAdapter(), inventory.maxDomain());
    }

    // ---- life of an mdev

    private Outcome remove(Change.Remove remove) {
        Mdev mdev = mdev(remove.mdev());
        if (mdev.removing()) {
            return remove.force() ? unchanged() : new Refusal.MdevRemoving(mdev.uuid());
        }
        if (mdev.guest() == null
                && before.inventory().reported()
                && !before.inventory().seesGuests()) {
            // Nobody can see whether a guest holds it: it goes when the host reports it gone.
            return withMdev(mdev.removed(), Cause.DELETE);
        }
        if (mdev.guest() == null) {
            TreeMap<UUID, Mdev> others = new TreeMap<>(before.mdevs());
            others.remove(mdev.uuid());
            return settle(before.withMdevs(others), Cause.DELETE);
        }
        Outcome removed = withMdev(mdev.removed(), Cause.DELETE);
        if (!remove.force() && removed instanceof Plan plan) {
            return new Refusal.GuestAttached(mdev.uuid(), mdev.guest().name(), plan.effects(), true);
        }
        Refusal cannot = whyNotChangeable(mdev);
        return cannot != null ? cannot : removed;
    }

    /** Takes it as it is: neither range nor reservation is checked, as the host has it already. */
    private Outcome adopt(UUID uuid) {
        Inventory.ForeignMdev foreign = before.inventory().foreign().get(uuid);
        if (foreign == null) {
            return new Refusal.NoForeignMdev(uuid);
        }
        List<Conflict> conflicts = new ArrayList<>();
        for (Mdev other : before.mdevs().values()) {
            if (other.conflictsWith(foreign.assigned())) {
                common(foreign.assigned(), other.assigned())
                        .or(common(foreign.assigned(), other.held()))
                        .queues()
                        .forEach(queue -> conflicts.add(new Conflict(queue, Holder.MDEV, other.uuid())));
            }
        }
        if (!conflicts.isEmpty()) {
            return heldByOthers(conflicts);
        }
        // A running guest starts from the domains that it has.
        Mdev adopted =
                Mdev.unattached(uuid, foreign.assigned(), foreign.guestMatrix()).withGuest(foreign.guest());
        return settle(
                before.withInventory(before.inventory().withoutForeign(uuid)).withMdevs(put(adopted)), Cause.ADOPT);
    }

    // ---- the host's own settings

    private Outcome switchFilter(Change.SwitchFilter change) {
        return unlessGuestsLose(settle(before.withFilter(change.filter()), Cause.FILTER), change.force());
    }

    private Outcome reserve(@Nullable Reservation wanted) {
        if (wanted != null) {
            Refusal refusal = whyNotReservable(wanted);
            if (refusal != null) {
                return refusal;
            }
        }
        return settle(before.withReservation(wanted), Cause.BIND);
    }

    private @Nullable Refusal whyNotReservable(Reservation wanted) {
        if (before.bindingMode() == BindingMode.OVERRIDE && !wanted.equals(Reservation.EVERYTHING)) {
            return new Refusal.DriverNotChangeable(
                    List.of(),
                    "The host's binding mode is override: while a queue has a driver_override, the kernel refuses every"
                            + " mask but all ones.",
                    "Set the drivers of single queues, or have an admin set the host's bindingMode to masks.");
        }
        List<Conflict> conflicts = new ArrayList<>();
        Inventory.Keep keep = before.inventory().keep();
        Matrix configuration = before.inventory().hostConfiguration();
        before.reservation()
                .queues()
                .minus(wanted.queues())
                .within(configuration.adapters(), configuration.domains())
                .queues()
                .filter(queue -> keep.names(queue.adapter(), queue.domain()))
                .forEach(queue -> conflicts.add(new Conflict(queue, Holder.KEEP, null)));
        addTouched(wanted, conflicts);
        if (!conflicts.isEmpty()) {
            return heldByOthers(conflicts);
        }
        List<Queue> contradicted = before.drivers().entrySet().stream()
                .filter(entry -> before.bindingMode() == BindingMode.MASKS
                        && switch (entry.getValue()) {
                            case VFIO_AP -> wanted.reserves(entry.getKey());
                            case DEFAULT -> !wanted.reserves(entry.getKey());
                            case NONE -> false;
                        })
                .map(Map.Entry::getKey)
                .sorted()
                .toList();
        return contradicted.isEmpty()
                ? null
                : new Refusal.DriverNotChangeable(
                        contradicted,
                        "These queues have a managed driver that these masks do not permit.",
                        "DELETE the driver of each of these queues first, or choose masks that agree with it.");
    }

    /** vfio_ap's in-use test of 7.2: a newly set adapter or domain, with the other mask taken as all ones. */
    private void addTouched(Reservation wanted, List<Conflict> conflicts) {
        Reservation present = before.reservation();
        ApMask adapters = wanted.apmask().minus(present.apmask());
        ApMask domains = wanted.aqmask().minus(present.aqmask());
        before.mdevs()
                .forEach((uuid, mdev) -> touched(mdev.assigned(), adapters, domains)
                        .or(touched(mdev.held(), adapters, domains))
                        .queues()
                        .forEach(queue -> conflicts.add(new Conflict(queue, Holder.MDEV, uuid))));
        before.inventory()
                .foreign()
                .forEach((uuid, foreign) -> touched(foreign.assigned(), adapters, domains)
                        .queues()
                        .forEach(queue -> conflicts.add(new Conflict(queue, Holder.FOREIGN_MDEV, uuid))));
    }

    private static QueueSet touched(Matrix matrix, ApMask adapters, ApMask domains) {
        return QueueSet.rectangle(matrix.adapters().and(adapters), matrix.domains())
                .or(QueueSet.rectangle(matrix.adapters(), matrix.domains().and(domains)));
    }

    private Outcome setDriver(Change.SetDriver change) {
        Queue queue = change.queue();
        Refusal outOfRange = outOfRange(new Matrix(ApMask.of(queue.adapter()), ApMask.of(queue.domain()), ApMask.NONE));
        if (outOfRange != null) {
            return outOfRange;
        }
        QueueDriver wanted = change.driver();
        if (wanted != null) {
            if (before.inventory().keep().names(queue.adapter(), queue.domain())) {
                return heldByOthers(new ArrayList<>(List.of(new Conflict(queue, Holder.KEEP, null))));
            }
            Refusal notPermitted = whyNotPermittedByMasks(queue, wanted);
            if (notPermitted != null) {
                return notPermitted;
            }
        }
        Map<Queue, QueueDriver> drivers = new HashMap<>(before.drivers());
        if (wanted == null) {
            drivers.remove(queue);
        } else {
            drivers.put(queue, wanted);
        }
        Cause cause = wanted == null || wanted == QueueDriver.VFIO_AP ? Cause.BIND : Cause.UNBIND;
        return unlessGuestsLose(settle(withDrivers(drivers), cause), change.force());
    }

    /** With the binding mode that is shown now: it must not change because the last overridden card goes for a while. */
    private HostMatrix withDrivers(Map<Queue, QueueDriver> drivers) {
        HostMatrix changed = before.withDrivers(drivers);
        return drivers.isEmpty() ? changed : changed.withBindingMode(before.bindingMode());
    }

    private @Nullable Refusal whyNotPermittedByMasks(Queue queue, QueueDriver wanted) {
        if (before.bindingMode() == BindingMode.OVERRIDE) {
            return null;
        }
        boolean reserved = before.reservation().reserves(queue);
        String adapter = "0x" + queue.toString().substring(0, 2);
        String domain = "0x" + queue.toString().substring(3);
        if (wanted == QueueDriver.VFIO_AP && reserved) {
            return new Refusal.DriverNotChangeable(
                    List.of(queue),
                    "The host's masks reserve this queue for its own drivers, so that vfio_ap may not have it.",
                    "PUT the host's reservation without adapter " + adapter + " in apmask or without domain " + domain
                            + " in aqmask; either frees more queues than this one.");
        }
        if (wanted == QueueDriver.DEFAULT && !reserved) {
            return new Refusal.DriverNotChangeable(
                    List.of(queue),
                    "The host's masks leave this queue to vfio_ap, so that the host's own drivers may not have it.",
                    "PUT the host's reservation with adapter " + adapter + " in apmask and domain " + domain
                            + " in aqmask, or set the driver to none.");
        }
        return null;
    }

    private Outcome setBindingMode(BindingMode wanted) {
        if (wanted == before.bindingMode()) {
            return settle(before.withBindingMode(wanted), Cause.BIND);
        }
        if (wanted == BindingMode.OVERRIDE
                && before.inventory().reported()
                && !before.reservation().equals(Reservation.EVERYTHING)) {
            return new Refusal.DriverNotChangeable(
                    List.of(),
                    "The host's masks are not all ones: the kernel then refuses every driver_override.",
                    "PUT a reservation of all ones first.");
        }
        List<Queue> overridden = before.inventory().overridden().queues().toList();
        if (wanted == BindingMode.MASKS && !overridden.isEmpty()) {
            return new Refusal.DriverNotChangeable(
                    overridden,
                    "These queues have a driver_override: the kernel then refuses every change of the masks.",
                    "PUT the driver default for each of these queues first.");
        }
        return settle(before.withBindingMode(wanted), Cause.BIND);
    }

    // ---- guests told through the API

    private Outcome attach(Change.Attach attach) {
        Mdev mdev = mdev(attach.mdev());
        if (before.inventory().seesGuests()) {
            return new Refusal.GuestObserved(mdev.uuid());
        }
        if (mdev.removing()) {
            return new Refusal.MdevRemoving(mdev.uuid());
        }
        if (mdev.guest() != null) {
            return mdev.guest().name().equals(attach.guest())
                    ? unchanged()
                    : new Refusal.GuestAttached(mdev.uuid(), mdev.guest().name(), List.of(), false);
        }
        for (Mdev other : before.mdevs().values()) {
            if (other.guest() != null && other.guest().name().equals(attach.guest())) {
                return new Refusal.GuestHasMdev(attach.guest(), other.uuid());
            }
        }
        // It starts from nothing: Q is empty.
        return withMdev(mdev.withGuest(new Guest("told", attach.guest())).withGuestMatrix(Matrix.EMPTY), Cause.ATTACH);
    }

    private Outcome release(UUID uuid) {
        Mdev mdev = mdev(uuid);
        if (before.inventory().seesGuests()) {
            return new Refusal.GuestObserved(mdev.uuid());
        }
        if (mdev.removing() && !before.inventory().reported()) {
            // No host will ever report it gone.
            TreeMap<UUID, Mdev> others = new TreeMap<>(before.mdevs());
            others.remove(uuid);
            return settle(before.withMdevs(others), Cause.RELEASE);
        }
        return mdev.guest() == null ? unchanged() : withMdev(mdev.withGuest(null), Cause.RELEASE);
    }

    // ---- reports

    private Outcome observe(Change.Observe observe) {
        TreeMap<UUID, Mdev> mdevs = new TreeMap<>();
        boolean changed = !sameQueues(before.inventory(), observe.inventory());
        for (Mdev mdev : before.mdevs().values()) {
            Mdev seen = seen(mdev, observe);
            if (seen != null) {
                mdevs.put(
                        seen.uuid(),
                        changed && !seen.kernelFiltered().isEmpty() ? seen.withKernelFiltered(ApMask.NONE) : seen);
            }
        }
        Inventory inventory = observe.inventory().equals(before.inventory()) ? before.inventory() : observe.inventory();
        return settle(before.withInventory(inventory).withMdevs(mdevs), causeOf(before.inventory(), inventory));
    }

    /** @return null once a removed mdev has gone from the host */
    private static @Nullable Mdev seen(Mdev present, Change.Observe observe) {
        // No guest outlives its host's boot, whatever could be read since.
        Mdev mdev = observe.reboot() ? present.withGuest(null) : present;
        if (observe.mdevs() == null) {
            return mdev;
        }
        Change.Observe.Seen seen = observe.mdevs().get(mdev.uuid());
        if (seen == null && mdev.removing()) {
            return null;
        }
        Mdev next = mdev;
        if (mdev.removing()
                && seen != null
                && seen.assigned() != null
                && seen.assigned().queueCount() == 0) {
            next = next.withHeld(Matrix.EMPTY);
        }
        if (!observe.inventory().seesGuests()) {
            return next;
        }
        if (seen == null) {
            return next.withGuest(null);
        }
        if (!seen.guestKnown()) {
            return next;
        }
        if (seen.guest() == null || sameAttach(mdev.guest(), seen.guest())) {
            return next.withGuest(seen.guest());
        }
        // A guest that attached starts from what it already has.
        return next.withGuest(seen.guest())
                .withGuestMatrix(seen.guestMatrix() != null ? seen.guestMatrix() : mdev.guestMatrix());
    }

    private static boolean sameAttach(@Nullable Guest one, @Nullable Guest other) {
        if (one == null || other == null) {
            return false;
        }
        return (one.identity() == null && other.identity() == null)
                ? one.name().equals(other.name())
                : Objects.equals(one.identity(), other.identity());
    }

    private static boolean sameQueues(Inventory one, Inventory other) {
        return one.hostConfiguration().equals(other.hostConfiguration())
                && one.bound().equals(other.bound())
                && one.impaired().equals(other.impaired());
    }

    /** Of several causes in one report the first of host_configuration, unbind, bind. */
    private static Cause causeOf(Inventory before, Inventory after) {
        if (!before.hostConfiguration().equals(after.hostConfiguration())) {
            return Cause.HOST_CONFIGURATION;
        }
        return before.bound().minus(after.bound()).isEmpty() ? Cause.BIND : Cause.UNBIND;
    }

    // ---- the one way out

    private Outcome unchanged() {
        return new Plan(before, before, List.of(), Set.of(), Set.of(), false, false);
    }

    private Outcome withMdev(Mdev mdev, Cause cause) {
        return settle(before.withMdevs(put(mdev)), cause);
    }

    private SortedMap<UUID, Mdev> put(Mdev mdev) {
        TreeMap<UUID, Mdev> mdevs = new TreeMap<>(before.mdevs());
        mdevs.put(mdev.uuid(), mdev);
        return mdevs;
    }

    private Plan settle(HostMatrix changed, Cause cause) {
        return settle(changed, cause, cause);
    }

    /**
     * Runs the filter once for each mdev that it could come out otherwise for.
     *
     * @param changed the new state, its guest matrices still those from which the filter starts
     */
    private Plan settle(HostMatrix changed, Cause plugging, Cause unplugging) {
        boolean sameHost = changed.filtersLike(before);
        TreeMap<UUID, Mdev> settled = new TreeMap<>(changed.mdevs());
        for (Map.Entry<UUID, Mdev> entry : settled.entrySet()) {
            Mdev mdev = entry.getValue();
            if (!sameHost || !mdev.equals(before.mdevs().get(mdev.uuid()))) {
                ApMask remembered =
                        mdev.guest() == null ? ApMask.NONE : mdev.guestMatrix().domains();
                entry.setValue(mdev.withGuestMatrix(changed.filter()
                        .apply(
                                remembered,
                                mdev.assigned(),
                                changed.inventory().hostConfiguration(),
                                changed.usable())));
            }
        }
        HostMatrix after = changed.withMdevs(settled);
        List<Effect> effects = new ArrayList<>();
        Set<UUID> pushed = new TreeSet<>();
        Set<UUID> all = new TreeSet<>(before.mdevs().keySet());
        all.addAll(settled.keySet());
        for (UUID uuid : all) {
            Mdev old = before.mdevs().get(uuid);
            Mdev now = settled.get(uuid);
            if (Objects.equals(old, now)) {
                continue;
            }
            addEffects(uuid, old, now, plugging, unplugging, effects);
            if (old == null || now == null || pushedDiffers(old, after, now)) {
                pushed.add(uuid);
            }
        }
        if (!sameHost) {
            // The claim of an mdev can change with the host's reservation though the mdev itself did not.
            settled.forEach((uuid, now) -> {
                Mdev old = before.mdevs().get(uuid);
                if (old != null && pushedDiffers(old, after, now)) {
                    pushed.add(uuid);
                }
            });
        }
        return new Plan(
                before,
                after,
                List.copyOf(effects),
                pushed,
                differing(before.drivers(), after.drivers()),
                !Objects.equals(before.managedReservation(), after.managedReservation()),
                before.bindingMode() != after.bindingMode());
    }

    private static Set<Queue> differing(Map<Queue, QueueDriver> one, Map<Queue, QueueDriver> other) {
        if (one.equals(other)) {
            return Set.of();
        }
        Set<Queue> differing = new HashSet<>(one.keySet());
        differing.addAll(other.keySet());
        differing.removeIf(queue -> one.get(queue) == other.get(queue));
        return differing;
    }

    private boolean pushedDiffers(Mdev old, HostMatrix after, Mdev now) {
        return !old.guestMatrix().equals(now.guestMatrix())
                || old.removing() != now.removing()
                || !Objects.equals(identity(old), identity(now))
                || !before.claim(old).equals(after.claim(now));
    }

    private static @Nullable String identity(Mdev mdev) {
        return mdev.guest() == null ? null : mdev.guest().identity();
    }

    private static void addEffects(
            UUID uuid, @Nullable Mdev old, @Nullable Mdev now, Cause plugging, Cause unplugging, List<Effect> effects) {
        Guest had = old == null ? null : old.guest();
        Guest has = now == null ? null : now.guest();
        if (sameAttach(had, has)) {
            Matrix from = Objects.requireNonNull(old).guestMatrix();
            Matrix to = Objects.requireNonNull(now).guestMatrix();
            String name = Objects.requireNonNull(has).name();
            if (plugging == unplugging) {
                add(Effect.of(uuid, name, from, to, plugging), effects);
            } else {
                add(Effect.of(uuid, name, from, from.or(to), plugging), effects);
                add(Effect.of(uuid, name, from, from.and(to), unplugging), effects);
            }
            return;
        }
        if (had != null) {
            Matrix from = Objects.requireNonNull(old).guestMatrix();
            add(Effect.of(uuid, had.name(), from, Matrix.EMPTY, Cause.RELEASE), effects);
        }
        if (has != null) {
            Matrix to = Objects.requireNonNull(now).guestMatrix();
            Cause cause = plugging == Cause.ADOPT ? Cause.ADOPT : Cause.ATTACH;
            add(Effect.of(uuid, has.name(), Matrix.EMPTY, to, cause), effects);
        }
    }

    private static void add(Effect effect, List<Effect> effects) {
        if (!effect.plugged().isEmpty() || !effect.unplugged().isEmpty()) {
            effects.add(effect);
        }
    }

    private Outcome unlessGuestsLose(Plan plan, boolean force) {
        if (!plan.effects().isEmpty() && !before.inventory().hotPlug()) {
            Effect first = plan.effects().getFirst();
            return new Refusal.CannotHotPlug(first.mdev(), first.guest());
        }
        List<Effect> losses = plan.effects().stream()
                .filter(effect -> !effect.queuesLost().isEmpty())
                .toList();
        if (force || losses.isEmpty()) {
            return plan;
        }
        return new Refusal.GuestAttached(
                losses.getFirst().mdev(), losses.getFirst().guest(), losses, true);
    }

    private Mdev mdev(UUID uuid) {
        Mdev mdev = before.mdevs().get(uuid);
        if (mdev == null) {
            throw new IllegalArgumentException("not an mdev of this host: " + uuid);
        }
        return mdev;
    }
}
