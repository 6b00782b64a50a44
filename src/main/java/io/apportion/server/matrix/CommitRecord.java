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
        return stateOf(objects.stream().map(ObjectRecord::state).toList());
    }

    static CommitState stateOf(List<CommitState> objects) {
        if (objects.contains(CommitState.PENDING)) {
            return CommitState.PENDING;
        }
        if (objects.contains(CommitState.FAILED)) {
            return CommitState.FAILED;
        }
        return !objects.isEmpty() && objects.stream().allMatch(state -> state == CommitState.SUPERSEDED)
                ? CommitState.SUPERSEDED
                : CommitState.APPLIED;
    }

    /**
     * @param kind {@code mdev}, {@code reservation}, {@code driver} or {@code policy}
     * @param object the UUID, or the queue; nothing for those of which a host has one
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
