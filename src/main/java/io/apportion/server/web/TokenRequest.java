package io.apportion.server.web;

import io.apportion.server.identity.Role;
import io.swagger.v3.oas.annotations.media.Schema;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * @param name of whoever has it: events name it as {@code token:} and this. Two tokens may have one name, so that a new one
 *     can take the place of an old one
 * @param host of an agent, its only host; not for others
 * @param scope labels that a host must have for this operator to change anything there, mdevs included; not for others
 * @param expiresAt null: never
 */
@Schema(example = "{\"name\": \"ci\", \"role\": \"operator\"}")
record TokenRequest(
        @Schema(example = "ci")
        @NotNull
        @Pattern(
                regexp = "[A-Za-z0-9]([A-Za-z0-9._@-]{0,126}[A-Za-z0-9])?",
                message = "is not 1 to 128 letters, digits, dots, dashes, underscores or @")
        String name,

        @NotNull Role role,

        @Schema(example = "lpar1")
        @Pattern(regexp = "[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", message = "is not a host's name")
        @Nullable
        String host,

        @Schema(example = "{\"zone\": \"a\"}") @Nullable Map<String, String> scope,

        @Nullable Instant expiresAt) {}
