package io.apportion.agent;

import io.apportion.agent.AgentMemory.Made;
import io.apportion.agent.AgentMemory.Remembered;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.DesiredHost.DesiredDriver;
import io.apportion.wire.DesiredHost.DesiredMdev;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Applied;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.ObservedHost.ObjectResult;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Makes one host what its desired state says. Knows no clock, no thread and no server; one thread at a time calls it. It
 * lives no longer than a boot of the host.
 *
 * <p>A host that merely differs from what was applied is left as it is, also by a new state in which something else
 * changed: the server sees the difference in the report, and orders the repair. Only what was refused or had to wait is
 * tried again; and an mdev that has its guest matrix alone, since the kernel refused its claim, gets the claim when nothing
 * is in its way any more.
 */
public final class Reconciler {

    private final HostKernel kernel;
    private final AgentMemory memory;
    private final Keep keep;
    private final String bootId;
    private Remembered remembered;

    private Set<ObjectKey> unfinished;

    /** @param keep what the host's administrator never lets Apportion free, bind or assign */
    public Reconciler(HostKernel kernel, AgentMemory memory, Keep keep) {
        this.kernel = kernel;
        this.memory = memory;
        this.keep = keep;
        this.bootId = kernel.bootId();
        Remembered last = memory.recall();
        boolean sameBoot = bootId.equals(last.bootId());
        remembered = new Remembered(
                bootId,
                last.desired(),
                sameBoot ? last.made() : null,
                last.own(),
                sameBoot ? last.created() : last.own().keySet());
        unfinished = unfinishedSince(remembered);
    }

    /** Everything as it is now, with what only the agent knows. */
    public ObservedHost observe() {
        ObservedHost read = kernel.read();
        List<ObservedMdev> mdevs = read.mdevs() == null
                ? null
                : read.mdevs().stream()
                        .map(mdev -> new ObservedMdev(
                                mdev.uuid(),
                                remembered.own().containsKey(mdev.uuid()),
                                mdev.assigned(),
                                mdev.guestMatrix(),
                                mdev.guest()))
                        .toList();
        return new ObservedHost(
                read.kernelRelease(),
                read.features(),
                read.maxAdapter(),
                read.maxDomain(),
                read.hostConfiguration(),
                read.masks(),
                keep,
                read.adapters(),
                mdevs,
                read.definitions(),
                remembered.applied());
    }

    /**
     * After a start: makes the host as remembered where that is not done yet, after a reboot above all. The server need
     * not be there.
     */
    public void resume() {
        DesiredHost desired = remembered.desired();
        if (desired != null && !isApplied(desired)) {
            applyChanged(desired);
        }
    }

    /**
     * Applies a desired state that is newer than the last one given, or of another incarnation; all others change
     * nothing. Before the first of an incarnation the caller has reported.
     *
     * @return the newest state applied; null before the first
     */
    public @Nullable Applied apply(DesiredHost desired) {
        DesiredHost last = remembered.desired();
        if (last != null
                && last.incarnation().equals(desired.incarnation())
                && (desired.generation() < last.generation()
                        || (desired.generation() == last.generation() && isApplied(last)))) {
            return remembered.applied();
        }
        // A pass that broke off may have changed what the last finished one left.
        boolean broken = last != null && !last.paused() && !isApplied(last);
        Map<UUID, Integer> own = new TreeMap<>(remembered.own());
        desired.mdevs().forEach(mdev -> own.putIfAbsent(mdev.uuid(), 0));
        // Before the first write, so that whatever a crash leaves behind is known to be ours.
        remember(new Remembered(bootId, desired, broken ? null : remembered.made(), own, Set.of()));
        applyChanged(desired);
        return remembered.applied();
    }

    /** Leaves alone what is the same as in the last state applied, and was made so. */
    private void applyChanged(DesiredHost desired) {
        Made made = remembered.made();
        Set<ObjectKey> same = made == null ? Set.of() : unchanged(made, desired);
        pass(
                desired,
                object -> !same.contains(object),
                made == null
                        ? List.of()
                        : made.results().stream()
                                .filter(result -> same.contains(ObjectKey.of(result)))
                                .toList());
    }

