package io.apportion.ap;

/**
 * The three masks of one thing: adapters (apm), usage domains (aqm), control domains (adm).
 *
 * <p>Its queues are the rectangle adapters × domains; control domains are independent of it.
 */
public record Matrix(ApMask adapters, ApMask domains, ApMask controlDomains) {

    public static final Matrix EMPTY = new Matrix(ApMask.NONE, ApMask.NONE, ApMask.NONE);

    public Matrix or(Matrix other) {
        return new Matrix(
                adapters.or(other.adapters), domains.or(other.domains), controlDomains.or(other.controlDomains));
    }

    public Matrix and(Matrix other) {
        return new Matrix(
                adapters.and(other.adapters), domains.and(other.domains), controlDomains.and(other.controlDomains));
    }

    /** Mask by mask; the queues of the result are not the difference of the queues. */
    public Matrix minus(Matrix other) {
        return new Matrix(
                adapters.minus(other.adapters),
                domains.minus(other.domains),
                controlDomains.minus(other.controlDomains));
    }

    public boolean isIn(Matrix other) {
        return adapters.isIn(other.adapters)
                && domains.isIn(other.domains)
                && controlDomains.isIn(other.controlDomains);
    }

    /** No adapter, no domain, no control domain. */
    public boolean isEmpty() {
        return adapters.isEmpty() && domains.isEmpty() && controlDomains.isEmpty();
    }

    /** Whether both rectangles hold at least one common queue (fact 4 of the rules). Control domains never conflict. */
    public boolean sharesQueueWith(Matrix other) {
        return adapters.intersects(other.adapters) && domains.intersects(other.domains);
    }

    public boolean hasQueue(int adapter, int domain) {
        return adapters.has(adapter) && domains.has(domain);
    }

    public QueueSet queues() {
        return QueueSet.rectangle(adapters, domains);
    }

    public int queueCount() {
        return adapters.count() * domains.count();
    }
}
