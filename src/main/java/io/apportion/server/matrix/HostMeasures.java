package io.apportion.server.matrix;

import io.apportion.ap.Policy;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.springframework.context.event.EventListener;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Component;

/**
 * What the metrics tell of hosts, from the database alone: so it is the same on all replicas, and survives restarts.
 *
 * <p>Read at most every two seconds, and anew after each change that this replica made or heard of.
 */
@Component
class HostMeasures {

    private static final long FRESH = Duration.ofSeconds(2).toNanos();
    private static final Duration PATIENCE = Duration.ofSeconds(3);

    /** Queues of attached guests alone; what a preview has is nobody's. */
    private static final String MEASURES = """
        select h.name, h.policy, h.drifted and h.applied_generation = h.generation as host_drifted,
               a.last_seen, coalesce(a.away, true) as away,
               coalesce(m.mdevs, 0) as mdevs, coalesce(m.filtered, 0) as filtered, coalesce(m.drifted, 0) as drifted,
               coalesce(m.guest_queues, 0) as guest_queues,
               coalesce(m.guest_queues_impaired, 0) as guest_queues_impaired,
               coalesce(m.guest_queues_lost, 0) as guest_queues_lost,
               coalesce(q.devices, 0) as devices, coalesce(q.bound, 0) as bound,
               coalesce(q.default_driver, 0) as default_driver, coalesce(q.impaired, 0) as impaired,
               coalesce(c.pending, 0) as pending, coalesce(c.failed, 0) as failed
        from hosts h
        left join agents a on a.host_id = h.id
        left join (
            select host_id, count(*) as mdevs,
                   sum(case when filtered then 1 else 0 end) as filtered,
                   sum(case when drifted then 1 else 0 end) as drifted,
                   sum(guest_queues) as guest_queues, sum(guest_queues_impaired) as guest_queues_impaired,
                   sum(guest_queues_lost) as guest_queues_lost
            from mdevs group by host_id) m on m.host_id = h.id
        left join (
            select host_id, sum(bitcount(devices)) as devices, sum(bitcount(bound)) as bound,
                   sum(bitcount(default_driver)) as default_driver,
                   sum(bitcount(case when configured and not checkstopped then impaired else devices end)) as impaired
            from adapters group by host_id) q on q.host_id = h.id
        left join (
            select host_id,
                   count(distinct case when state = 'pending' then commit_id end) as pending,
                   count(distinct case when state = 'failed' then commit_id end) as failed
            from commit_objects where unsettled group by host_id) c on c.host_id = h.id
        order by h.name
        """;

    private static final String PLUGS = """
        select h.name, p.kind, p.cause, p.plugs, p.unplugs
        from plug_counts p join hosts h on h.id = p.host_id
        order by h.name, p.kind, p.cause
        """;

    /**
     * One host.
     *
     * @param paused by its policy: nothing is pushed
     * @param hostDrifted its managed reservation or a managed driver, as its newest report shows them
     * @param lastSeen null: its agent was never heard
     * @param away told to be away, or never heard
     * @param devices queue devices; each is bound to vfio_ap, to one of the host's own drivers, or to none
     * @param guestQueues of attached guests
     * @param guestQueuesLost that attached guests had and are assigned still, and that nobody took away
     * @param pending commits of which at least one object is pending
     * @param failed commits of which at least one object failed, and was neither applied nor changed since
     */
    record Measure(
            String host,
            boolean paused,
            boolean hostDrifted,
            @Nullable Instant lastSeen,
            boolean away,
            long mdevs,
            long filtered,
            long drifted,
            long guestQueues,
            long guestQueuesImpaired,
            long guestQueuesLost,
            long devices,
            long bound,
            long defaultDriver,
            long impaired,
            long pending,
            long failed) {}

    /** What the guests of a host gained and lost since it was made. */
    record Plugs(String host, String kind, String cause, long plugs, long unplugs) {}

    /** Of one moment. */
    record Reading(List<Measure> hosts, List<Plugs> plugs) {}

    private final MatrixQueries queries;
    private final JdbcTemplate jdbc;

    private volatile boolean stale = true;

    private final ReentrantLock turn = new ReentrantLock();

    // Guarded by turn.
    private Reading reading = new Reading(List.of(), List.of());
    private long readAt;

    HostMeasures(MatrixQueries queries, JdbcTemplate jdbc) {
        this.queries = queries;
        this.jdbc = jdbc;
    }

    @EventListener({MatrixChanged.class, ChangedElsewhere.class})
    void changed() {
        stale = true;
    }

    /**
     * Whoever comes while another one reads gets the same.
     *
     * @throws CannotBeRead if the database does not answer in time: Prometheus waits for nobody longer than 10 s
     */
    Reading read() throws CannotBeRead {
        FutureTask<Reading> task = new FutureTask<>(this::readInTurn);
        Thread.ofVirtual().name("metrics").start(task);
        try {
            return task.get(PATIENCE.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw new CannotBeRead(Objects.requireNonNullElse(e.getCause(), e));
        } catch (TimeoutException e) {
            throw new CannotBeRead(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CannotBeRead(e);
        }
    }

    private Reading readInTurn() throws InterruptedException, TimeoutException {
        // Who waited that long is not waited for any more: behind a database that hangs, no queue grows.
        if (!turn.tryLock(PATIENCE.toNanos(), TimeUnit.NANOSECONDS)) {
            throw new TimeoutException();
        }
        try {
            if (stale || System.nanoTime() - readAt > FRESH) {
                // Before reading: what changes from here on may not be in it.
                stale = false;
                try {
                    reading = queries.inSnapshot(() -> new Reading(measures(), plugs()));
                } catch (RuntimeException e) {
                    stale = true;
                    throw e;
                }
                readAt = System.nanoTime();
            }
            return reading;
        } finally {
            turn.unlock();
        }
    }

    /** The database is away, or slow. */
    static final class CannotBeRead extends Exception {
        private static final long serialVersionUID = 1L;

        CannotBeRead(Throwable cause) {
            super(cause);
        }
    }

    private List<Measure> measures() {
        return jdbc.query(MEASURES, (row, index) -> {
            Timestamp lastSeen = row.getTimestamp("last_seen");
            return new Measure(
                    Objects.requireNonNull(row.getString("name")),
                    Policy.PAUSED.toString().equals(row.getString("policy")),
                    row.getBoolean("host_drifted"),
                    lastSeen == null ? null : lastSeen.toInstant(),
                    row.getBoolean("away"),
                    row.getLong("mdevs"),
                    row.getLong("filtered"),
                    row.getLong("drifted"),
                    row.getLong("guest_queues"),
                    row.getLong("guest_queues_impaired"),
                    row.getLong("guest_queues_lost"),
                    row.getLong("devices"),
                    row.getLong("bound"),
                    row.getLong("default_driver"),
                    row.getLong("impaired"),
                    row.getLong("pending"),
                    row.getLong("failed"));
        });
    }

    private List<Plugs> plugs() {
        return jdbc.query(
                PLUGS,
                (row, index) -> new Plugs(
                        row.getString("name"),
                        row.getString("kind"),
                        row.getString("cause"),
                        row.getLong("plugs"),
                        row.getLong("unplugs")));
    }
}
