package io.apportion.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost.ObjectResult;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.DatabindException;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

class WireFormatTests {

    private static final ObservedHost OBSERVED = SimulatedHost.builder()
            .cards(4, 5)
            .domains(4, 0x47)
            .allForGuests()
            .build()
            .read();

    private static ObjectNode json() {
        return (ObjectNode) WireFormat.MAPPER.valueToTree(OBSERVED);
    }

    @Test
    void readsWhatItWrote() {
        String written = WireFormat.MAPPER.writeValueAsString(OBSERVED);

        assertThat(WireFormat.MAPPER.readValue(written, ObservedHost.class)).isEqualTo(OBSERVED);
        assertThat(written).doesNotContain("\n").doesNotContain("\"empty\"");
    }

    @Test
    void ignoresFieldsThatItDoesNotKnow() {
        ObjectNode json = json().put("colour", "red");

        assertThat(WireFormat.MAPPER.treeToValue(json, ObservedHost.class)).isEqualTo(OBSERVED);
    }

    @ParameterizedTest
    @ValueSource(strings = {"hostConfiguration", "masks", "adapters", "mdevs", "applied"})
    void takesAsUnknownWhatIsNullableAndMissing(String field) {
        ObjectNode json = json();
        json.remove(field);

        assertThat(WireFormat.MAPPER.treeToValue(json, ObservedHost.class)).isNotNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"kernelRelease", "features", "maxAdapter", "keep"})
    void refusesWhatIsNotNullableAndMissingOrNull(String field) {
        ObjectNode missing = json();
        missing.remove(field);
        ObjectNode isNull = json().putNull(field);

        assertThatThrownBy(() -> WireFormat.MAPPER.treeToValue(missing, ObservedHost.class))
                .isInstanceOf(DatabindException.class);
        assertThatThrownBy(() -> WireFormat.MAPPER.treeToValue(isNull, ObservedHost.class))
                .isInstanceOf(DatabindException.class);
    }

    @Test
    void refusesAMaskMissingInACardOrANullAmongTheCards() {
        ObjectNode noMask = json();
        ((ObjectNode) noMask.path("adapters").get(0)).remove("bound");
        ObjectNode nullCard = json();
        ((ArrayNode) nullCard.path("adapters")).addNull();

        assertThatThrownBy(() -> WireFormat.MAPPER.treeToValue(noMask, ObservedHost.class))
                .isInstanceOf(DatabindException.class);
        assertThatThrownBy(() -> WireFormat.MAPPER.treeToValue(nullCard, ObservedHost.class))
                .isInstanceOf(DatabindException.class);
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 256})
    void refusesAnAdapterThatNoMachineHas(int adapter) {
        ObjectNode json = (ObjectNode) json().path("adapters").get(0);
        json.put("adapter", adapter);

        assertThatThrownBy(() -> WireFormat.MAPPER.treeToValue(json, ObservedAdapter.class))
                .isInstanceOf(DatabindException.class);
    }

    @Test
    void cutsWordsForPeopleAndRefusesNamesThatAreTooLong() {
        ObjectResult result = new ObjectResult("mdev", "x", "EBUSY", "nul \0, half \ud83d " + "x".repeat(5000));

        assertThat(result.words()).startsWith("nul ?, half ? xxx").hasSize(4096);
        assertThatThrownBy(() -> new Report.Hello("i".repeat(65), "boot", "machine"))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Report.Hello("instance", "bo\not", "machine"))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
