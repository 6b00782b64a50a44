package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.Explanation;
import io.apportion.ap.Queue;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One queue: its driver and state on the host, and who has it.
 *
 * @param desiredDriver null: unmanaged
 * @param mdev null: in no mdev of Apportion
 * @param guest null: in no attached guest
 * @param whyNot why a queue that is assigned is not in the guest matrix
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record QueueView(
        @Schema(example = "05.0047") Queue queue,
        @Schema(example = "0x05") AdapterNumber adapter,
        @Schema(example = "0x0047") DomainNumber domain,
        boolean inHostConfiguration,

        @Schema(allowableValues = {"vfio_ap", "default", "none", "no device"})
        String driver,

        @Schema(
                allowableValues = {"vfio_ap", "default", "none"},
                description = "Absent: unmanaged")
        @Nullable
        String desiredDriver,

        @Schema(allowableValues = {"online", "offline", "deconfigured", "check-stopped", "impaired", "no device"})
        String state,

        @Schema(description = "There and useless") boolean impaired,

        @Schema(
                allowableValues = {"masks", "driver", "administrator"},
                description = "Who keeps it for the host; absent: nobody")
        @Nullable
        String reservedBy,

        @Schema(description = "A new mdev could be assigned it")
        boolean free,

        @Nullable UUID mdev,
        @Nullable UUID foreignMdev,

        @Schema(description = "In the mdev's guest matrix; that of an mdev without guest is a preview")
        boolean inGuest,

        @Schema(example = "vm17") @Nullable String guest,
        @Nullable WhyNotView whyNot) {

    /**
     * What keeps the queue out: its adapter, or its domain, is filtered.
     *
     * @param why null: another queue is the cause
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record WhyNotView(
            @Nullable AdapterNumber adapter,
            @Nullable DomainNumber domain,
            Explanation.Reason reason,

            @Schema(description = "If this very queue is missing, why", example = "no device") @Nullable
            String why) {}
}
