package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.Inventory.ForeignMdev;
import io.apportion.wire.ObservedHost.ObservedDefinition;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * An mdev that Apportion did not make, or one that mdevctl would make.
 *
 * @param guest null: nobody holds it, or nobody can tell
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record ForeignMdevView(
        UUID uuid,
        @Schema(example = "lpar1") String host,

        @Schema(
                allowableValues = {"active", "defined"},
                description = "active: it is on the host. defined: mdevctl knows it, and it is not on the host now")
        String state,

        @Schema(description = "What the host shows, of one that is active") @Nullable
        MatrixView assigned,

        @Schema(description = "What the host shows, of one that is active; its control domains are shown nowhere")
        @Nullable
        MatrixView guestMatrix,

        @Schema(example = "vm17") @Nullable String guest,

        @Schema(description = "Of mdevctl; missing where it has none") @Nullable
        DefinitionView definition) {

    static ForeignMdevView of(UUID uuid, String host, ForeignMdev mdev, @Nullable ObservedDefinition definition) {
        return new ForeignMdevView(
                uuid,
                host,
                "active",
                MatrixView.of(mdev.assigned()),
                MatrixView.of(mdev.guestMatrix()),
                mdev.guest() == null ? null : mdev.guest().name(),
                DefinitionView.ofForeign(uuid, definition, mdev.assigned()));
    }

    static ForeignMdevView defined(UUID uuid, String host, ObservedDefinition definition) {
        return new ForeignMdevView(uuid, host, "defined", null, null, null, DefinitionView.ofAbsent(uuid, definition));
    }
}
