package io.apportion.ap;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The plan of one change on a host whose queues are all in mdevs with running guests.
 *
 * <p>{@code assign} gives one domain to one mdev. {@code report} is the next report of the host's agent, in which one queue
 * that a guest has is not bound any more: every mdev is filtered anew.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 2, jvmArgsAppend = "-XX:+UseSerialGC") // no collector's threads that compete for the cores
public class PlanBenchmark {

    /** The mdevs share the host's adapters × domains like the squares of a board: so many rows, so many columns. */
    public enum Host {
        _2x4(2, 4, 1, 1),
        _16x16(16, 16, 1, 1),
        _16x16_64_mdevs(16, 16, 16, 4),
        _256x256(256, 256, 1, 1),
        _256x256_64_mdevs(256, 256, 64, 1),
        _256x256_hole(256, 256, 1, 1),
        _256x256_hole_64_mdevs(256, 256, 64, 1),
        /** Each queue was given to vfio_ap by itself. */
        _256x256_override_64_mdevs(256, 256, 64, 1);

        final int adapters;
        final int domains;
        final int rows;
        final int columns;

        Host(int adapters, int domains, int rows, int columns) {
            this.adapters = adapters;
            this.domains = domains;
            this.rows = rows;
            this.columns = columns;
        }
    }

    @Param
    Host host = Host._2x4;

    @Param
    GuestFilter filter = GuestFilter.INCREMENTAL;

    private HostMatrix matrix =
            new HostMatrix(filter, BindingMode.MASKS, Inventory.NEVER_REPORTED, null, Map.of(), Map.of());
    private Change assign = new Change.SetBindingMode(BindingMode.MASKS);
    private Change report = assign;

    @Setup
    public void setUp() {
        boolean hole = host.name().contains("hole");
        boolean override = host.name().contains("override");
        QueueSet all = QueueSet.rectangle(ApMask.upTo(host.adapters - 1), ApMask.upTo(host.domains - 1));
        QueueSet bound = hole ? all.without(new Queue(host.adapters - 1, host.domains / 2)) : all;

        Map<Queue, QueueDriver> drivers = new HashMap<>();
        if (override) {
            all.queues().forEach(queue -> drivers.put(queue, QueueDriver.VFIO_AP));
        }
        Map<UUID, Mdev> mdevs = new TreeMap<>();
        Map<UUID, Change.Observe.Seen> seen = new HashMap<>();
        for (int row = 0; row < host.rows; row++) {
            for (int column = 0; column < host.columns; column++) {
                UUID uuid = new UUID(row, column);
                ApMask adapters = slice(row, host.rows, host.adapters);
                ApMask domains = slice(column, host.columns, host.domains);
                if (row == 0 && column == 0) {
                    domains = domains.without(0); // what is to be assigned
                }
                Guest guest = new Guest("boot/1/" + uuid, "vm-" + uuid);
                Matrix assigned = new Matrix(adapters, domains, domains);
                Matrix has = filter.apply(ApMask.NONE, assigned, everything(), bound);
                mdevs.put(uuid, Mdev.unattached(uuid, assigned, has).withGuest(guest));
                seen.put(uuid, new Change.Observe.Seen(assigned, has, true, guest));
            }
        }
        matrix = new HostMatrix(
                filter,
                override ? BindingMode.OVERRIDE : BindingMode.MASKS,
                inventory(all, bound, override),
                null,
                drivers,
                mdevs);
        assign = new Change.Assign(new UUID(0, 0), new Matrix(ApMask.NONE, ApMask.of(0), ApMask.NONE));
        report = new Change.Observe(inventory(all, bound.without(new Queue(0, 1)), override), false, seen);
        mustTouchAGuest(assign());
        mustTouchAGuest(report());
    }

    private static ApMask slice(int index, int of, int length) {
        int size = length / of;
        return ApMask.upTo(size * (index + 1) - 1).minus(ApMask.upTo(size * index - 1));
    }

    private static Matrix everything() {
        return new Matrix(ApMask.ALL, ApMask.ALL, ApMask.ALL);
    }

    private static Inventory inventory(QueueSet devices, QueueSet bound, boolean override) {
        Inventory never = Inventory.NEVER_REPORTED;
        return new Inventory(
                true,
                true,
                true,
                255,
                255,
                everything(),
                override ? Reservation.EVERYTHING : never.masks(),
                never.keep(),
                asRead(devices),
                asRead(bound),
                asRead(QueueSet.NONE),
                override ? asRead(devices) : asRead(QueueSet.NONE),
                asRead(QueueSet.NONE),
                Map.of());
    }

    /** Equal, with masks of its own, as a report and the database make them. */
    private static QueueSet asRead(QueueSet queues) {
        ApMask[] rows = new ApMask[ApMask.BITS];
        for (int a = 0; a < rows.length; a++) {
            rows[a] = ApMask.ofBytes(queues.domains(a).toBytes());
        }
        return QueueSet.ofRows(rows);
    }

    private void mustTouchAGuest(Outcome outcome) {
        if (!(outcome instanceof Plan plan) || plan.effects().isEmpty()) {
            throw new IllegalStateException(host + " measures nothing: " + outcome);
        }
    }

    @Benchmark
    public Outcome assign() {
        return matrix.plan(assign);
    }

    @Benchmark
    public Outcome report() {
        return matrix.plan(report);
    }
}
