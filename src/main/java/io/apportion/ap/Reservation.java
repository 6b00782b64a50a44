package io.apportion.ap;

/** What a host keeps for its own drivers: every queue whose adapter is in apmask and whose domain is in aqmask. */
public record Reservation(ApMask apmask, ApMask aqmask) {

    /** The kernel's default: everything is the host's own. */
    public static final Reservation EVERYTHING = new Reservation(ApMask.ALL, ApMask.ALL);

    public boolean reserves(Queue queue) {
        return apmask.has(queue.adapter()) && aqmask.has(queue.domain());
    }

    public QueueSet queues() {
        return QueueSet.rectangle(apmask, aqmask);
    }
}
