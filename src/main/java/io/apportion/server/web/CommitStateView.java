package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.CommitState;
import io.apportion.server.matrix.CommitRecord;
import io.apportion.server.matrix.CommitRecord.ObjectRecord;
import io.apportion.server.matrix.MdevState;
import io.apportion.server.matrix.Written;
import io.swagger.v3.oas.annotations.media.Schema;
import org.jspecify.annotations.Nullable;

/**
 * How far a change is on its way to the host.
 *
 * @param errno the kernel's word, where it failed
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record CommitStateView(
        @Schema(example = "4711") long id,
        @Schema(example = "118") long generation,

        @Schema(allowableValues = {"pending", "applied", "failed", "superseded"})
        String state,

        @Schema(example = "EADDRINUSE") @Nullable String errno,

        @Schema(description = "What happened, for people") @Nullable
        String words) {

    static @Nullable CommitStateView of(MdevState.@Nullable CommitOfMdev commit) {
        return commit == null
                ? null
                : new CommitStateView(
                        commit.id(), commit.generation(), commit.state().toString(), null, null);
    }

    static @Nullable CommitStateView pending(Written.@Nullable StoredCommit commit) {
        return commit == null
                ? null
                : new CommitStateView(commit.id(), commit.generation(), CommitState.PENDING.toString(), null, null);
    }

    /** Of one object of the commit, or, where it does not touch that object, of the whole commit. */
    static CommitStateView of(CommitRecord commit, String kind, String object) {
        for (ObjectRecord candidate : commit.objects()) {
            if (candidate.kind().equals(kind) && candidate.object().equals(object)) {
                return of(commit, candidate.state(), candidate);
            }
        }
        return of(commit);
    }

    static CommitStateView of(CommitRecord commit) {
        for (ObjectRecord candidate : commit.objects()) {
            if (candidate.state() == CommitState.FAILED) {
                return of(commit, commit.state(), candidate);
            }
        }
        return new CommitStateView(
                commit.id(), commit.generation(), commit.state().toString(), null, null);
    }

    private static CommitStateView of(CommitRecord commit, CommitState state, ObjectRecord why) {
        return new CommitStateView(commit.id(), commit.generation(), state.toString(), why.errno(), why.words());
    }
}
