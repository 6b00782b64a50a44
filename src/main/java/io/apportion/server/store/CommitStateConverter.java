package io.apportion.server.store;

import io.apportion.ap.CommitState;
import jakarta.persistence.Converter;

/** The state by its word. */
@Converter(autoApply = true)
public final class CommitStateConverter extends WordConverter<CommitState> {

    public CommitStateConverter() {
        super(CommitState.values());
    }
}
