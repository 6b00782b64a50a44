package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.server.matrix.HostState.AdapterState;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One crypto card of a host, or the number of one that is assigned and not there. */
@JsonInclude(JsonInclude.Include.NON_NULL)
record AdapterView(
        @Schema(example = "0x05") AdapterNumber adapter,
        boolean inHostConfiguration,
        @Schema(example = "CEX8P") @Nullable String type,
        @Schema(example = "EP11-Coproc") @Nullable String mode,
        @Nullable String serial,

        @Schema(allowableValues = {"online", "offline", "deconfigured", "check-stopped", "no device"})
        String state,

        @Schema(description = "Domains with a queue device on this adapter")
        List<DomainNumber> domains,

        @Schema(description = "Those bound to vfio_ap") List<DomainNumber> boundDomains,

        @Schema(description = "Those that a new mdev could be assigned")
        List<DomainNumber> freeDomains,

        @Schema(description = "To which it is assigned") List<UseView> mdevs) {

    static String state(AdapterState card) {
        if (!card.configured()) {
            return "deconfigured";
        }
        if (card.checkstopped()) {
            return "check-stopped";
        }
        return card.online() ? "online" : "offline";
    }
}
