package io.apportion.server.matrix;

import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Which mdevs a list shows; null does not restrict.
 *
 * @param label {@code key=value}
 * @param atNextStartLess those whose running guest would get less at its next start
 * @param after those with a greater UUID alone: the order of the list is that of the UUIDs' text
 */
public record MdevSelection(
        @Nullable String host,
        @Nullable Integer adapter,
        @Nullable Integer domain,
        @Nullable String label,
        @Nullable Boolean filtered,
        @Nullable Boolean drifted,
        @Nullable Boolean impaired,
        @Nullable Boolean atNextStartLess,
        @Nullable UUID after,
        int limit) {}
