package io.apportion.ap;

/**
 * The two filters a host can run: how a guest matrix follows from what is assigned, what the host has, and what is
 * bound.
 *
 * <p>Neither knows events: any change is the same call with other arguments, and calling again changes nothing. All
 * that is remembered of the past is the domains of the last result, those of a result without adapters included.
 */
public enum GuestFilter {

    /**
     * The seven rules agreed at the end of the review of patch v11 08/14: a running guest keeps its domains, and loses
     * an adapter only with a queue that it had. The default.
     */
    INCREMENTAL("incremental"),

    /**
     * The rule of patch v11 08/14: the adapters that are complete against every assigned domain, from scratch at each
     * change. One incomplete domain throws every adapter out of a running guest.
     *
     * <p>Two deviations from the patch's letter, both the intent of its review: control domains are limited to the
     * host's, and no adapters or no domains always means an empty rectangle.
     */
    RECOMPUTE("recompute");

    private static final long LEFTMOST = Long.MIN_VALUE;

    private final String text;

    GuestFilter(String text) {
        this.text = text;
    }

    /**
     * The guest matrix. Every queue of it is bound.
     *
     * @param remembered the usage domains that the guest has: those of the last result, or those observed when an agent
     *     reports an attach; {@link ApMask#NONE} for a preview and for an attach through the API. {@link #RECOMPUTE}
     *     does not look at it
     * @param bound the queues that the host says are bound to vfio_ap and that nobody wants otherwise; never one that a
     *     foreign mdev holds
     */
    public Matrix apply(ApMask remembered, Matrix assigned, Matrix hostConfiguration, QueueSet bound) {
        ApMask adapters = assigned.adapters().and(hostConfiguration.adapters());
        ApMask domains = assigned.domains().and(hostConfiguration.domains());
        ApMask controlDomains = assigned.controlDomains().and(hostConfiguration.controlDomains()); // fact 7
        return switch (this) {
            case INCREMENTAL -> incremental(remembered, adapters, domains, controlDomains, bound);
            case RECOMPUTE -> recompute(adapters, domains, controlDomains, bound);
        };
    }

    private static Matrix incremental(
            ApMask remembered, ApMask adapters, ApMask domains, ApMask controlDomains, QueueSet bound) {
        ApMask kept = remembered.and(domains); // rule 5, and domains that left the host
        if (kept.isEmpty()) { // nothing to keep: rule 1
            ApMask complete = domains.isEmpty() ? ApMask.NONE : complete(adapters, domains, bound);
            return new Matrix(complete, domains, controlDomains);
        }
        ApMask complete = complete(adapters, kept, bound); // rules 2, 3, 6 (first try) and 7
        if (!complete.isEmpty() && !kept.equals(domains)) {
            kept = boundOnEach(complete, domains, bound); // rules 4 and 6 (second try); it holds all of kept
        }
        return new Matrix(complete, kept, controlDomains);
    }

    private static Matrix recompute(ApMask adapters, ApMask domains, ApMask controlDomains, QueueSet bound) {
        ApMask complete = domains.isEmpty() ? ApMask.NONE : complete(adapters, domains, bound);
        return new Matrix(complete, complete.isEmpty() ? ApMask.NONE : domains, controlDomains);
    }

    /** Those of the adapters on which every one of the domains is bound. */
    static ApMask complete(ApMask adapters, ApMask domains, QueueSet bound) {
        return ApMask.ofWords(
                complete(adapters.w0, 0, domains, bound),
                complete(adapters.w1, 64, domains, bound),
                complete(adapters.w2, 128, domains, bound),
                complete(adapters.w3, 192, domains, bound));
    }

    private static long complete(long adapters, int first, ApMask domains, QueueSet bound) {
        long complete = 0;
        for (long left = adapters; left != 0; ) {
            int next = Long.numberOfLeadingZeros(left);
            long bit = LEFTMOST >>> next;
            left ^= bit;
            if (domains.isIn(bound.domains(first + next))) {
                complete |= bit;
            }
        }
        return complete;
    }

    /** Those of the domains that are bound on every one of the adapters. */
    private static ApMask boundOnEach(ApMask adapters, ApMask domains, QueueSet bound) {
        long w0 = domains.w0;
        long w1 = domains.w1;
        long w2 = domains.w2;
        long w3 = domains.w3;
        for (int adapter = adapters.next(0); adapter >= 0; adapter = adapters.next(adapter + 1)) {
            ApMask row = bound.domains(adapter);
            w0 &= row.w0;
            w1 &= row.w1;
            w2 &= row.w2;
            w3 &= row.w3;
        }
        return ApMask.ofWords(w0, w1, w2, w3);
    }

    /** {@code incremental} or {@code recompute}. */
    @Override
    public String toString() {
        return text;
    }
}
