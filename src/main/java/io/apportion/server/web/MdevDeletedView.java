package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** What became of a deleted mdev. */
@JsonInclude(JsonInclude.Include.NON_NULL)
record MdevDeletedView(
        UUID uuid,
        @Schema(example = "lpar1") String host,

        @Schema(
                allowableValues = {"removed", "removing"},
                description = "removing: it goes when its guest has let go, and keeps its queues until then")
        String state,

        @Schema(description = "The host's policy is paused: nothing is pushed to it")
        boolean paused,

        @Nullable CommitStateView commit,
        List<EffectView> effects) {}
