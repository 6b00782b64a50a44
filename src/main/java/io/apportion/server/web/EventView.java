package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonRawValue;
import io.apportion.server.matrix.EventRecord;
import io.swagger.v3.oas.annotations.media.Schema;
import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Something that happened: who, what, why, before and after.
 *
 * @param id its position: it follows the order of commits, so that nobody who resumes after it misses an event
 * @param detail JSON as stored, as are before and after
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record EventView(
        @Schema(example = "90210") long id,
        Instant at,
        @Schema(example = "guest.adapter.unplugged") String type,
        @Schema(example = "lpar1") String host,
        @Nullable UUID mdev,
        @Schema(example = "vm17") @Nullable String guest,
        @Schema(example = "agent:lpar1") String actor,
        String requestId,
        @Schema(example = "unbind") @Nullable String cause,

        @JsonRawValue
        @Schema(implementation = Object.class, example = "{\"adapters\": [\"0x04\"], \"because\": [\"04.0004\"]}")
        @Nullable
        String detail,

        @JsonRawValue @Schema(implementation = Object.class) @Nullable
        String before,

        @JsonRawValue @Schema(implementation = Object.class) @Nullable
        String after) {

    static EventView of(EventRecord event) {
        return new EventView(
                event.position(),
                event.at(),
                event.type(),
                event.host(),
                event.mdev(),
                event.guest(),
                event.actor(),
                event.requestId(),
                event.cause(),
                event.detail(),
                event.before(),
                event.after());
    }
}
