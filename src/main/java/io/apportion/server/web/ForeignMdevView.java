package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.Inventory.ForeignMdev;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** @param guest null: nobody holds it, or nobody can tell */
@JsonInclude(JsonInclude.Include.NON_NULL)
record ForeignMdevView(
        UUID uuid,
        @Schema(example = "lpar1") String host,
        MatrixView assigned,

        @Schema(description = "What the host shows; its control domains are shown nowhere")
        MatrixView guestMatrix,

        @Schema(example = "vm17") @Nullable String guest) {

    static ForeignMdevView of(UUID uuid, String host, ForeignMdev mdev) {
        return new ForeignMdevView(
                uuid,
                host,
                MatrixView.of(mdev.assigned()),
                MatrixView.of(mdev.guestMatrix()),
                mdev.guest() == null ? null : mdev.guest().name());
    }
}
