package io.apportion.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost.ObjectResult;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedDefinition;
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
    @ValueSource(strings = {"hostConfiguration", "masks", "adapters", "mdevs", "definitions", "applied"})
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

    /** As agents sent it before they looked at definitions, and as they send it since. */
    @Test
    void takesARecordedReportOfAnOlderAgentAndOfThisOne() {
        String older = """
            {"kernelRelease":"6.19.0","features":{"guestMatrix":true,"apConfig":true,"guests":true},"maxAdapter":63,\
            "maxDomain":84,"hostConfiguration":null,"masks":null,"keep":{"adapters":"%1$s","domains":"%1$s"},\
            "adapters":null,"mdevs":[],"applied":null}\
            """.formatted(ApMask.NONE);
        String present = older.replace("\"applied\"", """
            "definitions":[{"name":"62177883-f1bb-47f0-914d-32a22e3a8804","auto":true,"assigned":{"adapters":"%1$s",\
            "domains":"%1$s","controlDomains":"%1$s"},"words":null},{"name":"notes","auto":false,"assigned":null,\
            "words":"it is no JSON"}],"applied\"\
            """.formatted(ApMask.NONE));

        assertThat(WireFormat.MAPPER.readValue(older, ObservedHost.class).definitions())
                .isNull();
        ObservedHost read = WireFormat.MAPPER.readValue(present, ObservedHost.class);
        assertThat(read.definitions())
                .containsExactly(
                        new ObservedDefinition("62177883-f1bb-47f0-914d-32a22e3a8804", true, Matrix.EMPTY, null),
                        new ObservedDefinition("notes", false, null, "it is no JSON"));
        assertThat(WireFormat.MAPPER.writeValueAsString(read)).isEqualTo(present);
    }

    @Test
    void refusesMoreDefinitionsThanThereMayBe() {
        ObjectNode json = json();
        ArrayNode definitions = json.putArray("definitions");
        for (int i = 0; i <= ObservedHost.MOST_DEFINITIONS; i++) {
            definitions.addObject().put("name", "a").put("auto", false);
        }

        assertThatThrownBy(() -> WireFormat.MAPPER.treeToValue(json, ObservedHost.class))
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
