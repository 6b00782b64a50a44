package io.apportion.ap;

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
 * One run of a filter. The goals: 256 × 256 in 2 µs, all bound or with one hole; 2 × 4 in 40 ns.
 *
 * <p>{@code remembers} is what the guest already has: nothing (a preview), every assigned domain (a running guest at
 * rest), or one domain less than is assigned (so that every adapter's row is read twice).
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 2, jvmArgsAppend = "-XX:+UseSerialGC") // no collector's threads that compete for the cores
public class GuestFilterBenchmark {

    public enum Size {
        _2x4(2, 4, false),
        _16x16(16, 16, false),
        _256x256(256, 256, false),
        _256x256_hole(256, 256, true);

        final int adapters;
        final int domains;
        final boolean hole;

        Size(int adapters, int domains, boolean hole) {
            this.adapters = adapters;
            this.domains = domains;
            this.hole = hole;
        }
    }

    public enum Remembers {
        NOTHING,
        ALL,
        ALL_BUT_ONE
    }

    @Param
    Size size = Size._2x4;

    @Param
    Remembers remembers = Remembers.NOTHING;

    private Matrix assigned = Matrix.EMPTY;
    private Matrix hostConfiguration = Matrix.EMPTY;
    private QueueSet bound = QueueSet.NONE;
    private ApMask remembered = ApMask.NONE;

    @Setup
    public void setUp() {
        var adapters = ApMask.upTo(size.adapters - 1);
        var domains = ApMask.upTo(size.domains - 1);
        assigned = new Matrix(adapters, domains, domains);
        hostConfiguration = new Matrix(ApMask.ALL, ApMask.ALL, ApMask.ALL);
        // A row of its own for each adapter, as a report makes them; not one mask shared by all.
        bound = QueueSet.of(assigned.queues().queues().toList());
        if (size.hole) {
            bound = bound.without(new Queue(size.adapters / 2, size.domains / 2));
        }
        remembered = switch (remembers) {
            case NOTHING -> ApMask.NONE;
            case ALL -> domains;
            case ALL_BUT_ONE -> domains.without(size.domains / 2);
        };
    }

    @Benchmark
    public Matrix incremental() {
        return GuestFilter.INCREMENTAL.apply(remembered, assigned, hostConfiguration, bound);
    }

    @Benchmark
    public Matrix recompute() {
        return GuestFilter.RECOMPUTE.apply(remembered, assigned, hostConfiguration, bound);
    }
}
