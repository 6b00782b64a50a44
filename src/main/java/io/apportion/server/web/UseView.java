package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * An mdev to which an adapter or a domain is assigned.
 *
 * @param guest null: none is attached
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record UseView(
        UUID mdev,
        @Schema(description = "Not made by Apportion") boolean foreign,
        @Schema(example = "vm17") @Nullable String guest,

        @Schema(description = "In the mdev's guest matrix; that of an mdev without guest is a preview")
        boolean inGuest) {}
