package io.apportion.ap;

import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A set of queues, as one mask of domains for each adapter. Immutable.
 *
 * <p>The queues of a set need not form a rectangle; a {@link Matrix} does.
 */
public final class QueueSet {

    public static final QueueSet NONE = new QueueSet(rows());

    private final ApMask[] domainsOf;

    private QueueSet(ApMask[] domainsOf) {
        this.domainsOf = domainsOf;
    }

    private static ApMask[] rows() {
        ApMask[] rows = new ApMask[ApMask.BITS];
        Arrays.fill(rows, ApMask.NONE);
        return rows;
    }

    public static QueueSet of(Iterable<Queue> queues) {
        ApMask[] rows = rows();
        for (Queue queue : queues) {
            rows[queue.adapter()] = rows[queue.adapter()].with(queue.domain());
        }
        return new QueueSet(rows);
    }

    public static QueueSet of(Queue... queues) {
        return of(Arrays.asList(queues));
    }

    /** @param domainsOf for each adapter 0..255 the domains of its queues; not kept */
    public static QueueSet ofRows(ApMask[] domainsOf) {
        return new QueueSet(domainsOf.clone());
    }

    /** Every queue of adapters × domains. */
    public static QueueSet rectangle(ApMask adapters, ApMask domains) {
        ApMask[] rows = rows();
        adapters.forEach(a -> rows[a] = domains);
        return new QueueSet(rows);
    }

    /** Adapters become domains and domains adapters. */
    QueueSet turned() {
        long[][] words = new long[ApMask.BITS][ApMask.BITS / Long.SIZE];
        for (int a = 0; a < ApMask.BITS; a++) {
            int word = a / Long.SIZE;
            long bit = Long.MIN_VALUE >>> a;
            domainsOf[a].forEach(d -> words[d][word] |= bit);
        }
        ApMask[] rows = new ApMask[ApMask.BITS];
        Arrays.setAll(rows, d -> ApMask.ofWords(words[d][0], words[d][1], words[d][2], words[d][3]));
        return new QueueSet(rows);
    }

    /** The domains of that adapter's queues in this set. */
    public ApMask domains(int adapter) {
        return domainsOf[adapter];
    }

    /** The adapters that have at least one queue in this set. */
    public ApMask adapters() {
        return ApMask.of(IntStream.range(0, ApMask.BITS)
                .filter(a -> !domainsOf[a].isEmpty())
                .toArray());
    }

    public boolean has(Queue queue) {
        return domainsOf[queue.adapter()].has(queue.domain());
    }

    public boolean has(int adapter, int domain) {
        return domainsOf[adapter].has(domain);
    }

    /** This set with that adapter's row replaced. */
    public QueueSet withRow(int adapter, ApMask domains) {
        ApMask[] rows = domainsOf.clone();
        rows[adapter] = domains;
        return new QueueSet(rows);
    }

    public QueueSet with(Queue queue) {
        return withRow(queue.adapter(), domainsOf[queue.adapter()].with(queue.domain()));
    }

    public QueueSet without(Queue queue) {
        return withRow(queue.adapter(), domainsOf[queue.adapter()].without(queue.domain()));
    }

    public QueueSet or(QueueSet other) {
        ApMask[] rows = rows();
        Arrays.setAll(rows, a -> domainsOf[a].or(other.domainsOf[a]));
        return new QueueSet(rows);
    }

    public QueueSet and(QueueSet other) {
        ApMask[] rows = rows();
        Arrays.setAll(rows, a -> domainsOf[a].and(other.domainsOf[a]));
        return new QueueSet(rows);
    }

    public QueueSet minus(QueueSet other) {
        ApMask[] rows = rows();
        Arrays.setAll(rows, a -> domainsOf[a].minus(other.domainsOf[a]));
        return new QueueSet(rows);
    }

    /** Those queues of this set that lie in adapters × domains. */
    public QueueSet within(ApMask adapters, ApMask domains) {
        ApMask[] rows = rows();
        adapters.forEach(a -> rows[a] = domainsOf[a].and(domains));
        return new QueueSet(rows);
    }

    public boolean isEmpty() {
        for (ApMask row : domainsOf) {
            if (!row.isEmpty()) {
                return false;
            }
        }
        return true;
    }

    public int count() {
        int count = 0;
        for (ApMask row : domainsOf) {
            count += row.count();
        }
        return count;
    }

    /** The queues, adapter by adapter, ascending. */
    public Stream<Queue> queues() {
        return IntStream.range(0, ApMask.BITS)
                .boxed()
                .flatMap(a -> domainsOf[a].numbers().mapToObj(d -> new Queue(a, d)));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof QueueSet set && Arrays.equals(domainsOf, set.domainsOf);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(domainsOf);
    }

    @Override
    public String toString() {
        return queues().toList().toString();
    }
}
