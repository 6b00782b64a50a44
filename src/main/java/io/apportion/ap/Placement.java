package io.apportion.ap;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A free rectangle of a host: what a new mdev could be assigned now. Its guest gets all of it as soon as the queues to
 * bind are bound. Nothing is held by it.
 *
 * @param toBind queues of it that are not bound to vfio_ap yet
 */
public record Placement(ApMask adapters, ApMask domains, QueueSet toBind) {

    /** How far {@link #find} looks on one host. What machines of today have is searched to the end in fewer steps. */
    static final int STEPS = 20_000;

    /**
     * What was found.
     *
     * @param placement null: none
     * @param complete false: the search was cut short, so that there may be one, or one with fewer queues to bind
     */
    public record Found(@Nullable Placement placement, boolean complete) {}

    /**
     * Queues that can be given to a new mdev: in the host configuration, with a device that is not impaired, reserved by
     * nobody, not given away, in no mdev, and bound to vfio_ap or free for it to be bound.
     */
    public static QueueSet free(HostMatrix host) {
        Inventory inventory = host.inventory();
        Matrix configuration = inventory.hostConfiguration();
        ApMask[] rows = new ApMask[ApMask.BITS];
        Arrays.fill(rows, ApMask.NONE);
        configuration
                .adapters()
                .forEach(a -> rows[a] = inventory
                        .devices()
                        .domains(a)
                        .and(configuration.domains())
                        .minus(inventory.impaired().domains(a))
                        .minus(host.givenAway().domains(a))
                        .minus(host.heldByForeign().domains(a))
                        .minus(host.reservedDomains(a)));
        for (Mdev mdev : host.mdevs().values()) {
            take(mdev.assigned(), rows);
            take(mdev.held(), rows);
        }
        return QueueSet.ofRows(rows);
    }

    private static void take(Matrix matrix, ApMask[] rows) {
        matrix.adapters().forEach(a -> rows[a] = rows[a].minus(matrix.domains()));
    }

    /**
     * The rectangle of so many adapters and domains with the fewest queues to bind; of several, always the same one.
     *
     * <p>Choosing adapters and domains so that every pair is free is hard in general (a biclique). The shorter side is
     * searched by branch and bound, equal lines once; after {@link #STEPS} steps the best so far is the answer. Two lines
     * of a side of 200 are always searched to the end, however many holes there are; long sides only if most lines are
     * alike, as they are on machines.
     *
     * @param free queues that may be used, as by {@link #free}
     * @param bound those that need no binding; others than those in {@code free} do not matter
     * @param adapters 1..256
     * @param domains 1..256
     */
    public static Found find(QueueSet free, QueueSet bound, int adapters, int domains) {
        boolean turned = domains < adapters;
        QueueSet ready = bound.and(free);
        Search search = turned
                ? new Search(free.turned(), ready.turned(), domains, adapters)
                : new Search(free, ready, adapters, domains);
        Rectangle best = search.run();
        boolean complete = search.steps < STEPS;
        if (best == null) {
            return new Found(null, complete);
        }
        ApMask foundAdapters = turned ? best.across : best.lines;
        ApMask foundDomains = turned ? best.lines : best.across;
        QueueSet toBind = QueueSet.rectangle(foundAdapters, foundDomains).minus(ready);
        return new Found(new Placement(foundAdapters, foundDomains, toBind), complete || best.toBind == 0);
    }

    private record Rectangle(ApMask lines, ApMask across, int toBind) {}

    /** A line is an adapter, or, turned, a domain: one of the shorter side. */
    private static final class Search {

        private record Line(int number, int kind, ApMask free, ApMask bound, int leastToBind) {}

        private final int wanted;
        private final int across;
        private final List<Line> lines = new ArrayList<>();
        private @Nullable Rectangle best;
        private int steps;

        Search(QueueSet free, QueueSet bound, int wanted, int across) {
            this.wanted = wanted;
            this.across = across;
            Map<List<ApMask>, Integer> kinds = new HashMap<>();
            for (int number = 0; number < ApMask.BITS; number++) {
                ApMask freeOnes = free.domains(number);
                ApMask boundOnes = bound.domains(number);
                if (freeOnes.count() >= across) {
                    int kind = kinds.computeIfAbsent(List.of(freeOnes, boundOnes), line -> kinds.size());
                    lines.add(new Line(number, kind, freeOnes, boundOnes, Math.max(0, across - boundOnes.count())));
                }
            }
            // The most promising first, so that the first rectangle found is often the best; equal ones side by side.
            lines.sort(Comparator.comparingInt(Line::leastToBind).thenComparingInt(Line::kind));
        }

        @Nullable
        Rectangle run() {
            extend(0, new ArrayList<>(), ApMask.ALL, new int[ApMask.BITS]);
            return best;
        }

        /** @param unbound for each number across: on how many of the chosen lines its queue is yet to be bound */
        private void extend(int from, List<Integer> chosen, ApMask common, int[] unbound) {
            if (chosen.size() == wanted) {
                int toBind = fewestToBind(common, unbound);
                if (best == null || toBind < best.toBind) {
                    best = new Rectangle(ApMask.of(chosen), leastUnbound(common, unbound), toBind);
                }
                return;
            }
            int tried = -1;
            for (int i = from; i <= lines.size() - (wanted - chosen.size()); i++) {
                if (steps >= STEPS || (best != null && best.toBind == 0)) {
                    return;
                }
                Line line = lines.get(i);
                if (line.kind == tried) {
                    continue; // whatever it could be part of was tried with its like
                }
                tried = line.kind;
                steps++;
                ApMask narrowed = common.and(line.free);
                if (narrowed.count() < across) {
                    continue;
                }
                int[] more = unbound.clone();
                narrowed.minus(line.bound).forEach(number -> more[number]++);
                if (best != null && fewestToBind(narrowed, more) >= best.toBind) {
                    continue;
                }
                chosen.add(line.number);
                extend(i + 1, chosen, narrowed, more);
                chosen.removeLast();
            }
        }

        private int fewestToBind(ApMask common, int[] unbound) {
            return common.numbers()
                    .map(number -> unbound[number])
                    .sorted()
                    .limit(across)
                    .sum();
        }

        private ApMask leastUnbound(ApMask common, int[] unbound) {
            return ApMask.of(common.numbers()
                    .boxed()
                    .sorted(Comparator.comparingInt(number -> unbound[number]))
                    .limit(across)
                    .toList());
        }
    }
}
