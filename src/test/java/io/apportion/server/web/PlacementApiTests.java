package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueSet;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PlacementApiTests extends ServedApi {

    /** Hosts of other tests are left out by it. */
    private String label;

    @BeforeEach
    void labelTheHost() {
        label = "test=" + host;
        label(host);
    }

    private void label(String name) {
        json(put("/hosts/" + name, "{\"labels\": {\"test\": \"%s\"}}".formatted(host)));
    }

    private ReportingAgent another(String name) {
        label(name);
        ReportingAgent agent = new ReportingAgent(name, queries, reports);
        agent.report();
        return agent;
    }

    @Test
    void findsAFreeRectangle() {
        agent();
        mdev("[4]", "[4, 71]");

        Map<String, Object> found = json(get("/placements?adapters=3&domains=2&label=" + label));

        assertThat(ServedApi.<List<Object>>at("$.items", found)).hasSize(1);
        assertThat(ServedApi.<Map<String, Object>>at("$.items[0]", found))
                .containsEntry("host", host)
                .containsEntry("adapters", List.of("0x04", "0x05", "0x06"))
                .containsEntry("domains", List.of("0x0053", "0x0054"))
                .containsEntry("bind", List.of())
                .containsEntry("connected", true)
                .containsEntry("paused", false)
                .containsEntry("freeQueuesLeft", 4);
        post("/mdevs", """
            {"host": "%s", "adapters": [4, 5, 6], "domains": ["0x0053", "0x0054"]}\
            """.formatted(host)).expectStatus().isCreated();
    }

    @Test
    void ranksHostsWithLessToBindFirstAndThenThoseWithMoreLeft() {
        ReportingAgent first = agent();
        first.bound = first.bound.within(ApMask.of(4, 5), ReportingAgent.DOMAINS);
        first.report();
        another(host + "-b");
        ReportingAgent third = another(host + "-c");
        third.bound = third.bound.within(ApMask.NONE, ApMask.NONE);
        third.report();
        another(host + "-d");
        json(put("/hosts/" + host + "-d", "{\"policy\": \"paused\"}"));
        another(host + "-e");
        json(put(
                "/mdevs/" + UUID.randomUUID(),
                "{\"host\": \"%s-e\", \"adapters\": [4], \"domains\": [4]}".formatted(host)));

        Map<String, Object> found = json(get("/placements?adapters=3&domains=1&label=" + label));

        assertThat(ServedApi.<List<String>>at("$.items[*].host", found))
                .containsExactly(host + "-b", host + "-e", host, host + "-c", host + "-d");
        assertThat(ServedApi.<List<String>>at("$.items[2].bind", found)).containsExactly("06.0004");
    }

    @Test
    void saysWhyAHostIsRejected() {
        agent();
        label(host + "-silent");
        ReportingAgent holes = another(host + "-holes");
        holes.devices = QueueSet.of(new Queue(4, 4), new Queue(5, 0x47), new Queue(6, 0x53));
        holes.bound = holes.devices;
        holes.report();

        assertThat(rejections("adapters=2&domains=1"))
                .isEqualTo(Map.of(host + "-silent", "HOST_NEVER_REPORTED", host + "-holes", "NO_COMMON_DOMAINS"));
        assertThat(rejections("adapters=2&type=CEX7P&host=" + host)).isEqualTo(Map.of(host, "TOO_FEW_FREE_ADAPTERS"));
        assertThat(rejections("type=CEX5A&host=" + host)).isEqualTo(Map.of(host, "NO_SUCH_ADAPTER"));
    }

    private Map<Object, Object> rejections(String query) {
        List<Map<String, Object>> rejected = at("$.rejected", json(get("/placements?label=" + label + "&" + query)));
        assertThat(rejected)
                .allSatisfy(rejection ->
                        assertThat(rejection.get("detail")).asString().isNotEmpty());
        return rejected.stream().collect(Collectors.toMap(each -> each.get("host"), each -> each.get("reason")));
    }

    @Test
    void looksAtAdaptersOfOneTypeAlone() {
        agent();

        assertThat(ServedApi.<List<String>>at("$.items[0].adapters", json(get("/placements?type=CEX7P&host=" + host))))
                .containsExactly("0x06");
    }

    @ParameterizedTest
    @ValueSource(strings = {"adapters=0", "domains=257", "adapters=x", "label=zone", "adapter=2"})
    void refusesWhatNobodyCanKnow(String query) {
        problem(get("/placements?" + query), ProblemKind.MALFORMED_REQUEST);
    }

    @Test
    void knowsNoHostThatIsNotThere() {
        problem(get("/placements?host=nowhere"), ProblemKind.NOT_FOUND);
    }
}
