package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.ApMask;
import io.apportion.ap.Inventory;
import io.apportion.ap.Plan;
import io.apportion.ap.Queue;
import io.apportion.ap.Reservation;
import io.apportion.server.matrix.HostState;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a host keeps for its own drivers: every queue whose adapter is in apmask and whose domain is in aqmask.
 *
 * @param observed the masks that the host shows; null: no agent ever reported
 * @param freed only in the answer to a change, as are all that follow
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record ReservationView(
        @Schema(description = "Set through Apportion; otherwise it is only what the host shows")
        boolean managed,

        ApMask apmask,
        ApMask aqmask,
        @Schema(description = "The numbers of apmask") List<AdapterNumber> adapters,
        @Schema(description = "The numbers of aqmask") List<DomainNumber> domains,
        @Nullable MasksView observed,

        @Schema(description = "Managed and applied, and the host shows other masks")
        boolean drifted,

        @Schema(description = "Every queue that the host need not keep any more") @Nullable
        List<Queue> freed,

        @Schema(description = "Every queue that the host keeps from now on") @Nullable
        List<Queue> takenBack,

        @Nullable CommitStateView commit,
        @Nullable List<EffectView> effects) {

    record MasksView(ApMask apmask, ApMask aqmask) {

        /** @return null: no agent ever reported */
        static @Nullable MasksView observed(HostState host) {
            Inventory inventory = host.matrix().inventory();
            return inventory.reported()
                    ? new MasksView(
                            inventory.masks().apmask(), inventory.masks().aqmask())
                    : null;
        }
    }

    static ReservationView of(HostState host) {
        return of(host, null, null, null);
    }

    static ReservationView of(
            HostState host, @Nullable Plan plan, @Nullable CommitStateView commit, @Nullable List<EffectView> effects) {
        Reservation reservation = host.matrix().reservation();
        return new ReservationView(
                host.matrix().managedReservation() != null,
                reservation.apmask(),
                reservation.aqmask(),
                AdapterNumber.in(reservation.apmask()),
                DomainNumber.in(reservation.aqmask()),
                MasksView.observed(host),
                host.reservationDrifted(),
                plan == null ? null : plan.freed().queues().toList(),
                plan == null ? null : plan.takenBack().queues().toList(),
                commit,
                effects);
    }
}
