package io.apportion.server.web;

import io.apportion.ap.Matrix;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** All three masks at once; a list that is left out is empty. */
@Schema(example = """
    {"adapters": ["0x04", 5], "domains": ["0x0004", "0x0047"], "controlDomains": ["0x0047"]}\
    """)
record MatrixRequest(
        @Nullable List<AdapterNumber> adapters,
        @Nullable List<DomainNumber> domains,
        @Nullable List<DomainNumber> controlDomains) {

    Matrix matrix() {
        return matrix(adapters, domains, controlDomains);
    }

    static Matrix matrix(
            @Nullable List<AdapterNumber> adapters,
            @Nullable List<DomainNumber> domains,
            @Nullable List<DomainNumber> controlDomains) {
        return new Matrix(
                AdapterNumber.mask(adapters == null ? List.of() : adapters),
                DomainNumber.mask(domains == null ? List.of() : domains),
                DomainNumber.mask(controlDomains == null ? List.of() : controlDomains));
    }
}