    /** Objects that are the same in both, and were made so as far as could be. None under another incarnation. */
    private static Set<ObjectKey> unchanged(Made made, DesiredHost desired) {
        DesiredHost before = made.desired();
        if (!before.incarnation().equals(desired.incarnation())) {
            return Set.of();
        }
        Set<ObjectKey> done = made.results().stream()
                .filter(result -> result.errno() == null)
                .map(ObjectKey::of)
                .collect(Collectors.toSet());
        Set<ObjectKey> same = new HashSet<>();
        if (before.bindingMode() == desired.bindingMode()
                && before.reservationRepair() == desired.reservationRepair()
                && Objects.equals(before.reservation(), desired.reservation())
                && (desired.reservation() == null || done.contains(ObjectKey.RESERVATION))) {
            same.add(ObjectKey.RESERVATION);
            // Else the kernel binds queues anew, those that shall have no driver too.
            Set<DesiredDriver> drivers = new HashSet<>(before.drivers());
            desired.drivers().stream()
                    .filter(drivers::contains)
                    .map(ObjectKey::driver)
                    .forEach(same::add);
        }
        Set<DesiredMdev> mdevs =
                before.mdevs().stream().map(Reconciler::forAnyGuest).collect(Collectors.toSet());
        desired.mdevs().stream()
                .filter(mdev -> !mdev.removing() && mdevs.contains(forAnyGuest(mdev)))
                .map(mdev -> ObjectKey.mdev(mdev.uuid()))
                .forEach(same::add);
        same.retainAll(done);
        return same;
    }

    /** A guest that comes or goes changes nothing of what was written. */
    private static DesiredMdev forAnyGuest(DesiredMdev mdev) {
        return new DesiredMdev(mdev.uuid(), mdev.claim(), mdev.guestMatrix(), null, mdev.removing(), mdev.repair());
    }

    /** Whether an object of the last state given was refused, left alone, or waits for a guest to let go. */
    public boolean isUnfinished() {
        DesiredHost desired = remembered.desired();
        return desired != null && !desired.paused() && !unfinished.isEmpty();
    }

    /** Whether an mdev of the last state given has its guest matrix, and not its claim. */
    boolean awaitsClaim() {
        Made made = remembered.made();
        if (made == null || made.desired().paused()) {
            return false;
        }
        Map<ObjectKey, ObjectResult> results =
                made.results().stream().collect(Collectors.toMap(ObjectKey::of, result -> result));
        return made.desired().mdevs().stream()
                .anyMatch(mdev -> Pass.isForWantOfClaim(mdev, results.get(ObjectKey.mdev(mdev.uuid()))));
    }

    /**
     * Tries again what is unfinished, and nothing else but the drivers of queues that unfinished masks may change. Writes
     * claims that may be taken now.
     */
    public void retry() {
        DesiredHost desired = remembered.desired();
        Applied applied = remembered.applied();
        if (desired != null && (isUnfinished() || awaitsClaim())) {
            // Changed masks have the kernel bind queues anew, those too that shall have no driver.
            boolean allDrivers = unfinished.contains(ObjectKey.RESERVATION);
            pass(
                    desired,
                    object -> unfinished.contains(object) || (allDrivers && object.isDriver()),
                    applied != null && isApplied(desired) ? applied.results() : List.of());
        }
    }

    /** Of the last state given; null before the first. */
    @Nullable
    UUID incarnation() {
        DesiredHost desired = remembered.desired();
        return desired == null ? null : desired.incarnation();
    }

    private void pass(DesiredHost desired, Predicate<ObjectKey> concerned, List<ObjectResult> earlier) {
        if (desired.paused()) {
            return;
        }
        Map<UUID, Integer> own = new TreeMap<>(remembered.own());
        Set<UUID> created = new HashSet<>(remembered.created());
        Pass pass = new Pass(kernel, keep, desired, concerned, earlier, own, created);
        created.addAll(pass.missing());
        remember(new Remembered(bootId, desired, remembered.made(), remembered.own(), created));
        pass.run();
        unfinished = pass.unfinished();
        remember(new Remembered(bootId, desired, new Made(desired, pass.results()), own, created));
    }

    private boolean isApplied(DesiredHost desired) {
        Made made = remembered.made();
        return made != null
                && made.desired().incarnation().equals(desired.incarnation())
                && made.desired().generation() == desired.generation();
    }

    private void remember(Remembered now) {
        if (!now.equals(remembered)) {
            memory.remember(now);
            remembered = now;
        }
    }

    /** What a pass would have left unfinished, as far as its results tell. */
    private static Set<ObjectKey> unfinishedSince(Remembered remembered) {
        DesiredHost desired = remembered.desired();
        Applied applied = remembered.applied();
        if (desired == null || applied == null) {
            return Set.of();
        }
        Set<ObjectKey> done = applied.results().stream()
                .filter(result -> result.errno() == null)
                .map(ObjectKey::of)
                .collect(Collectors.toSet());
        desired.mdevs().stream()
                .filter(DesiredMdev::removing)
                .forEach(mdev -> done.remove(ObjectKey.mdev(mdev.uuid())));
        Set<ObjectKey> unfinished = new HashSet<>();
        if (desired.reservation() != null) {
            unfinished.add(ObjectKey.RESERVATION);
        }
        desired.drivers().forEach(driver -> unfinished.add(ObjectKey.driver(driver)));
        remembered.own().keySet().forEach(uuid -> unfinished.add(ObjectKey.mdev(uuid)));
        unfinished.removeAll(done);
        return unfinished;
    }
}
