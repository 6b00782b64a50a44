package io.apportion.server.matrix;

import io.apportion.wire.ObservedHost.ObservedDefinition;
import io.apportion.wire.WireFormat;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.type.TypeReference;

/**
 * What mdevctl would make of mdevs on one host, as its agent read it last. A definition says nothing of what is there now.
 *
 * <p>Taken apart only where somebody asks: most who load a host do not.
 */
public final class Definitions {

    /** As the column has it. What is longer is not known. */
    private static final int LONGEST = 1_000_000;

    private static final TypeReference<List<ObservedDefinition>> LIST = new TypeReference<>() {};

    private final @Nullable String text;
    private @Nullable List<ObservedDefinition> all;
    private @Nullable Map<UUID, ObservedDefinition> byMdev;

    /** @param text as stored; null: not known */
    Definitions(@Nullable String text) {
        this.text = text;
    }

    static @Nullable String text(List<ObservedDefinition> definitions) {
        String text = WireFormat.MAPPER.writeValueAsString(definitions);
        return text.length() > LONGEST ? null : text;
    }

    /** Whether an agent ever read them. */
    public boolean known() {
        return text != null;
    }

    /** In the order in which they were read. */
    public synchronized List<ObservedDefinition> all() {
        if (all == null) {
            all = text == null ? List.of() : WireFormat.MAPPER.readValue(text, LIST);
        }
        return all;
    }

    /** Those whose name says which mdev they mean. Of two for one mdev that which mdevctl starts by itself. */
    public synchronized Map<UUID, ObservedDefinition> byMdev() {
        if (byMdev == null) {
            Map<UUID, ObservedDefinition> found = new HashMap<>();
            for (ObservedDefinition definition : all()) {
                UUID uuid = definition.uuid();
                if (uuid != null) {
                    found.merge(uuid, definition, (one, other) -> one.auto() ? one : other);
                }
            }
            byMdev = found;
        }
        return byMdev;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Definitions definitions && Objects.equals(text, definitions.text);
    }

    @Override
    public int hashCode() {
        return Objects.hashCode(text);
    }

    @Override
    public String toString() {
        return text == null ? "unknown" : text;
    }
}
