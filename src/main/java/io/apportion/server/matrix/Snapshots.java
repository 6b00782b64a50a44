package io.apportion.server.matrix;

import io.apportion.ap.ApMask;
import io.apportion.ap.Guest;
import io.apportion.ap.HostMatrix;
import io.apportion.ap.Inventory;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Plan;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.QueueSet;
import io.apportion.ap.Reservation;
import io.apportion.server.store.AdapterRow;
import io.apportion.server.store.AgentRow;
import io.apportion.server.store.ForeignMdevRow;
import io.apportion.server.store.HostRow;
import io.apportion.server.store.MdevRow;
import io.apportion.server.store.QueueDriverRow;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Rows → {@link HostState}. Knows no database: whoever calls has read the rows. */
final class Snapshots {

    /** An agent not heard of for so long is away. */
    static final Duration AWAY_AFTER = Duration.ofSeconds(30);

    private Snapshots() {}

    /** The rows of one host. */
    record Rows(
            HostRow host,
            @Nullable AgentRow agent,
            Collection<AdapterRow> adapters,
            Collection<QueueDriverRow> drivers,
            Collection<ForeignMdevRow> foreign,
            Collection<MdevRow> mdevs) {}

    static HostState state(Rows rows, Instant now) {
        HostRow host = rows.host();
        HostMatrix matrix = matrix(rows);
        SortedMap<Integer, HostState.AdapterState> adapters = new TreeMap<>();
        for (AdapterRow row : rows.adapters()) {
            adapters.put(
                    (int) row.adapter,
                    new HostState.AdapterState(
                            row.adapter, row.type, row.mode, row.serial, row.online, row.configured, row.checkstopped));
        }
        SortedMap<UUID, MdevState> mdevs = new TreeMap<>();
        for (MdevRow row : rows.mdevs()) {
            Mdev mdev = matrix.mdevs().get(row.uuid);
            if (mdev != null) {
                mdevs.put(row.uuid, mdev(row, mdev, host));
            }
        }
        boolean settled = host.appliedGeneration != null && host.appliedGeneration == host.generation;
        return new HostState(
                host.name,
                host.description,
                host.labels,
                host.policy,
                host.version,
                host.createdAt,
                host.incarnation,
                host.generation,
                agent(host, rows.agent(), now),
                matrix,
                adapters,
                mdevs,
                new Definitions(host.definitions),
                host.reservationRepair,
                rows.drivers().stream()
                        .filter(driver -> driver.repair != 0)
                        .collect(Collectors.toMap(
                                driver -> new Queue(driver.adapter, driver.domain), driver -> driver.repair)),
                settled && host.reservationDrifted,
                settled ? driftedDrivers(rows.drivers()) : List.of());
    }

    private static List<Queue> driftedDrivers(Collection<QueueDriverRow> drivers) {
        return drivers.stream()
                .filter(row -> row.drifted)
                .map(row -> new Queue(row.adapter, row.domain))
                .sorted()
                .toList();
    }

    private static HostState.AgentState agent(HostRow host, @Nullable AgentRow agent, Instant now) {
        Instant lastSeen = agent == null ? null : agent.lastSeen;
        return new HostState.AgentState(
                host.machineId,
                host.agentInstance,
                host.bootId,
                host.kernelRelease,
                host.apConfig,
                host.appliedGeneration,
                host.reportedAt,
                lastSeen,
                agent != null && !agent.away && !agent.lastSeen.isBefore(now.minus(AWAY_AFTER)));
    }

    private static MdevState mdev(MdevRow row, Mdev mdev, HostRow host) {
        MdevState.Observed observed = null;
        if (row.seen && host.reportedAt != null) {
            ApMask controlDomains = orNone(row.seenAdm);
            observed = new MdevState.Observed(
                    host.appliedGeneration,
                    host.reportedAt,
                    new Matrix(orNone(row.seenApm), orNone(row.seenAqm), controlDomains),
                    new Matrix(orNone(row.seenGuestApm), orNone(row.seenGuestAqm), controlDomains.and(host.adm)));
        }
        MdevState.CommitOfMdev commit = null;
        if (row.commitId != null && row.commitGeneration != null && row.commitState != null) {
            commit = new MdevState.CommitOfMdev(row.commitId, row.commitGeneration, row.commitState);
        }
        return new MdevState(
                host.name,
                row.labels,
                row.version,
                row.born,
                mdev,
                row.guestSince,
                observed,
                row.repair,
                row.drifted,
                commit);
    }

    private static ApMask orNone(@Nullable ApMask mask) {
        return mask == null ? ApMask.NONE : mask;
    }

