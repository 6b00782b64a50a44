package io.apportion.ap;

import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One matrix mdev as the host's matrix has it.
 *
 * @param assigned what users have given to it
 * @param guestMatrix what its guest has by the rules, or, while no guest is attached, the preview. Its domains are all
 *     that {@link GuestFilter#INCREMENTAL} remembers
 * @param guest null while no guest is attached
 * @param removing deleted by force under a running guest: its assigned matrix is empty for good
 * @param held while removing: the queues that the host has not yet reported gone, which nobody else may be assigned
 * @param kernelFiltered adapters that the kernel keeps out of the guest although they are complete and were written
 *     three times
 */
public record Mdev(
        UUID uuid,
        Matrix assigned,
        Matrix guestMatrix,
        @Nullable Guest guest,
        boolean removing,
        Matrix held,
        ApMask kernelFiltered) {

    public static Mdev unattached(UUID uuid, Matrix assigned, Matrix preview) {
        return new Mdev(uuid, assigned, preview, null, false, Matrix.EMPTY, ApMask.NONE);
    }

    /** Whether that rectangle holds a queue which this mdev has, or has not yet let go. */
    public boolean conflictsWith(Matrix matrix) {
        return assigned.sharesQueueWith(matrix) || held.sharesQueueWith(matrix);
    }

    Mdev withAssigned(Matrix newAssigned) {
        return new Mdev(uuid, newAssigned, guestMatrix, guest, removing, held, ApMask.NONE);
    }

    Mdev withGuestMatrix(Matrix newGuestMatrix) {
        return new Mdev(uuid, assigned, newGuestMatrix, guest, removing, held, kernelFiltered);
    }

    Mdev withGuest(@Nullable Guest newGuest) {
        return new Mdev(uuid, assigned, guestMatrix, newGuest, removing, held, kernelFiltered);
    }

    Mdev withHeld(Matrix newHeld) {
        return new Mdev(uuid, assigned, guestMatrix, guest, removing, newHeld, kernelFiltered);
    }

    Mdev withKernelFiltered(ApMask adapters) {
        return new Mdev(uuid, assigned, guestMatrix, guest, removing, held, adapters);
    }

    /** Deleted while a guest is attached. */
    Mdev removed() {
        return new Mdev(uuid, Matrix.EMPTY, guestMatrix, guest, true, removing ? held : assigned, ApMask.NONE);
    }
}
