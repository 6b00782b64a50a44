package io.apportion.server.matrix;

import io.apportion.ap.Plan;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a change came to.
 *
 * @param before null: the host did not exist
 * @param after as it is now, or, after a dry run, as it would be; for a deleted host as it was last
 * @param mdev the mdev that was changed, null for changes of the host. It is not in {@code after} once deleted
 * @param plan null where no matrix was concerned (labels, descriptions)
 * @param created whether the host or mdev is new
 * @param commit the commit that was stored, null when the desired state of the host did not change, and for a dry run
 */
public record Written(
        @Nullable HostState before,
        HostState after,
        @Nullable UUID mdev,
        @Nullable Plan plan,
        boolean created,
        @Nullable StoredCommit commit) {

    public record StoredCommit(long id, long generation) {}
}