    private static HostMatrix matrix(Rows rows) {
        HostRow host = rows.host();
        Map<Queue, QueueDriver> drivers = new HashMap<>();
        for (QueueDriverRow row : rows.drivers()) {
            drivers.put(new Queue(row.adapter, row.domain), row.driver);
        }
        Map<UUID, Mdev> mdevs = new HashMap<>();
        for (MdevRow row : rows.mdevs()) {
            mdevs.put(row.uuid, mdev(row));
        }
        return new HostMatrix(
                host.filter,
                host.bindingMode,
                inventory(host, rows.adapters(), rows.foreign()),
                reservation(host.managedApmask, host.managedAqmask),
                drivers,
                mdevs);
    }

    private static @Nullable Reservation reservation(@Nullable ApMask apmask, @Nullable ApMask aqmask) {
        return apmask == null || aqmask == null ? null : new Reservation(apmask, aqmask);
    }

    private static Mdev mdev(MdevRow row) {
        return new Mdev(
                row.uuid,
                new Matrix(row.apm, row.aqm, row.adm),
                new Matrix(row.guestApm, row.guestAqm, row.guestAdm),
                row.guestName == null ? null : new Guest(row.guestIdentity, row.guestName),
                row.removing,
                new Matrix(row.heldApm, row.heldAqm, ApMask.NONE),
                row.kernelFiltered);
    }

    static Inventory inventory(HostRow host, Collection<AdapterRow> adapters, Collection<ForeignMdevRow> foreignRows) {
        if (!host.reported) {
            return Inventory.NEVER_REPORTED;
        }
        ApMask[] devices = noRows();
        ApMask[] bound = noRows();
        ApMask[] defaultDriver = noRows();
        ApMask[] overridden = noRows();
        ApMask[] impaired = noRows();
        for (AdapterRow row : adapters) {
            devices[row.adapter] = row.devices;
            bound[row.adapter] = row.bound;
            defaultDriver[row.adapter] = row.defaultDriver;
            overridden[row.adapter] = row.overridden;
            impaired[row.adapter] = row.configured && !row.checkstopped ? row.impaired : row.devices;
        }
        Map<UUID, Inventory.ForeignMdev> foreign = new HashMap<>();
        for (ForeignMdevRow row : foreignRows) {
            foreign.put(
                    row.uuid,
                    new Inventory.ForeignMdev(
                            new Matrix(row.apm, row.aqm, row.adm),
                            new Matrix(row.guestApm, row.guestAqm, row.adm.and(host.adm)),
                            row.guestName == null ? null : new Guest(row.guestIdentity, row.guestName)));
        }
        Reservation masks = reservation(host.apmask, host.aqmask);
        return new Inventory(
                true,
                host.hotPlug,
                host.seesGuests,
                host.maxAdapter,
                host.maxDomain,
                new Matrix(host.apm, host.aqm, host.adm),
                masks == null ? new Reservation(ApMask.NONE, ApMask.NONE) : masks,
                new Inventory.Keep(host.keepAdapters, host.keepDomains),
                QueueSet.ofRows(devices),
                QueueSet.ofRows(bound),
                QueueSet.ofRows(defaultDriver),
                QueueSet.ofRows(overridden),
                QueueSet.ofRows(impaired),
                Map.copyOf(foreign));
    }

    private static ApMask[] noRows() {
        ApMask[] rows = new ApMask[ApMask.BITS];
        Arrays.fill(rows, ApMask.NONE);
        return rows;
    }

    /** What that state would be after that plan, which was made of it: how a dry run shows one. */
    static HostState planned(HostState state, Plan plan) {
        SortedMap<UUID, MdevState> mdevs = new TreeMap<>();
        plan.after().mdevs().forEach((uuid, mdev) -> {
            MdevState now = state.mdevs().get(uuid);
            mdevs.put(
                    uuid,
                    now == null
                            ? new MdevState(state.name(), Map.of(), 1, 0, mdev, null, null, 0, false, null)
                            : new MdevState(
                                    now.host(),
                                    now.labels(),
                                    mdev.assigned().equals(now.mdev().assigned()) ? now.version() : now.version() + 1,
                                    now.born(),
                                    mdev,
                                    now.guestSince(),
                                    now.observed(),
                                    now.repair(),
                                    now.drifted(),
                                    // It would be another one, which has no id.
                                    plan.mdevs().contains(uuid) ? null : now.commit()));
        });
        return new HostState(
                state.name(),
                state.description(),
                state.labels(),
                state.policy(),
                plan.changesReservationOrDrivers() ? state.version() + 1 : state.version(),
                state.createdAt(),
                state.incarnation(),
                plan.changesDesired() ? state.generation() + 1 : state.generation(),
                state.agent(),
                plan.after(),
                state.adapters(),
                mdevs,
                state.definitions(),
                state.reservationRepair(),
                state.driverRepairs(),
                state.reservationDrifted() && !plan.changesDesired(),
                plan.changesDesired() ? List.of() : state.driftedDrivers());
    }
}
