package io.apportion.ap;

import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One thing that shall become of a host's matrix. Only {@link HostMatrix#plan} gives it a meaning; the mdev that a change
 * names must be one of that host's matrix, but for {@link Create} and {@link Adopt}.
 */
public sealed interface Change {

    /** A new mdev with that assigned matrix. */
    record Create(UUID mdev, Matrix assigned) implements Change {}

    /** Adds these numbers to the assigned matrix; those already there are no error. */
    record Assign(UUID mdev, Matrix added) implements Change {}

    /** Takes these numbers from the assigned matrix; those not there are no error. */
    record Unassign(UUID mdev, Matrix taken) implements Change {}

    /** All three masks at once. */
    record Replace(UUID mdev, Matrix assigned) implements Change {}

    /** @param force also under a running guest */
    record Remove(UUID mdev, boolean force) implements Change {}

    /** A foreign mdev becomes Apportion's, with the matrix it has on the host. */
    record Adopt(UUID mdev) implements Change {}

    /** @param force also if running guests lose queues by it */
    record SwitchFilter(GuestFilter filter, boolean force) implements Change {}

    /** @param reservation null: unmanaged again, the host's masks stay as they are */
    record Reserve(@Nullable Reservation reservation) implements Change {}

    /**
     * @param driver null: unmanaged again, the queue stays where it is
     * @param force also if a running guest loses the queue by it
     */
    record SetDriver(Queue queue, @Nullable QueueDriver driver, boolean force) implements Change {}

    record SetBindingMode(BindingMode mode) implements Change {}

    /** Told through the API, for hosts whose agent cannot see guests. */
    record Attach(UUID mdev, String guest) implements Change {}

    record Release(UUID mdev) implements Change {}

    /**
     * A report of the host's agent: the whole new inventory replaces the old one.
     *
     * @param reboot the host was booted since the last report
     * @param mdevs what was read of Apportion's own mdevs; null: could not be read. One that is not in it is not there
     */
    record Observe(
            Inventory inventory, boolean reboot, @Nullable Map<UUID, Seen> mdevs) implements Change {

        /**
         * @param assigned null: could not be read
         * @param guestMatrix null: could not be read
         * @param guestKnown false: who holds it could not be seen
         * @param guest null: nobody holds it
         */
        public record Seen(
                @Nullable Matrix assigned,
                @Nullable Matrix guestMatrix,
                boolean guestKnown,
                @Nullable Guest guest) {}
    }
}
