package io.apportion.ap;

import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * What a change makes of a host's matrix.
 *
 * @param effects what attached guests gain and lose, in the order of the mdevs' UUIDs; a release stands before the
 *     attach that follows it
 * @param mdevs those whose pushed state (claim, guest matrix, attach identity, removal) changes or that appear or go
 * @param drivers queues whose managed driver changes
 * @param reservation whether the managed reservation changes
 * @param bindingMode whether the binding mode changes
 */
public record Plan(
        HostMatrix before,
        HostMatrix after,
        List<Effect> effects,
        Set<UUID> mdevs,
        Set<Queue> drivers,
        boolean reservation,
        boolean bindingMode)
        implements Outcome {

    /** Whether the host's desired state changes, so that a new generation must be pushed. */
    public boolean changesDesired() {
        return !mdevs.isEmpty() || changesReservationOrDrivers() || bindingMode;
    }

    public boolean changesReservationOrDrivers() {
        return reservation || !drivers.isEmpty();
    }

    /** Queues that the host's own drivers had to keep before and need not any more. */
    public QueueSet freed() {
        return existing(before.reservedByMasks().minus(after.reservedByMasks()));
    }

    /** Queues that the host's own drivers keep from now on. */
    public QueueSet takenBack() {
        return existing(after.reservedByMasks().minus(before.reservedByMasks()));
    }

    private QueueSet existing(QueueSet queues) {
        Matrix configuration = after.inventory().hostConfiguration();
        return queues.within(configuration.adapters(), configuration.domains());
    }
}
