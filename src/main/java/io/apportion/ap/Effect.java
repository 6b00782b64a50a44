package io.apportion.ap;

import java.util.UUID;

/**
 * What one attached guest gains and loses by one change. A plug and an unplug have at least one number between them.
 *
 * @param queuesLost queues that the guest had and has no more; unplugging the domain of a guest without adapter loses none
 */
public record Effect(UUID mdev, String guest, Matrix plugged, Matrix unplugged, QueueSet queuesLost, Cause cause) {

    /** @return the effect of the guest matrix going from one to the other */
    static Effect of(UUID mdev, String guest, Matrix before, Matrix after, Cause cause) {
        return new Effect(
                mdev,
                guest,
                after.minus(before),
                before.minus(after),
                before.queues().minus(after.queues()),
                cause);
    }
}
