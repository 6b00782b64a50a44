package io.apportion.ap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * What must hold for {@link GuestFilter#INCREMENTAL} in whatever state a host is, and that both filters do what the rules
 * say ({@link FilterOverSets}).
 *
 * <p>Another seed than the usual one: {@code -Dapportion.seed=N}.
 */
class GuestFilterPropertiesTests {

    private static final long SEED = Long.getLong("apportion.seed", 20_201_105);

    private static final int EVENTS = 1_000_000;

    @Test
    void holdInEveryReachableStateOfTwoByTwoAfterEveryEvent() {
        new TwoByTwo().walkEverywhere();
    }

    @Test
    void holdOverAMillionEventsOnThreeByThree() {
        var random = new Random(SEED);
        var tally = new Tally();
        while (tally.events < EVENTS) {
            new Walk(random, some(3, random), some(3, random), tally).go(1_000);
        }
        tally.assertThatEverythingHappened();
    }

    @Test
    void holdOverAMillionEventsOn256By256() {
        var random = new Random(SEED);
        var tally = new Tally();
        while (tally.events < EVENTS) {
            // Mostly few numbers out of the 256, so that guests have queues; some walks use them all.
            int kind = random.nextInt(100);
            int most = kind < 3 ? 256 : kind < 20 ? 48 : 8;
            int adapters = kind == 0 ? 256 : 1 + random.nextInt(most);
            int domains = kind == 0 ? 256 : 1 + random.nextInt(most);
            new Walk(random, some(adapters, random), some(domains, random), tally).go(kind == 0 ? 100 : 500);
        }
        assertThat(tally.largest).isGreaterThan(50_000);
        tally.assertThatEverythingHappened();
    }

    /** That many different numbers of 0..255, ascending. */
    private static int[] some(int count, Random random) {
        return random.ints(0, 256).distinct().limit(count).sorted().toArray();
    }

    // ---- one step

    /**
     * Runs both filters and holds the results against the rules.
     *
     * @param before what the guest had; null when it has just attached, and for a preview
     * @return the incremental guest matrix
     */
    private static Matrix check(
            FilterOverSets sets,
            Matrix assigned,
            Matrix host,
            QueueSet bound,
            ApMask remembered,
            @Nullable Matrix before) {
        Matrix after = GuestFilter.INCREMENTAL.apply(remembered, assigned, host, bound);
        BitSet adapters = set(after.adapters());
        BitSet domains = set(after.domains());
        var same = new FilterOverSets.Rectangle(adapters, domains);

        require(same.equals(sets.guest(GuestFilter.INCREMENTAL, set(remembered))), "the rules give something else");
        Matrix recomputed = GuestFilter.RECOMPUTE.apply(remembered, assigned, host, bound);
        require(
                new FilterOverSets.Rectangle(set(recomputed.adapters()), set(recomputed.domains()))
                        .equals(sets.guest(GuestFilter.RECOMPUTE, set(remembered))),
                "the rules give something else under recompute");
        ApMask controlDomains = assigned.controlDomains().and(host.controlDomains());
        require(after.controlDomains().equals(controlDomains), "control domains");
        require(recomputed.controlDomains().equals(controlDomains), "control domains under recompute");

        require(adapters.stream().allMatch(a -> sets.complete(a, domains)), "a queue of the guest is not bound");
        require(
                adapters.stream().allMatch(sets.adapters()::get)
                        && domains.stream().allMatch(sets.domains()::get),
                "the guest has what is not assigned, or not the host's");
        require(
                GuestFilter.INCREMENTAL
                        .apply(after.domains(), assigned, host, bound)
                        .equals(after),
                "applying again changes something");
        requireNothingLeftOut(sets, adapters, domains);
        FilterOverSets.Rectangle kernel = sets.kernel(domains);
        require(
                domains.isEmpty() ? adapters.isEmpty() : kernel.equals(same),
                "a kernel since 6.8 makes something else of the claim");
        if (before != null) {
            requireCauseOfEachLoss(sets, before, same);
        }
        return after;
    }

    private static void requireNothingLeftOut(FilterOverSets sets, BitSet adapters, BitSet domains) {
        if (adapters.isEmpty()) {
            return;
        }
        require(
                sets.adapters().stream().allMatch(a -> adapters.get(a) || !sets.complete(a, domains)),
                "an adapter could still be added");
        require(
                sets.domains().stream().allMatch(d -> domains.get(d) || !sets.boundOnEach(adapters, d)),
                "a domain could still be added");
    }

    private static void requireCauseOfEachLoss(FilterOverSets sets, Matrix before, FilterOverSets.Rectangle after) {
        BitSet had = set(before.domains());
        before.adapters().forEach(a -> {
            boolean gone = !sets.adapters().get(a) || !sets.complete(a, had);
            require(
                    gone
                            || had.stream()
                                    .allMatch(d ->
                                            after.has(a, d) || !sets.domains().get(d)),
                    "the guest loses a queue of adapter " + a + " without a cause");
        });
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    private static BitSet set(ApMask mask) {
        BitSet set = new BitSet();
        mask.forEach(set::set);
        return set;
    }

    // ---- random events

    private static final class Tally {

        int events;
        int largest;
        private int plugged;
        private int domainsPlugged;
        private int adaptersUnplugged;
        private int startedAnew;
        private int domainsAlone;

        void count(Matrix remembered, Matrix before, Matrix after, Matrix possible) {
            events++;
            largest = Math.max(largest, after.queueCount());
            plugged += after.isIn(before) ? 0 : 1;
            domainsPlugged += before.queueCount() > 0 && !after.domains().isIn(before.domains()) ? 1 : 0;
            adaptersUnplugged += before.adapters().isIn(after.adapters()) ? 0 : 1;
            startedAnew += !remembered.domains().isEmpty()
                            && !remembered.domains().intersects(possible.domains())
                            && after.queueCount() > 0
                    ? 1
                    : 0;
            domainsAlone += after.adapters().isEmpty() && !after.domains().isEmpty() ? 1 : 0;
        }

        void assertThatEverythingHappened() {
            assertThat(List.of(plugged, domainsPlugged, adaptersUnplugged, startedAnew, domainsAlone))
                    .as("plugs, domains plugged, adapters unplugged, guests started anew, domains without adapter")
                    .allSatisfy(count -> assertThat(count).isGreaterThan(events / 2_000));
        }
    }

    /** Random events on one host with one mdev, followed as masks and as sets. */
    private static final class Walk {

        private final Random random;
        private final int[] adapterNumbers;
        private final int[] domainNumbers;
        private final Tally tally;

        private final FilterOverSets sets = new FilterOverSets();
        private final List<Queue> holes = new ArrayList<>();
        private Matrix assigned = Matrix.EMPTY;
        private Matrix host = Matrix.EMPTY;
        private QueueSet bound;
        private boolean attached;
        private Matrix guest = Matrix.EMPTY;

        Walk(Random random, int[] adapterNumbers, int[] domainNumbers, Tally tally) {
            this.random = random;
            this.adapterNumbers = adapterNumbers;
            this.domainNumbers = domainNumbers;
            this.tally = tally;
            bound = QueueSet.rectangle(ApMask.of(adapterNumbers), ApMask.of(domainNumbers));
            for (int a : adapterNumbers) {
                sets.bound.set(FilterOverSets.queue(a, 0), FilterOverSets.queue(a, 256));
                host(a, true);
            }
            for (int d : domainNumbers) {
                hostDomain(d, true);
            }
            assignAnew();
            int queues = adapterNumbers.length * domainNumbers.length;
            for (int i = random.nextInt(2) == 0 ? 1 : Math.min(queues / 3, 100); i > 0; i--) {
                unbind();
            }
        }

        void go(int events) {
            for (int i = 0; i < events; i++) {
                boolean wasAttached = attached;
                @Nullable Matrix before = guest;
                Matrix remembered = guest;
                String event = step();
                if (!wasAttached || !attached || event.startsWith("attach")) {
                    before = null;
                    remembered = attached ? guest : Matrix.EMPTY;
                }
                Matrix after;
                try {
                    after = check(sets, assigned, host, bound, remembered.domains(), before);
                } catch (AssertionError broken) {
                    throw new AssertionError(
                            "%s; seed %d, event %d (%s), remembered %s, assigned %s, host %s, bound %s"
                                    .formatted(
                                            broken.getMessage(),
                                            SEED,
                                            tally.events,
                                            event,
                                            remembered.domains(),
                                            assigned,
                                            host,
                                            bound),
                            broken);
                }
                tally.count(remembered, before == null ? after : before, after, assigned.and(host));
                guest = after;
            }
        }

        private String step() {
            switch (random.nextInt(20)) {
                case 0, 1 -> assign(pick(adapterNumbers), random.nextInt(4) != 0);
                case 2, 3 -> assignDomain(pick(domainNumbers), random.nextInt(4) != 0);
                case 4 -> {
                    int number = pick(domainNumbers);
                    Matrix one = new Matrix(ApMask.NONE, ApMask.NONE, ApMask.of(number));
                    assigned = random.nextBoolean() ? assigned.or(one) : assigned.minus(one);
                }
                case 5 -> host(pick(adapterNumbers), random.nextInt(4) != 0);
                case 6 -> hostDomain(pick(domainNumbers), random.nextInt(4) != 0);
                case 7, 8, 9 -> unbind();
                case 10 -> {
                    for (int i = random.nextInt(6); i >= 0; i--) {
                        report();
                    }
                    return "report";
                }
                case 11 -> {
                    return attachOrRelease();
                }
                case 12 -> {
                    if (random.nextInt(10) == 0) {
                        assignAnew();
                    }
                }
                default -> bind();
            }
            return "event";
        }

        private void report() {
            switch (random.nextInt(4)) {
                case 0 -> host(pick(adapterNumbers), random.nextBoolean());
                case 1 -> hostDomain(pick(domainNumbers), random.nextBoolean());
                case 2 -> unbind();
                default -> bind();
            }
        }

        private String attachOrRelease() {
            if (attached && random.nextInt(4) != 0) {
                return "nothing";
            }
            if (attached && random.nextBoolean()) {
                attached = false;
                return "release";
            }
            attached = true;
            // Through the API it starts from nothing; one that was observed, from the domains that it has.
            ApMask has = random.nextBoolean()
                    ? ApMask.NONE
                    : ApMask.of(IntStream.of(domainNumbers)
                            .filter(d -> random.nextBoolean())
                            .toArray());
            guest = new Matrix(ApMask.NONE, has, ApMask.NONE);
            return "attach";
        }

        private void assignAnew() {
            sets.assignedAdapters.clear();
            sets.assignedDomains.clear();
            assigned = Matrix.EMPTY;
            int oneOf = 1 + random.nextInt(4);
            IntStream.of(adapterNumbers).filter(a -> random.nextInt(oneOf) == 0).forEach(a -> assign(a, true));
            IntStream.of(domainNumbers).filter(d -> random.nextInt(oneOf) == 0).forEach(d -> assignDomain(d, true));
        }

        private void assign(int adapter, boolean present) {
            sets.assignedAdapters.set(adapter, present);
            assigned = with(assigned, adapter(adapter), present);
        }

        private void assignDomain(int domain, boolean present) {
            sets.assignedDomains.set(domain, present);
            assigned = with(assigned, domain(domain), present);
        }

        private void host(int adapter, boolean present) {
            sets.hostAdapters.set(adapter, present);
            host = with(host, adapter(adapter), present);
        }

        private void hostDomain(int domain, boolean present) {
            sets.hostDomains.set(domain, present);
            host = with(host, domain(domain), present);
        }

        private void unbind() {
            Queue queue = new Queue(pick(adapterNumbers), pick(domainNumbers));
            if (bound.has(queue)) {
                bound = bound.without(queue);
                sets.bound.clear(FilterOverSets.queue(queue.adapter(), queue.domain()));
                holes.add(queue);
            }
        }

        private void bind() {
            if (!holes.isEmpty()) {
                int index = random.nextInt(holes.size());
                Queue queue = holes.get(index);
                holes.set(index, holes.getLast());
                holes.removeLast();
                bound = bound.with(queue);
                sets.bound.set(FilterOverSets.queue(queue.adapter(), queue.domain()));
            }
        }

        private int pick(int[] numbers) {
            return numbers[random.nextInt(numbers.length)];
        }
    }

    private static Matrix with(Matrix matrix, Matrix one, boolean present) {
        return present ? matrix.or(one) : matrix.minus(one);
    }

    private static Matrix adapter(int number) {
        return new Matrix(ApMask.of(number), ApMask.NONE, ApMask.NONE);
    }

    /** Also the control domain of that number. */
    private static Matrix domain(int number) {
        return new Matrix(ApMask.NONE, ApMask.of(number), ApMask.of(number));
    }

    // ---- every state

    /** Two adapters, two domains: everything that can be assigned, in the host configuration, bound and remembered. */
    private static final class TwoByTwo {

        private static final int[] ADAPTERS = {63, 64};
        private static final int[] DOMAINS = {0, 255};
        private static final int PREVIEW = -1;

        /** The state of one mdev: three times four bits, and the guest's domains as two bits, or PREVIEW. */
        private record State(int assigned, int host, int bound, int domains) {

            int index() {
                return ((assigned * 16 + host) * 16 + bound) * 5 + domains + 1;
            }
        }

        private final Deque<State> open = new ArrayDeque<>();
        private final BitSet reached = new BitSet();
        private int steps;

        void walkEverywhere() {
            reach(new State(0, 0, 0, PREVIEW));
            while (!open.isEmpty()) {
                State state = open.remove();
                assertThatCode(() -> everyEvent(state)).as("%s", state).doesNotThrowAnyException();
            }
            // Every (assigned, host, bound) as a preview, and with each set of domains that its guest can have.
            assertThat(reached.cardinality()).isEqualTo(4_096 + attachedStates());
            assertThat(steps).isGreaterThan(1_000_000);
        }

        /** The states that are their own successors: the filter's fixed points. */
        private static int attachedStates() {
            int count = 0;
            for (int code = 0; code < 4_096 * 4; code++) {
                var state = new State(code >> 10, code >> 6 & 15, code >> 2 & 15, code & 3);
                ApMask domains = pairMask(DOMAINS, state.domains);
                count += GuestFilter.INCREMENTAL
                                .apply(domains, matrix(state.assigned), matrix(state.host), queues(state.bound))
                                .domains()
                                .equals(domains)
                        ? 1
                        : 0;
            }
            return count;
        }

        private void everyEvent(State from) {
            for (int assigned = 0; assigned < 16; assigned++) {
                step(from, new State(assigned, from.host, from.bound, from.domains), true);
            }
            for (int host = 0; host < 16; host++) {
                for (int bound = 0; bound < 16; bound++) {
                    step(from, new State(from.assigned, host, bound, from.domains), true);
                }
            }
            step(from, new State(from.assigned, from.host, from.bound, PREVIEW), false);
            for (int observed = 0; observed < 4; observed++) {
                step(from, new State(from.assigned, from.host, from.bound, observed), false);
            }
        }

        private void step(State from, State to, boolean sameGuest) {
            steps++;
            @Nullable Matrix before = sameGuest && from.domains != PREVIEW ? guest(from) : null;
            ApMask remembered = to.domains == PREVIEW ? ApMask.NONE : pairMask(DOMAINS, to.domains);
            Matrix after = check(sets(to), matrix(to.assigned), matrix(to.host), queues(to.bound), remembered, before);
            if (to.domains == PREVIEW) {
                reach(to);
            } else {
                reach(new State(to.assigned, to.host, to.bound, bits(DOMAINS, after.domains())));
            }
        }

        private void reach(State state) {
            if (!reached.get(state.index())) {
                reached.set(state.index());
                open.add(state);
            }
        }

        private static Matrix guest(State state) {
            return GuestFilter.INCREMENTAL.apply(
                    pairMask(DOMAINS, state.domains), matrix(state.assigned), matrix(state.host), queues(state.bound));
        }

        private static Matrix matrix(int bits) {
            return new Matrix(pairMask(ADAPTERS, bits >> 2), pairMask(DOMAINS, bits & 3), pairMask(DOMAINS, bits & 3));
        }

        private static QueueSet queues(int bits) {
            return QueueSet.NONE
                    .withRow(ADAPTERS[0], pairMask(DOMAINS, bits >> 2))
                    .withRow(ADAPTERS[1], pairMask(DOMAINS, bits & 3));
        }

        private static ApMask pairMask(int[] numbers, int bits) {
            return switch (bits & 3) {
                case 0 -> ApMask.NONE;
                case 1 -> ApMask.of(numbers[0]);
                case 2 -> ApMask.of(numbers[1]);
                default -> ApMask.of(numbers);
            };
        }

        private static int bits(int[] numbers, ApMask mask) {
            return (mask.has(numbers[0]) ? 1 : 0) + (mask.has(numbers[1]) ? 2 : 0);
        }

        private static FilterOverSets sets(State state) {
            var sets = new FilterOverSets();
            for (int i = 0; i < 2; i++) {
                sets.assignedAdapters.set(ADAPTERS[i], (state.assigned >> 2 + i & 1) == 1);
                sets.assignedDomains.set(DOMAINS[i], (state.assigned >> i & 1) == 1);
                sets.hostAdapters.set(ADAPTERS[i], (state.host >> 2 + i & 1) == 1);
                sets.hostDomains.set(DOMAINS[i], (state.host >> i & 1) == 1);
                sets.bound.set(FilterOverSets.queue(ADAPTERS[0], DOMAINS[i]), (state.bound >> 2 + i & 1) == 1);
                sets.bound.set(FilterOverSets.queue(ADAPTERS[1], DOMAINS[i]), (state.bound >> i & 1) == 1);
            }
            return sets;
        }
    }
}
