package io.apportion.server.matrix;

import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.Reservation;
import java.time.Duration;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The only writer of any host's matrix. Each call but a dry run holds the host's matrix lock, plans, and stores everything
 * of the change in one transaction: what it returns from is kept, what it throws from changed nothing.
 */
public interface MatrixService {

    /** How a call is to be taken. */
    record Mode(Preconditions preconditions, boolean force, boolean dryRun, Caller caller) {}

    /** Creates or changes a host. */
    Written putHost(String host, HostSettings settings, Mode mode);

    Written deleteHost(String host, Mode mode);

    /** Forgets which machine has claimed the host, so that another one may. */
    Written releaseClaim(String host, Mode mode);

    /** @param reservation null: unmanaged again */
    Written reserve(String host, @Nullable Reservation reservation, Mode mode);

    /** @param driver null: unmanaged again */
    Written setDriver(String host, Queue queue, @Nullable QueueDriver driver, Mode mode);

    Written adopt(String host, UUID mdev, Mode mode);

    /** Creates; an mdev with that UUID must not exist. */
    Written createMdev(UUID mdev, MdevSettings settings, Mode mode);

    /** Creates or replaces. */
    Written putMdev(UUID mdev, MdevSettings settings, Mode mode);

    Written deleteMdev(UUID mdev, Mode mode);

    Written assign(UUID mdev, Matrix added, Mode mode);

    Written unassign(UUID mdev, Matrix taken, Mode mode);

    Written replaceMatrix(UUID mdev, Matrix assigned, Mode mode);

    Written attachGuest(UUID mdev, String guest, Mode mode);

    Written releaseGuest(UUID mdev, Mode mode);

    /**
     * Waits until the host has settled that commit's objects, at most so long; returns at once when no agent is connected.
     * Holds no connection while waiting.
     */
    CommitRecord await(long commit, Duration atMost) throws InterruptedException;
}
