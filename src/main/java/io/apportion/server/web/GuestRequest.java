package io.apportion.server.web;

import io.swagger.v3.oas.annotations.media.Schema;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;

/** A guest that is attached to an mdev. */
@Schema(example = "{\"name\": \"vm17\"}")
record GuestRequest(
        @NotNull
        @Pattern(regexp = "[^\\p{Cntrl}]{1,255}", message = "is not 1 to 255 printable characters")
        @Schema(requiredMode = Schema.RequiredMode.REQUIRED)
        String name) {}
