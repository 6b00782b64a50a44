package io.apportion.server.matrix;

import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Something that happened: who, what, why, before and after.
 *
 * @param position the id that people see: it follows the order of commits
 * @param detail a JSON object, as are {@code before} and {@code after}
 */
public record EventRecord(
        long position,
        Instant at,
        String type,
        String host,
        @Nullable UUID mdev,
        @Nullable String guest,
        String actor,
        String requestId,
        @Nullable String cause,
        @Nullable String detail,
        @Nullable String before,
        @Nullable String after) {}
