package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.Guest;
import io.apportion.server.matrix.MdevState;
import io.swagger.v3.oas.annotations.media.Schema;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** The virtual machine that has an mdev open. */
@JsonInclude(JsonInclude.Include.NON_NULL)
record GuestView(
        boolean attached,
        @Schema(example = "vm17") @Nullable String name,
        @Nullable Instant since) {

    static GuestView of(MdevState state) {
        Guest guest = state.mdev().guest();
        return guest == null ? new GuestView(false, null, null) : new GuestView(true, guest.name(), state.guestSince());
    }
}
