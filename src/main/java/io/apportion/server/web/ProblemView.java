package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.swagger.v3.oas.annotations.media.Schema;
import java.net.URI;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Says why not, as RFC 9457 has it.
 *
 * @param type relative URI, {@code /problems/} and the kind's slug
 * @param errno the kernel's word, for example {@code EADDRINUSE}
 * @param conflicts all queues that stand in the way
 * @param numbers all numbers that cannot be taken
 * @param losses what each guest concerned would lose
 * @param mdevs those that stand in the way
 * @param oldest the oldest position there is
 * @param remedy what to do, in words
 */
@Schema(name = "Problem")
@JsonInclude(JsonInclude.Include.NON_NULL)
record ProblemView(
        @Schema(implementation = String.class, format = "uri-reference", example = "/problems/queue-in-use")
        URI type,

        String title,
        int status,
        String detail,
        String instance,
        @Nullable String errno,
        String requestId,
        @Nullable List<Conflict> conflicts,
        @Nullable List<BadNumber> numbers,
        @Nullable List<EffectView> losses,
        @Nullable List<UUID> mdevs,
        @Nullable Long oldest,
        String remedy) {

    /**
     * A queue that somebody else has.
     *
     * @param mdev who has it, if an mdev
     * @param foreign true if that mdev is not Apportion's
     * @param reservedBy who keeps it, if no mdev: {@code masks}, {@code driver} or {@code administrator}
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Conflict(
            String queue,
            @Nullable UUID mdev,
            @Nullable Boolean foreign,
            @Nullable String reservedBy,
            String host) {}

    /**
     * A number that cannot be taken.
     *
     * @param at where: the parameter's name, or the place in the body as a JSON pointer
     * @param value as it was sent, perhaps cut off
     * @param type the kind of this number's problem
     */
    record BadNumber(
            String at,
            String value,

            @Schema(implementation = String.class, format = "uri-reference", example = "/problems/ambiguous-number")
            URI type,

            String detail) {}
}
