package io.apportion.server.web;

import io.swagger.v3.oas.annotations.media.Schema;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import jakarta.validation.constraints.Size;

/** A guest that is attached to an mdev. */
@Schema(example = "{\"name\": \"vm17\"}")
record GuestRequest(
        @NotNull
        // Not left to the pattern: it takes a pair of surrogates for one character, the database for two.
        @Size(min = 1, max = 255, message = "is not 1 to 255 characters long")
        @Pattern(regexp = "[^\\p{Cntrl}]*", message = "holds a control character")
        @Schema(requiredMode = Schema.RequiredMode.REQUIRED)
        String name) {}
