package io.apportion.server.store;

import io.apportion.ap.Policy;
import jakarta.persistence.Converter;

/** The policy by its word. */
@Converter(autoApply = true)
public final class PolicyConverter extends WordConverter<Policy> {

    public PolicyConverter() {
        super(Policy.values());
    }
}
