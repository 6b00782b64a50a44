package io.apportion.ap;

import java.util.BitSet;

/**
 * The rules once more, over plain sets and queue by queue: slow, plain, and written from the rules' text, not from
 * {@link GuestFilter}. A queue is the number adapter · 256 + domain.
 */
final class FilterOverSets {

    final BitSet assignedAdapters = new BitSet();
    final BitSet assignedDomains = new BitSet();
    final BitSet hostAdapters = new BitSet();
    final BitSet hostDomains = new BitSet();
    final BitSet bound = new BitSet();

    /** What a guest has. */
    record Rectangle(BitSet adapters, BitSet domains) {

        boolean has(int adapter, int domain) {
            return adapters.get(adapter) && domains.get(domain);
        }
    }

    static int queue(int adapter, int domain) {
        return adapter * 256 + domain;
    }

    Rectangle guest(GuestFilter filter, BitSet remembered) {
        return switch (filter) {
            case INCREMENTAL -> incremental(remembered);
            case RECOMPUTE -> recompute();
        };
    }

    private Rectangle recompute() {
        BitSet adapters = completeAdapters(domains());
        return adapters.isEmpty() || domains().isEmpty()
                ? new Rectangle(new BitSet(), new BitSet())
                : new Rectangle(adapters, domains());
    }

    private Rectangle incremental(BitSet remembered) {
        BitSet kept = intersection(remembered, domains());
        if (kept.isEmpty()) {
            BitSet adapters = domains().isEmpty() ? new BitSet() : completeAdapters(domains());
            return new Rectangle(adapters, domains());
        }
        BitSet adapters = completeAdapters(kept);
        if (!adapters.isEmpty()) {
            domains().stream().filter(d -> boundOnEach(adapters, d)).forEach(kept::set);
        }
        return new Rectangle(adapters, kept);
    }

    /** What a kernel since 6.8 makes of (all assigned adapters) × domains: it drops each adapter that lacks a queue. */
    Rectangle kernel(BitSet assigned) {
        BitSet domains = intersection(assigned, hostDomains);
        BitSet adapters = adapters();
        for (int a = adapters.nextSetBit(0); a >= 0; a = adapters.nextSetBit(a + 1)) {
            for (int d = domains.nextSetBit(0); d >= 0; d = domains.nextSetBit(d + 1)) {
                if (!bound.get(queue(a, d))) {
                    adapters.clear(a);
                    break;
                }
            }
        }
        return new Rectangle(adapters, domains);
    }

    BitSet adapters() {
        return intersection(assignedAdapters, hostAdapters);
    }

    BitSet domains() {
        return intersection(assignedDomains, hostDomains);
    }

    boolean complete(int adapter, BitSet domains) {
        for (int d = domains.nextSetBit(0); d >= 0; d = domains.nextSetBit(d + 1)) {
            if (!bound.get(queue(adapter, d))) {
                return false;
            }
        }
        return true;
    }

    boolean boundOnEach(BitSet adapters, int domain) {
        for (int a = adapters.nextSetBit(0); a >= 0; a = adapters.nextSetBit(a + 1)) {
            if (!bound.get(queue(a, domain))) {
                return false;
            }
        }
        return true;
    }

    private BitSet completeAdapters(BitSet domains) {
        BitSet complete = new BitSet();
        adapters().stream().filter(a -> complete(a, domains)).forEach(complete::set);
        return complete;
    }

    private static BitSet intersection(BitSet one, BitSet other) {
        BitSet both = (BitSet) one.clone();
        both.and(other);
        return both;
    }
}
