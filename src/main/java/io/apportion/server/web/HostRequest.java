package io.apportion.server.web;

import io.apportion.ap.BindingMode;
import io.apportion.ap.GuestFilter;
import io.apportion.ap.Policy;
import io.apportion.server.matrix.HostSettings;
import io.swagger.v3.oas.annotations.media.Schema;
import jakarta.validation.constraints.Size;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What is to be set of a host; what is left out keeps its value, or has its default in a new host. */
@Schema(example = """
    {"labels": {"zone": "a"}, "description": "First LPAR", "filter": "incremental", "policy": "repair"}\
    """)
record HostRequest(
        @Schema(description = "All of them: they replace those there are") @Nullable
        Map<String, String> labels,

        @Size(max = 1024) @Nullable String description,

        @Schema(
                type = "string",
                allowableValues = {"incremental", "recompute"},
                description = "incremental in a new host")
        @Nullable
        GuestFilter filter,

        @Schema(
                type = "string",
                allowableValues = {"repair", "repair-all", "report", "paused"},
                description = "repair in a new host; paused: nothing is pushed")
        @Nullable
        Policy policy,

        @Schema(
                type = "string",
                allowableValues = {"masks", "override"},
                description = "Left out, a host is taken as it is. Only for admins")
        @Nullable
        BindingMode bindingMode) {

    /** @throws ProblemException if the labels cannot be */
    HostSettings settings() {
        return new HostSettings(Labels.checked(labels), description, filter, policy, bindingMode);
    }
}
