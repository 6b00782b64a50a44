package io.apportion.server.matrix;

import io.apportion.ap.ApMask;
import io.apportion.ap.CommitState;
import io.apportion.ap.HostMatrix;
import io.apportion.ap.Inventory;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Notation;
import io.apportion.ap.Policy;
import io.apportion.ap.Queue;
import io.apportion.server.store.CommitObjectRow;
import io.apportion.server.store.CommitRow;
import io.apportion.server.store.HostRow;
import io.apportion.server.store.MdevRow;
import io.apportion.server.store.QueueDriverRow;
import io.apportion.wire.ObservedHost.Applied;
import io.apportion.wire.ObservedHost.ObjectResult;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

/**
 * Finds drift, orders its repair, and gives up.
 *
 * <p>Drift is: the newest report says that generation g was applied without error, g is the newest, and what it read
 * differs. Pending and failed are not drift. A repair is a new generation that counts what drifted up: what an agent has
 * made so once, it makes so again for that alone.
 */
@Component
class Drift {

    /** Then the kernel keeps it so, and no more is written until something changes. */
    private static final int TRIES = 3;

    private final MatrixSettings settings;

    Drift(MatrixSettings settings) {
        this.settings = settings;
    }

    /**
     * Judges what a report shows. Caller holds the matrix lock; the rows already show what was observed.
     *
     * @param read the mdevs as read for this report; null: unknown, like each of their parts, and judged by a later report
     */
    void judge(LockedHost host, Applied applied, @Nullable List<ObservedMdev> read) {
        if (applied.generation() != host.row().generation) {
            return;
        }
        Map<String, ObjectResult> results = new HashMap<>();
        applied.results().forEach(result -> results.put(result.kind() + ' ' + result.id(), result));
        HostMatrix matrix = host.state().matrix();
        if (read != null) {
            Map<UUID, ObservedMdev> there = new HashMap<>();
            read.forEach(mdev -> there.put(mdev.uuid(), mdev));
            for (Mdev mdev : matrix.mdevs().values()) {
                ObjectResult result = results.get(CommitObjectRow.MDEV + ' ' + mdev.uuid());
                MdevRow row = host.mdev(mdev.uuid());
                if (result == null) {
                    continue;
                }
                if (result.errno() != null || mdev.removing()) {
                    // It failed, or it is on its way out: no drift.
                    row.drifted = false;
                    row.repairTries = 0;
                    row.repairDue = null;
                } else {
                    judge(host, matrix, mdev, row, there.get(mdev.uuid()));
                }
            }
        }
        judgeHost(host, matrix, results);
        orderDue(host);
    }

    private static void judge(LockedHost host, HostMatrix matrix, Mdev mdev, MdevRow row, @Nullable ObservedMdev read) {
        String differs = difference(matrix, mdev, read);
        if (differs == null) {
            if (row.drifted) {
                row.drifted = false;
                row.repairTries = 0;
                row.repairDue = null;
                row.kernelFiltered = ApMask.NONE;
                row.filtered = !mdev.assigned().isIn(mdev.guestMatrix());
                host.event("drift.ended", mdev.uuid(), null, null, null, null, null);
            }
            return;
        }
        if (!row.drifted) {
            row.drifted = true;
            row.repairTries = 0;
            row.repairDue = repairs(host.row().policy) ? host.now() : null;
            host.event(
                    "drift.found",
                    mdev.uuid(),
                    mdev.guest() == null ? null : mdev.guest().name(),
                    null,
                    Map.of("differs", differs),
                    EventText.matrix(mdev.guestMatrix()),
                    row.seen ? EventText.matrix(seenGuest(row)) : null);
        } else if (row.repairTries >= TRIES && row.repairDue != null) {
            giveUp(host, mdev, row);
        } else if (row.repairTries == 0 && row.repairDue == null && repairs(host.row().policy)) {
            // Something changed since, and it still differs: judged anew.
            row.repairDue = host.now();
        }
    }

