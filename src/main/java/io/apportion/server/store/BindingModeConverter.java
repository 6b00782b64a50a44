package io.apportion.server.store;

import io.apportion.ap.BindingMode;
import jakarta.persistence.Converter;

/** The binding mode by its word. */
@Converter(autoApply = true)
public final class BindingModeConverter extends WordConverter<BindingMode> {

    public BindingModeConverter() {
        super(BindingMode.values());
    }
}
