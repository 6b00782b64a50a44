package io.apportion.server.matrix;

import io.apportion.ap.CommitState;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One generation of a host on its way to its agent, with what has become of each object that it touches. */
public record CommitRecord(
        long id,
        String host,
        long generation,
        Instant storedAt,
        String actor,
        String requestId,
        String cause,
        List<ObjectRecord> objects) {

    /** Pending while any object is; else failed if any is; else superseded if all are; else applied. */
    public CommitState state() {
        boolean allSuperseded = !objects.isEmpty();
        boolean anyFailed = false;
        for (ObjectRecord object : objects) {
            if (object.state() == CommitState.PENDING) {
                return CommitState.PENDING;
            }
            anyFailed |= object.state() == CommitState.FAILED;
            allSuperseded &= object.state() == CommitState.SUPERSEDED;
        }
        if (anyFailed) {
            return CommitState.FAILED;
        }
        return allSuperseded ? CommitState.SUPERSEDED : CommitState.APPLIED;
    }

    /**
     * @param kind {@code mdev}, {@code reservation} or {@code driver}
     * @param object the UUID, nothing for the reservation, or the queue
     * @param errno the kernel's word, where it failed
     */
    public record ObjectRecord(
            String kind,
            String object,
            CommitState state,
            @Nullable String errno,
            @Nullable String words,
            @Nullable Instant settledAt) {}
}
