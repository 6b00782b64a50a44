package io.apportion.simulator;

import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;

/** The queues that are bound to vfio_ap, how their last reset ended, and the resets themselves. */
final class BoundQueues {

    private final QueueDevices devices;
    private final ApHardware hardware;
    private final KernelEffects effects;

    /** Queues whose last reset ended with a status that keeps them from every guest. */
    private final ApMask[] impassable = QueueDevices.rows();

    BoundQueues(QueueDevices devices, ApHardware hardware, KernelEffects effects) {
        this.devices = devices;
        this.hardware = hardware;
        this.effects = effects;
    }

    /** The domains of that adapter's bound queues. */
    ApMask of(int adapter) {
        return devices.drivenBy(ApDriver.VFIO_AP, adapter);
    }

    /** Whether all these queues of the adapter may be passed to a guest: bound, and no reset of them failed for good. */
    boolean arePassable(int adapter, ApMask domains) {
        return domains.isIn(of(adapter)) && !domains.intersects(impassable[adapter]);
    }

    /** The domains of that adapter's bound queues whose last reset failed for good. */
    ApMask impassable(int adapter) {
        return impassable[adapter].and(of(adapter));
    }

    /** A queue that was just bound counts as well reset. */
    void forgetReset(Queue queue) {
        impassable[queue.adapter()] = impassable[queue.adapter()].without(queue.domain());
    }

    /**
     * Resets those of the adapter's queues that are bound.
     *
     * @return whether each ended with status 00; a deconfigured queue (03) does not
     */
    boolean reset(int adapter, ApMask domains) {
        boolean allNormal = true;
        ApMask present = domains.and(of(adapter));
        for (int domain = present.next(0); domain >= 0; domain = present.next(domain + 1)) {
            allNormal &= reset(new Queue(adapter, domain)) == ApHardware.NORMAL;
        }
        return allNormal;
    }

    /** Resets one queue (vfio_ap_mdev_reset_queue and apq_reset_check) and remembers how that ended. */
    int reset(Queue queue) {
        int status = zapq(queue);
        switch (status) {
            case ApHardware.NORMAL,
                    ApHardware.RESET_IN_PROGRESS,
                    ApHardware.BUSY,
                    ApHardware.STATE_CHANGE_IN_PROGRESS -> status = awaitReset(queue, status);
            case ApHardware.NOT_AVAILABLE, ApHardware.DECONFIGURED, ApHardware.CHECKSTOPPED -> {}
            default -> effects.warned();
        }
        boolean passable =
                status == ApHardware.NORMAL || status == ApHardware.DECONFIGURED || status == ApHardware.CHECKSTOPPED;
        ApMask row = impassable[queue.adapter()];
        impassable[queue.adapter()] = passable ? row.without(queue.domain()) : row.with(queue.domain());
        return status;
    }

    /** What the kernel's work item does; its callers wait for it. A later ZAPQ that fails for good ends it unseen. */
    private int awaitReset(Queue queue, int first) {
        int status = first;
        while (true) {
            switch (hardware.tapq(queue)) {
                case ApHardware.NORMAL, ApHardware.DECONFIGURED, ApHardware.CHECKSTOPPED -> {
                    if (status != ApHardware.RESET_IN_PROGRESS
                            && status != ApHardware.BUSY
                            && status != ApHardware.STATE_CHANGE_IN_PROGRESS) {
                        return status;
                    }
                    status = zapq(queue);
                }
                case ApHardware.NOT_AVAILABLE -> {
                    return status;
                }
                default -> {
                    effects.warned();
                    return status;
                }
            }
        }
    }

    private int zapq(Queue queue) {
        effects.reset(queue);
        return hardware.zapq(queue);
    }
}
