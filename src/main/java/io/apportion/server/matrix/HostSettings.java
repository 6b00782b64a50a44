package io.apportion.server.matrix;

import io.apportion.ap.BindingMode;
import io.apportion.ap.GuestFilter;
import io.apportion.ap.Policy;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What users set of a host; null keeps what is, or the default of a new host. */
public record HostSettings(
        @Nullable Map<String, String> labels,
        @Nullable String description,
        @Nullable GuestFilter filter,
        @Nullable Policy policy,
        @Nullable BindingMode bindingMode) {}
