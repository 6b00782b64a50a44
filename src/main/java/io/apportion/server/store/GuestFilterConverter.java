package io.apportion.server.store;

import io.apportion.ap.GuestFilter;
import jakarta.persistence.Converter;

/** The filter by its word. */
@Converter(autoApply = true)
public final class GuestFilterConverter extends WordConverter<GuestFilter> {

    public GuestFilterConverter() {
        super(GuestFilter.values());
    }
}
