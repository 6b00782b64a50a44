package io.apportion.server.web;

import io.apportion.server.matrix.MdevSettings;
import io.swagger.v3.oas.annotations.media.Schema;
import jakarta.validation.constraints.NotNull;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An mdev, whole: a list that is left out is empty, while labels that are left out are kept. */
@Schema(example = """
    {"host": "lpar1", "labels": {"tenant": "bank"}, "adapters": ["0x04", 5], "domains": ["0x0053"], "controlDomains": []}\
    """)
record MdevRequest(
        @NotNull @Schema(requiredMode = Schema.RequiredMode.REQUIRED)
        String host,

        @Nullable Map<String, String> labels,
        @Nullable List<AdapterNumber> adapters,
        @Nullable List<DomainNumber> domains,
        @Nullable List<DomainNumber> controlDomains) {

    /** @throws ProblemException if the labels cannot be */
    MdevSettings settings() {
        return new MdevSettings(host, Labels.checked(labels), MatrixRequest.matrix(adapters, domains, controlDomains));
    }
}