    /** @return in words what the host shows otherwise, or null */
    private static @Nullable String difference(HostMatrix matrix, Mdev mdev, @Nullable ObservedMdev read) {
        if (read == null) {
            return "The mdev is not on the host.";
        }
        Matrix assigned = read.assigned();
        if (assigned != null && !assigned.equals(matrix.claim(mdev)) && !assigned.equals(mdev.guestMatrix())) {
            return "Its matrix on the host is another.";
        }
        Matrix guest = read.guestMatrix();
        if (guest != null) {
            boolean neitherHasQueues =
                    guest.queueCount() == 0 && mdev.guestMatrix().queueCount() == 0;
            if (!neitherHasQueues
                    && !(guest.adapters().equals(mdev.guestMatrix().adapters())
                            && guest.domains().equals(mdev.guestMatrix().domains()))) {
                return "Its guest matrix on the host is another.";
            }
        }
        return null;
    }

    private static Matrix seenGuest(MdevRow row) {
        return new Matrix(orNone(row.seenGuestApm), orNone(row.seenGuestAqm), ApMask.NONE);
    }

    private static ApMask orNone(@Nullable ApMask mask) {
        return mask == null ? ApMask.NONE : mask;
    }

    private static void giveUp(LockedHost host, Mdev mdev, MdevRow row) {
        row.repairDue = null;
        ApMask keptOut = row.seen ? mdev.guestMatrix().adapters().minus(orNone(row.seenGuestApm)) : ApMask.NONE;
        row.kernelFiltered = keptOut;
        row.filtered = row.filtered || !keptOut.isEmpty();
        host.event(
                "drift.given-up",
                mdev.uuid(),
                mdev.guest() == null ? null : mdev.guest().name(),
                null,
                Map.of("tries", (int) row.repairTries, "keptOut", Notation.adapters(keptOut)),
                EventText.matrix(mdev.guestMatrix()),
                row.seen ? EventText.matrix(seenGuest(row)) : null);
    }

    private static void judgeHost(LockedHost host, HostMatrix matrix, Map<String, ObjectResult> results) {
        HostRow row = host.row();
        boolean reservation = reservationDiffers(matrix) && done(results, CommitObjectRow.RESERVATION, "");
        SortedSet<Queue> drivers = differingDrivers(matrix);
        drivers.removeIf(queue -> !done(results, CommitObjectRow.DRIVER, queue.toString()));
        row.reservationDrifted = reservation;
        host.drivers().forEach((queue, driver) -> driver.drifted = drivers.contains(queue));
        boolean drifted = reservation || !drivers.isEmpty();
        boolean repairable =
                (reservation && row.policy == Policy.REPAIR_ALL) || (!drivers.isEmpty() && repairs(row.policy));
        if (drifted && !row.drifted) {
            row.drifted = true;
            row.repairTries = 0;
            row.repairDue = repairable ? host.now() : null;
            Map<String, Object> detail = new LinkedHashMap<>();
            detail.put("reservation", reservation);
            detail.put("drivers", drivers.stream().map(Queue::toString).toList());
            host.event(
                    "drift.found",
                    null,
                    null,
                    null,
                    detail,
                    EventText.reservation(matrix.managedReservation()),
                    EventText.reservation(matrix.inventory().masks()));
        } else if (!drifted && row.drifted) {
            row.drifted = false;
            row.repairTries = 0;
            row.repairDue = null;
            host.event("drift.ended", null, null, null, null, null, null);
        } else if (!repairable) {
            // What is left is only shown; whatever drifts beside it later has tries of its own.
            row.repairTries = 0;
            row.repairDue = null;
        } else if (row.repairTries == 0 && row.repairDue == null) {
            row.repairDue = host.now();
        } else if (row.repairTries >= TRIES && row.repairDue != null) {
            row.repairDue = null;
            host.event("drift.given-up", null, null, null, Map.of("tries", (int) row.repairTries), null, null);
        }
    }

    private static boolean reservationDiffers(HostMatrix matrix) {
        return matrix.managedReservation() != null
                && matrix.inventory().reported()
                && !matrix.managedReservation().equals(matrix.inventory().masks());
    }

