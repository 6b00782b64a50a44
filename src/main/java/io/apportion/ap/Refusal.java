package io.apportion.ap;

import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** Why a change cannot be: with everything that stands in its way, not only the first. Nothing was changed. */
public sealed interface Refusal extends Outcome {

    /**
     * Numbers above the machine's highest (the kernel's ENODEV).
     *
     * @param matrix the numbers that are too high
     */
    record NumberOutOfRange(Matrix matrix, int maxAdapter, int maxDomain) implements Refusal {}

    /**
     * Queues that somebody else has: EADDRNOTAVAIL if at least one is reserved, otherwise EADDRINUSE.
     *
     * @param conflicts at least one, by queue
     */
    record Conflicts(List<Conflict> conflicts) implements Refusal {

        public boolean anyReserved() {
            return conflicts.stream()
                    .anyMatch(conflict -> conflict.holder() != Holder.MDEV && conflict.holder() != Holder.FOREIGN_MDEV);
        }
    }

    enum Holder {
        /** Another mdev of Apportion. */
        MDEV,
        /** An mdev of the host that Apportion did not make. */
        FOREIGN_MDEV,
        /** The host's own drivers, by apmask and aqmask. */
        MASKS,
        /** The host's own drivers, as its binding mode is override and the queue's desired driver is not vfio_ap. */
        DRIVER,
        /** The host's administrator, by the agent's keep list. */
        KEEP
    }

    /** @param mdev who has it, for the two mdev holders */
    record Conflict(Queue queue, Holder holder, @Nullable UUID mdev) {}

    /**
     * A guest is attached and would lose by it; {@code force} does it all the same.
     *
     * @param effects what the guests would lose; empty when the refusal is for the attached guest itself
     */
    record GuestAttached(UUID mdev, String guest, List<Effect> effects, boolean canBeForced) implements Refusal {}

    /** A guest is attached and the host's mdevs have no {@code guest_matrix}: the kernel's EBUSY. */
    record CannotHotPlug(UUID mdev, String guest) implements Refusal {}

    /** The guest already has another mdev of this host: the kernel's EPERM. */
    record GuestHasMdev(String guest, UUID mdev) implements Refusal {}

    /** The host's agent sees guests itself; nobody may tell otherwise. */
    record GuestObserved(UUID mdev) implements Refusal {}

    record MdevRemoving(UUID mdev) implements Refusal {}

    /** A foreign mdev of the host has this UUID: it can be adopted, not made. */
    record MdevIsForeign(UUID mdev) implements Refusal {}

    record NoForeignMdev(UUID mdev) implements Refusal {}

    /**
     * The binding mode or the masks do not permit it.
     *
     * @param queues those concerned, may be empty
     * @param remedy what to change first, in words
     */
    record DriverNotChangeable(List<Queue> queues, String reason, String remedy) implements Refusal {}
}
