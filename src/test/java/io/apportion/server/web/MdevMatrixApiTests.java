package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;

class MdevMatrixApiTests extends ServedApi {

    @ParameterizedTest
    @CsvSource({
        "adapters, adapters, 0x05, 0x05",
        "adapters, adapters, 5, 0x05",
        "domains, domains, 0x47, 0x0047",
        "domains, domains, 71, 0x0047",
        "control-domains, controlDomains, 0x0054, 0x0054",
        "control-domains, controlDomains, 0, 0x0000"
    })
    void assignsAndUnassignsNumbersOfAnyForm(String part, String name, String number, String shown) {
        agent();
        UUID mdev = UUID.randomUUID();
        json(put("/mdevs/" + mdev, "{\"host\": \"%s\"}".formatted(host)));
        String path = "/mdevs/" + mdev + "/" + part + "/" + number;

        assertThat(assigned(json(put(path)), name)).containsExactly(shown);
        assertThat(assigned(json(put(path)), name)).containsExactly(shown);
        assertThat(json(get("/mdevs/" + mdev))).containsEntry("version", 2);
        assertThat(assigned(json(delete(path)), name)).isEmpty();
        assertThat(assigned(json(delete(path)), name)).isEmpty();
        assertThat(json(get("/mdevs/" + mdev))).containsEntry("version", 3);
    }

    private static List<String> assigned(Map<String, Object> view, String name) {
        assertThat(view).containsKey("effects");
        return at("$.assigned." + name, view);
    }