    /** Managed queues that exist and have another driver than the managed one. */
    private static SortedSet<Queue> differingDrivers(HostMatrix matrix) {
        Inventory inventory = matrix.inventory();
        return matrix.drivers().entrySet().stream()
                .filter(entry -> inventory.devices().has(entry.getKey()))
                .filter(entry -> switch (entry.getValue()) {
                    case VFIO_AP -> !inventory.bound().has(entry.getKey());
                    case DEFAULT -> !inventory.defaultDriver().has(entry.getKey());
                    case NONE ->
                        inventory.bound().has(entry.getKey())
                                || inventory.defaultDriver().has(entry.getKey());
                })
                .map(Map.Entry::getKey)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static boolean done(Map<String, ObjectResult> results, String kind, String object) {
        ObjectResult result = results.get(kind + ' ' + object);
        return result != null && result.errno() == null;
    }

    /**
     * Orders every repair of this host that is due, all in one generation. Caller holds the matrix lock.
     *
     * <p>Only while the newest generation is applied: a repair that has not yet been tried is not ordered again.
     */
    void orderDue(LockedHost host) {
        HostRow row = host.row();
        if (row.appliedGeneration == null || row.appliedGeneration != row.generation) {
            return;
        }
        if (!repairs(row.policy)) {
            return;
        }
        List<MdevRow> mdevs = new ArrayList<>();
        for (MdevRow mdev : host.mdevs().values()) {
            if (mdev.drifted
                    && mdev.commitState == CommitState.APPLIED
                    && mdev.repairDue != null
                    && !mdev.repairDue.isAfter(host.now())
                    && mdev.repairTries < TRIES) {
                mdevs.add(mdev);
            }
        }
        boolean hostDue =
                row.drifted && row.repairDue != null && !row.repairDue.isAfter(host.now()) && row.repairTries < TRIES;
        boolean masks = hostDue && row.policy == Policy.REPAIR_ALL && row.reservationDrifted;
        Map<Queue, QueueDriverRow> drivers = new TreeMap<>();
        host.drivers().forEach((queue, driver) -> {
            if (hostDue && driver.drifted) {
                drivers.put(queue, driver);
            }
        });
        if (hostDue && !masks && drivers.isEmpty()) {
            // Masks changed by hand are only shown, under this policy.
            row.repairDue = null;
        }
        if (mdevs.isEmpty() && !masks && drivers.isEmpty()) {
            return;
        }
        CommitRow commit = host.nextGeneration("repair");
        for (MdevRow mdev : mdevs) {
            mdev.repair++;
            mdev.repairTries++;
            mdev.repairDue = host.now().plus(backoff(mdev.repairTries));
            mdev.commitId = commit.id;
            mdev.commitGeneration = commit.generation;
            mdev.commitState = CommitState.PENDING;
            host.touch(commit, CommitObjectRow.MDEV, mdev.uuid.toString());
            host.event(
                    "drift.repair.ordered", mdev.uuid, null, null, Map.of("try", (int) mdev.repairTries), null, null);
        }
        if (masks || !drivers.isEmpty()) {
            row.repairTries++;
            row.repairDue = host.now().plus(backoff(row.repairTries));
            if (masks) {
                row.reservationRepair++;
                host.touch(commit, CommitObjectRow.RESERVATION, "");
            }
            drivers.forEach((queue, driver) -> {
                driver.repair++;
                host.touch(commit, CommitObjectRow.DRIVER, queue.toString());
            });
            host.event("drift.repair.ordered", null, null, null, Map.of("try", (int) row.repairTries), null, null);
        }
        host.forget();
    }

    /**
     * Makes due what drifted while the policy let it be; the next round orders it. Caller holds the matrix lock, and has set
     * the new policy. A host that stays as it is sends no report that would be judged by it.
     */
    static void policyChanged(LockedHost host) {
        HostRow row = host.row();
        if (!repairs(row.policy)) {
            return;
        }
        if (row.drifted && row.repairDue == null && row.repairTries < TRIES) {
            row.repairDue = host.now();
        }
        for (MdevRow mdev : host.mdevs().values()) {
            if (mdev.drifted && mdev.repairDue == null && mdev.repairTries < TRIES) {
                mdev.repairDue = host.now();
            }
        }
    }

    static boolean repairs(Policy policy) {
        return policy == Policy.REPAIR || policy == Policy.REPAIR_ALL;
    }

    private Duration backoff(int tries) {
        return settings.repairBackoff().multipliedBy(1L << (tries - 1));
    }
}
