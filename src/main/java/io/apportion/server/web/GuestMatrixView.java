package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.Mdev;
import io.apportion.ap.Queue;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MdevState;
import io.apportion.server.web.MdevView.ObservedView;
import io.apportion.server.web.MdevView.RectangleView;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the guest of an mdev gets: by the rules and on the host, with the explanation of everything filtered.
 *
 * @param observed null: never seen on the host, or not there by the newest report
 * @param atNextStart only where a running guest would get another matrix than it has
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record GuestMatrixView(
        @Schema(description = "By the rules: what the guest has, or, while none is attached, the preview")
        RectangleView computed,

        @Nullable ObservedView observed,
        List<FilteredView> filtered,
        @Schema(description = "No guest is attached") boolean preview,

        @Schema(description = "Queues of the guest matrix that are there and useless")
        List<Queue> impaired,

        @Nullable RectangleView atNextStart,

        @Schema(description = "Applied, and the host shows something else")
        boolean drifted) {

    static GuestMatrixView of(HostState host, MdevState state) {
        Mdev mdev = state.mdev();
        return new GuestMatrixView(
                RectangleView.of(mdev.guestMatrix()),
                ObservedView.of(state.observed()),
                FilteredView.of(host.matrix().explain(mdev)),
                mdev.guest() == null,
                host.matrix().impaired(mdev).queues().toList(),
                MdevView.atNextStart(host.matrix(), mdev),
                state.drifted());
    }
}
