package io.apportion.server.web;

import io.swagger.v3.oas.annotations.media.Schema;
import java.util.List;

/** One domain of a host, across its adapters. */
record DomainView(
        @Schema(example = "0x0047") DomainNumber domain,
        @Schema(description = "As a usage domain") boolean inHostConfiguration,

        @Schema(description = "The host may administer its keys")
        boolean controllable,

        @Schema(description = "Adapters with a queue device of this domain")
        List<AdapterNumber> adapters,

        @Schema(description = "Those bound to vfio_ap") List<AdapterNumber> boundAdapters,

        @Schema(description = "Those that a new mdev could be assigned")
        List<AdapterNumber> freeAdapters,

        @Schema(description = "To which it is assigned as a usage domain")
        List<UseView> mdevs,

        @Schema(description = "To which it is assigned as a control domain")
        List<UseView> controlledBy) {}