    @Test
    void tellsWhatTheGuestGainsAndLoses() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4, 71]");
        agent.guests.put(mdev, "vm17");
        agent.report();

        Map<String, Object> view = json(put(
                "/mdevs/" + mdev + "/matrix", "{\"adapters\": [5], \"domains\": [4, 71], \"controlDomains\": [84]}"));

        assertThat(ServedApi.<List<Object>>at("$.effects", view))
                .containsExactly(
                        Map.of(
                                "mdev", mdev.toString(),
                                "guest", "vm17",
                                "plugged", matrix(List.of("0x05"), List.of(), List.of("0x0054")),
                                "unplugged", matrix(List.of(), List.of(), List.of()),
                                "cause", "assign"),
                        Map.of(
                                "mdev", mdev.toString(),
                                "guest", "vm17",
                                "plugged", matrix(List.of(), List.of(), List.of()),
                                "unplugged", matrix(List.of("0x04"), List.of(), List.of()),
                                "cause", "unassign"));
    }

    @Test
    void anIncompleteDomainLeavesTheRunningGuestAloneAndIsExplained() {
        ReportingAgent agent = agent();
        agent.unbind("05.0054");
        agent.report();
        UUID mdev = mdev("[4, 5]", "[4]");
        agent.guests.put(mdev, "vm17");
        agent.report();

        Map<String, Object> view = json(put("/mdevs/" + mdev + "/domains/0x54"));

        assertThat(view).containsEntry("effects", List.of());
        assertThat(ServedApi.<List<String>>at("$.guestMatrix.queues", view)).containsExactly("04.0004", "05.0004");
        assertThat(ServedApi.<List<String>>at("$.filtered[*].domain", view)).containsExactly("0x0054");
        assertThat(ServedApi.<List<String>>at("$.filtered[*].reason", view)).containsExactly("WOULD_UNPLUG_ADAPTERS");
        assertThat(ServedApi.<List<String>>at("$.atNextStart.adapters", view)).containsExactly("0x04");
    }

    private static Map<String, Object> matrix(
            List<String> adapters, List<String> domains, List<String> controlDomains) {
        return Map.of("adapters", adapters, "domains", domains, "controlDomains", controlDomains);
    }

    @Test
    void replacesAllThreeMasksOrNothing() {
        agent();
        UUID other = mdev("[6]", "[4]");
        UUID mdev = mdev("[4]", "[4]");
        String path = "/mdevs/" + mdev + "/matrix";

        assertThat(ServedApi.<List<String>>at(
                        "$.conflicts[*].mdev",
                        problem(put(path, "{\"adapters\": [5, 6], \"domains\": [4]}"), ProblemKind.QUEUE_IN_USE)))
                .containsExactly(other.toString());
        assertThat(json(get(path))).isEqualTo(matrix(List.of("0x04"), List.of("0x0004"), List.of()));

        json(put(path, "{\"adapters\": [5], \"domains\": [71], \"controlDomains\": [4]}"));
        assertThat(json(get(path))).isEqualTo(matrix(List.of("0x05"), List.of("0x0047"), List.of("0x0004")));
        json(put(path, "{}"));
        assertThat(json(get(path))).isEqualTo(matrix(List.of(), List.of(), List.of()));
    }

    @Test
    void showsTheMatrixInTheFormOfSysfs() {
        ReportingAgent agent = agent();
        agent.unbind("05.0047");
        agent.report();
        UUID mdev = mdev("[4, 5]", "[4, 71]");

        assertText("/mdevs/" + mdev + "/matrix", "04.0004\n04.0047\n05.0004\n05.0047\n");
        assertText("/mdevs/" + mdev + "/guest-matrix", "04.0004\n04.0047\n");
        json(put("/mdevs/" + mdev + "/matrix", "{\"adapters\": [4, 5]}"));
        assertText("/mdevs/" + mdev + "/matrix", "04.\n05.\n");
        json(put("/mdevs/" + mdev + "/matrix", "{\"domains\": [4, 71]}"));
        assertText("/mdevs/" + mdev + "/matrix", ".0004\n.0047\n");
        json(put("/mdevs/" + mdev + "/matrix", "{\"controlDomains\": [4]}"));
        assertText("/mdevs/" + mdev + "/matrix", "");
    }

    private void assertText(String path, String text) {
        var answer = api.get()
                .uri(path)
                .header(HttpHeaders.ACCEPT, "text/plain")
                .exchange()
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentTypeCompatibleWith(MediaType.TEXT_PLAIN)
                .returnResult(String.class);
        assertThat(answer.getResponseBody() == null ? "" : answer.getResponseBody())
                .isEqualTo(text);
        assertThat(answer.getResponseHeaders().getETag()).isNotNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "*/*", "application/json", "application/*, text/plain;q=0.5", "text/html, */*"})
    void showsJsonToWhoeverDoesNotAskForText(String accept) {
        agent();
        UUID mdev = mdev("[4]", "[4]");

        for (String part : List.of("/matrix", "/guest-matrix")) {
            var request = api.get().uri("/mdevs/" + mdev + part);
            (accept.isEmpty() ? request : request.header(HttpHeaders.ACCEPT, accept))
                    .exchange()
                    .expectStatus()
                    .isOk()
                    .expectHeader()
                    .contentType(MediaType.APPLICATION_JSON);
        }
    }

    @Test
    void tellsAProblemAlsoToWhoeverAsksForText() {
        problem(
                api.get()
                        .uri("/mdevs/" + UUID.randomUUID() + "/matrix")
                        .header(HttpHeaders.ACCEPT, "text/plain")
                        .exchange(),
                ProblemKind.NOT_FOUND);
    }

    @Test
    void showsWhatTheGuestGetsByTheRulesAndOnTheHost() {
        ReportingAgent agent = agent();
        agent.unbind("05.0047");
        agent.report();
        UUID mdev = mdev("[4, 5]", "[4, 71]");
        agent.report();

        Map<String, Object> view = json(get("/mdevs/" + mdev + "/guest-matrix"));

        assertThat(view).containsEntry("preview", true).containsEntry("drifted", false);
        assertThat(ServedApi.<List<String>>at("$.computed.queues", view)).containsExactly("04.0004", "04.0047");
        assertThat(ServedApi.<List<String>>at("$.observed.adapters", view)).containsExactly("0x04");
        assertThat(ServedApi.<List<String>>at("$.filtered[*].adapter", view)).containsExactly("0x05");
    }

    @ParameterizedTest
    @CsvSource({
        "adapters/05, AMBIGUOUS_NUMBER",
        "adapters/0x, MALFORMED_NUMBER",
        "adapters/-1, MALFORMED_NUMBER",
        "domains/0047, AMBIGUOUS_NUMBER",
        "domains/256, NUMBER_OUT_OF_RANGE",
        "domains/0x55, NUMBER_OUT_OF_RANGE",
        "control-domains/0x, MALFORMED_NUMBER",
        "adapters/0x40, NUMBER_OUT_OF_RANGE"
    })
    void refusesNumbersThatCannotBe(String part, ProblemKind kind) {
        agent();
        UUID mdev = mdev("[]", "[]");

        problem(put("/mdevs/" + mdev + "/" + part), kind);
    }
}
