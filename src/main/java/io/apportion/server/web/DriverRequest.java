package io.apportion.server.web;

import io.apportion.ap.QueueDriver;
import io.swagger.v3.oas.annotations.media.Schema;
import jakarta.validation.constraints.NotNull;

/** Which driver a queue shall have. */
@Schema(example = "{\"driver\": \"vfio_ap\"}")
record DriverRequest(
        @NotNull
        @Schema(
                type = "string",
                allowableValues = {"vfio_ap", "default", "none"},
                description = "vfio_ap: may be given to mdevs; default: the host's own driver; none: serves nobody",
                requiredMode = Schema.RequiredMode.REQUIRED)
        QueueDriver driver) {}
