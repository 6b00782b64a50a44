package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.Matrix;
import io.apportion.wire.ObservedHost.ObservedDefinition;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.Objects;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** What mdevctl has written down of an mdev on its host. Apportion only reads it. */
@JsonInclude(JsonInclude.Include.NON_NULL)
record DefinitionView(
        @Schema(
                allowableValues = {"auto", "manual"},
                description =
                        "auto: mdevctl makes the mdev at each boot of the host. Missing where it is not understood")
        @Nullable
        String start,

        @Schema(description = "What mdevctl would assign. Missing where it is not understood") @Nullable
        MatrixView assigned,

        @Schema(description = "Whether that is another matrix than what is assigned. Missing where either is not known")
        @Nullable
        Boolean differs,

        @Schema(description = "Why the definition is not understood", example = "it is no JSON") @Nullable
        String notUnderstood,

        @Schema(description = "What to do where mdevctl and Apportion would both make the mdev, or may come to")
        @Nullable
        String remedy) {

    private static final String KEEP_AWAY = "mdevctl undefine -u %1$s, or mdevctl modify -u %1$s --manual.";

    /** Of one of Apportion's own. */
    static @Nullable DefinitionView ofOwn(UUID uuid, @Nullable ObservedDefinition definition, Matrix assigned) {
        return of(
                uuid,
                definition,
                assigned,
                "At each boot of its host both mdevctl and Apportion make this mdev. On the host: " + KEEP_AWAY);
    }

    static @Nullable DefinitionView ofForeign(UUID uuid, @Nullable ObservedDefinition definition, Matrix assigned) {
        return of(
                uuid,
                definition,
                assigned,
                "mdevctl makes this mdev at each boot of the host. Once it is adopted, Apportion does; then on the"
                        + " host: "
                        + KEEP_AWAY);
    }

    /** Of one that is not on the host now. */
    static DefinitionView ofAbsent(UUID uuid, ObservedDefinition definition) {
        DefinitionView view = of(
                uuid,
                definition,
                null,
                "mdevctl makes this mdev at the next boot of the host, and its queues are then in use. On the host:"
                        + " mdevctl start -u %1$s makes it now, so that it can be adopted; otherwise "
                        + KEEP_AWAY);
        return Objects.requireNonNull(view);
    }

    /** @param assigned null: there is no mdev */
    private static @Nullable DefinitionView of(
            UUID uuid, @Nullable ObservedDefinition definition, @Nullable Matrix assigned, String remedy) {
        if (definition == null) {
            return null;
        }
        Matrix defined = definition.assigned();
        Boolean differs = null;
        if (defined != null && assigned != null) {
            differs = !defined.equals(assigned);
        }
        return new DefinitionView(
                definition.auto() ? "auto" : (defined == null ? null : "manual"),
                defined == null ? null : MatrixView.of(defined),
                differs,
                definition.words(),
                definition.auto() ? remedy.formatted(uuid) : null);
    }
}
