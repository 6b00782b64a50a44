package io.apportion.server.web;

import io.apportion.ap.Queue;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.List;

/** Where a new mdev could be placed. Nothing is held: whoever creates the mdev first has it. */
record PlacementsView(
        @Schema(description = "The best first") List<PlacementView> items, List<RejectedView> rejected) {

    /** A free rectangle of a host. */
    record PlacementView(
            @Schema(example = "lpar1") String host,
            List<AdapterNumber> adapters,
            List<DomainNumber> domains,

            @Schema(description = "Queues of it that are yet to be bound to vfio_ap")
            List<Queue> bind,

            @Schema(description = "The host's agent is connected")
            boolean connected,

            @Schema(description = "The host's policy is paused: nothing is pushed to it")
            boolean paused,

            @Schema(description = "Free queues that would be left on the host")
            int freeQueuesLeft) {}

    record RejectedView(
            @Schema(example = "lpar2") String host,
            RejectionReason reason,
            @Schema(description = "In words") String detail) {}

    enum RejectionReason {
        /** No agent ever reported. */
        HOST_NEVER_REPORTED,
        /** No adapter of the type asked for that is configured and not check-stopped. */
        NO_SUCH_ADAPTER,
        /** Too few adapters have so many free domains. */
        TOO_FEW_FREE_ADAPTERS,
        /** No so many adapters have so many free domains in common. */
        NO_COMMON_DOMAINS,
        /** The search was cut short: there may be one. */
        NOT_FOUND_IN_TIME
    }
}
