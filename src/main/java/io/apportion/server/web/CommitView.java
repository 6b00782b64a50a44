package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.server.matrix.CommitRecord;
import io.apportion.server.matrix.CommitRecord.ObjectRecord;
import io.swagger.v3.oas.annotations.media.Schema;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One generation of a host on its way to its agent. */
record CommitView(
        @Schema(example = "4711") long id,
        @Schema(example = "lpar1") String host,
        @Schema(example = "118") long generation,

        @Schema(
                allowableValues = {"pending", "applied", "failed", "superseded"},
                description = "Of all its objects")
        String state,

        Instant at,
        @Schema(example = "token:ci") String actor,
        String requestId,
        @Schema(example = "assign") String cause,
        List<ObjectView> objects) {

    /**
     * What became of one object of the commit.
     *
     * @param object null for those of which a host has one
     * @param settledAt null while pending
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record ObjectView(
            @Schema(
                    allowableValues = {"mdev", "reservation", "driver", "policy"},
                    description = "policy: that the host is paused, or is so no more")
            String kind,

            @Schema(description = "The mdev's UUID, or the queue") @Nullable
            String object,

            @Schema(allowableValues = {"pending", "applied", "failed", "superseded"})
            String state,

            @Schema(example = "EADDRINUSE") @Nullable String errno,
            @Nullable String words,
            @Nullable Instant settledAt) {

        static ObjectView of(ObjectRecord object) {
            return new ObjectView(
                    object.kind(),
                    object.object().isEmpty() ? null : object.object(),
                    object.state().toString(),
                    object.errno(),
                    object.words(),
                    object.settledAt());
        }
    }

    static CommitView of(CommitRecord commit) {
        return new CommitView(
                commit.id(),
                commit.host(),
                commit.generation(),
                commit.state().toString(),
                commit.storedAt(),
                commit.actor(),
                commit.requestId(),
                commit.cause(),
                commit.objects().stream().map(ObjectView::of).toList());
    }
}
