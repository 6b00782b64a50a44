package io.apportion.server.matrix;

import io.apportion.ap.CommitState;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One mdev at one moment.
 *
 * @param guestSince null while no guest is attached
 * @param observed null: never seen on the host, or not there by the newest report
 * @param repair how often repairs of drift were ordered; pushed, so that the agent writes again
 * @param drifted applied, and the host shows something else
 * @param commit the newest that touches this mdev, null before the first
 */
public record MdevState(
        String host,
        Map<String, String> labels,
        long version,
        long born,
        Mdev mdev,
        @Nullable Instant guestSince,
        @Nullable Observed observed,
        int repair,
        boolean drifted,
        @Nullable CommitOfMdev commit) {

    public UUID uuid() {
        return mdev.uuid();
    }

    /** @param before null: it is new. Labels and assigned matrix together make one version */
    MdevState withLabels(Map<String, String> others, @Nullable MdevState before) {
        boolean next = before != null
                && before.version() == version
                && !before.labels().equals(others);
        return new MdevState(
                host, others, next ? version + 1 : version, born, mdev, guestSince, observed, repair, drifted, commit);
    }

    /** Of the desired part alone: labels and assigned matrix. Another one after deletion and re-creation. No quotes. */
    public String tag() {
        return born + "-" + version;
    }

    /**
     * What the host's newest report shows.
     *
     * @param generation the newest that the agent had applied when it read this, null: none yet
     * @param assigned the kernel's own assigned matrix: the claim, not what users assigned
     * @param guestMatrix control domains are those of {@code assigned} ∩ the host's, as the kernel shows them nowhere
     */
    public record Observed(@Nullable Long generation, Instant at, Matrix assigned, Matrix guestMatrix) {}

    /** @param state of this mdev in that commit */
    public record CommitOfMdev(long id, long generation, CommitState state) {}
}
