package io.apportion.server.matrix;

import io.apportion.ap.CommitState;
import io.apportion.server.store.CommitObjectRow;
import io.apportion.server.store.CommitRow;
import io.apportion.server.store.HostRow;
import io.apportion.server.store.MdevRow;
import io.apportion.wire.ObservedHost.Applied;
import io.apportion.wire.ObservedHost.ObjectResult;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

/**
 * What becomes of commits when an agent reports. Of several unsettled commits of one object, the newest that the reported
 * generation covers takes the result; those before it were never seen by themselves and are superseded.
 */
@Component
class Settlement {

    private final Stores stores;

    Settlement(Stores stores) {
        this.stores = stores;
    }

    /** Caller holds the matrix lock; the host's rows already show what was observed. */
    void settle(LockedHost host, Applied applied) {
        HostRow row = host.row();
        List<CommitObjectRow> open = stores.objects().unsettled(Objects.requireNonNull(row.id));
        if (open.isEmpty()) {
            return;
        }
        Map<String, ObjectResult> results = new HashMap<>();
        applied.results().forEach(result -> results.put(result.kind() + ' ' + result.id(), result));
        Set<String> changedLater = new HashSet<>();
        Set<String> newestSeen = new HashSet<>();
        Set<Long> concerned = new HashSet<>();
        for (CommitObjectRow object : open) {
            String key = object.kind + ' ' + object.object;
            if (object.generation > applied.generation()) {
                changedLater.add(key);
                continue;
            }
            if (!newestSeen.add(key)) {
                if (object.state == CommitState.PENDING) {
                    settle(host, object, CommitState.SUPERSEDED, null, null);
                    concerned.add(object.commitId);
                }
                object.unsettled = false;
                continue;
            }
            ObjectResult result = results.get(key);
            if (result == null && (changedLater.contains(key) || !hasNoResult(host, object))) {
                // Left alone, because its guest is not the one it was computed for: the next generation is on its way.
                // That it is gone from what is desired now says nothing of this generation if a later one took it away.
                newestSeen.remove(key);
                continue;
            }
            CommitState state = result == null || result.errno() == null ? CommitState.APPLIED : CommitState.FAILED;
            String errno = result == null ? null : result.errno();
            String words = result == null ? null : result.words();
            if (state != object.state || !Objects.equals(errno, object.errno) || !Objects.equals(words, object.words)) {
                settle(host, object, state, errno, words);
                concerned.add(object.commitId);
            }
            object.unsettled = state == CommitState.FAILED;
        }
        tell(host, concerned);
    }

    /**
     * An object that has nothing desired any more has no result; it is done when the host shows it no more. Nor has the
     * policy, which is taken up with whatever is applied under it: nothing is, while it is paused.
     */
    private static boolean hasNoResult(LockedHost host, CommitObjectRow object) {
        return switch (object.kind) {
            case CommitObjectRow.MDEV -> !host.hasMdev(UUID.fromString(object.object));
            case CommitObjectRow.POLICY -> true;
            case CommitObjectRow.RESERVATION -> host.state().matrix().managedReservation() == null;
            default ->
                host.state().matrix().drivers().keySet().stream()
                        .noneMatch(queue -> queue.toString().equals(object.object));
        };
    }

    private static void settle(
            LockedHost host,
            CommitObjectRow object,
            CommitState state,
            @Nullable String errno,
            @Nullable String words) {
        object.state = state;
        object.errno = errno;
        object.words = words;
        object.settledAt = host.now();
        if (object.kind.equals(CommitObjectRow.MDEV) && host.hasMdev(UUID.fromString(object.object))) {
            MdevRow mdev = host.mdev(UUID.fromString(object.object));
            if (mdev.commitId != null && mdev.commitId == object.commitId) {
                mdev.commitState = state;
            }
        }
        if (state == CommitState.FAILED) {
            Map<String, Object> detail = new HashMap<>();
            detail.put("generation", object.generation);
            detail.put("kind", object.kind);
            detail.put("object", object.object);
            detail.put("errno", String.valueOf(errno));
            if (words != null) {
                detail.put("words", words);
            }
            host.event(
                    "commit.failed",
                    object.kind.equals(CommitObjectRow.MDEV) ? UUID.fromString(object.object) : null,
                    null,
                    null,
                    detail,
                    null,
                    null);
        }
    }

    private void tell(LockedHost host, Set<Long> concerned) {
        if (concerned.isEmpty()) {
            return;
        }
        Map<Long, List<CommitObjectRow>> objects = stores.objects().findByCommitIdIn(concerned).stream()
                .collect(Collectors.groupingBy(object -> object.commitId));
        for (CommitRow commit : stores.commits().findByIdIn(List.copyOf(concerned))) {
            CommitState state = CommitRecord.stateOf(objects.getOrDefault(commit.id, List.of()).stream()
                    .map(object -> object.state)
                    .toList());
            if (state != CommitState.PENDING) {
                host.settled(new MatrixChanged.Settled(state, Duration.between(commit.storedAt, host.now())));
            }
        }
    }
}
