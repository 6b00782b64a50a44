package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HostPartsApiTests extends ServedApi {

    private static final String FOREIGN = "0f4e6a52-0000-4000-8000-00000000000f";

    @Test
    void showsAnAdapterWithItsQueuesAndWhoUsesIt() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4, 0x47]".replace("0x47", "\"0x47\""));
        agent.guests.put(mdev, "vm17");
        agent.unbind("04.0053");
        agent.report();

        Map<String, Object> view = json(get("/hosts/" + host + "/adapters/0x04"));

        assertThat(view)
                .containsEntry("adapter", "0x04")
                .containsEntry("type", "CEX8P")
                .containsEntry("mode", "EP11-Coproc")
                .containsEntry("serial", "93AA004")
                .containsEntry("state", "online")
                .containsEntry("inHostConfiguration", true)
                .containsEntry("domains", List.of("0x0004", "0x0047", "0x0053", "0x0054"))
                .containsEntry("boundDomains", List.of("0x0004", "0x0047", "0x0054"))
                .containsEntry("freeDomains", List.of("0x0053", "0x0054"))
                .containsEntry(
                        "mdevs",
                        List.of(Map.of("mdev", mdev.toString(), "foreign", false, "guest", "vm17", "inGuest", true)));
    }

    @Test
    void showsADeconfiguredAdapterAsItIs() {
        ReportingAgent agent = agent();
        agent.deconfigured = ApMask.of(5);
        agent.report();

        assertThat(json(get("/hosts/" + host + "/adapters/5"))).containsEntry("state", "deconfigured");
        assertThat(json(get("/hosts/" + host + "/queues/05.0004")))
                .containsEntry("state", "deconfigured")
                .containsEntry("impaired", true)
                .containsEntry("free", false);
    }

    @Test
    void listsAnAssignedAdapterThatIsNotThere() {
        agent();
        mdev("[4, 9]", "[4]");

        assertThat(ServedApi.<List<String>>at("$.items[*].adapter", json(get("/hosts/" + host + "/adapters"))))
                .containsExactly("0x04", "0x05", "0x06", "0x09");
        assertThat(json(get("/hosts/" + host + "/adapters/9"))).containsEntry("state", "no device");
        problem(get("/hosts/" + host + "/adapters/10"), ProblemKind.NOT_FOUND);
    }

    @Test
    void showsADomainAcrossItsAdapters() {
        ReportingAgent agent = agent();
        agent.unbind("05.0047");
        agent.report();
        UUID mdev = UUID.randomUUID();
        json(put("/mdevs/" + mdev, """
            {"host": "%s", "adapters": [4], "domains": [71], "controlDomains": [84]}\
            """.formatted(host)));

        Map<String, Object> view = json(get("/hosts/" + host + "/domains/0x0047"));
        assertThat(view)
                .containsEntry("inHostConfiguration", true)
                .containsEntry("controllable", true)
                .containsEntry("adapters", List.of("0x04", "0x05", "0x06"))
                .containsEntry("boundAdapters", List.of("0x04", "0x06"))
                .containsEntry("freeAdapters", List.of("0x05", "0x06"))
                .containsEntry("controlledBy", List.of());
        assertThat(ServedApi.<List<String>>at("$.mdevs[*].mdev", view)).containsExactly(mdev.toString());
        assertThat(ServedApi.<List<String>>at("$.controlledBy[*].mdev", json(get("/hosts/" + host + "/domains/0x54"))))
                .containsExactly(mdev.toString());
        problem(get("/hosts/" + host + "/domains/0x55"), ProblemKind.NOT_FOUND);
    }

    @Test
    void saysWhyAnAssignedQueueIsNotInTheGuest() {
        ReportingAgent agent = agent();
        agent.unbind("05.0047");
        agent.report();
        UUID mdev = mdev("[4, 5]", "[4, 71]");

        assertThat(json(get("/hosts/" + host + "/queues/05.0047")))
                .containsEntry("driver", "none")
                .containsEntry("mdev", mdev.toString())
                .containsEntry("inGuest", false)
                .containsEntry("whyNot", Map.of("adapter", "0x05", "reason", "QUEUE_NOT_BOUND", "why", "no driver"));
        assertThat(json(get("/hosts/" + host + "/queues/05.0004")))
                .containsEntry("driver", "vfio_ap")
                .containsEntry("whyNot", Map.of("adapter", "0x05", "reason", "QUEUE_NOT_BOUND"));
        assertThat(json(get("/hosts/" + host + "/queues/04.0047")))
                .containsEntry("inGuest", true)
                .doesNotContainKeys("whyNot", "guest");
    }

    @Test
    void saysWhoReservesAQueue() {
        ReportingAgent agent = agent();
        json(put("/hosts/" + host + "/reservation", "{\"adapters\": [6], \"domains\": [\"0x53\", \"0x54\"]}"));
        agent.report();

        assertThat(json(get("/hosts/" + host + "/queues/06.0053")))
                .containsEntry("reservedBy", "masks")
                .containsEntry("free", false);
        assertThat(json(get("/hosts/" + host + "/queues/06.0047"))).doesNotContainKey("reservedBy");
    }

    @Test
    void namesTheForeignMdevThatHasAQueue() {
        ReportingAgent agent = agent();
        agent.foreign.put(UUID.fromString(FOREIGN), new Matrix(ApMask.of(6), ApMask.of(4), ApMask.NONE));
        agent.report();

        assertThat(json(get("/hosts/" + host + "/queues/06.0004")))
                .containsEntry("foreignMdev", FOREIGN)
                .containsEntry("free", false)
                .doesNotContainKey("mdev");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "adapter=5|05.0004 05.0047 05.0053 05.0054",
                "domain=0x47|04.0047 05.0047 06.0047",
                "adapter=0x05&domain=71|05.0047",
                "bound=false|05.0047",
                "bound=true&adapter=5|05.0004 05.0053 05.0054",
                "free=true|04.0053 04.0054 05.0004 05.0047 05.0053 05.0054 06.0004 06.0047 06.0053 06.0054",
                "free=false|04.0004 04.0047",
                "mdev=$|04.0004 04.0047",
                "mdev=00000000-0000-4000-8000-000000000000|"
            })
    void findsQueues(String query, String queues) {
        ReportingAgent agent = agent();
        agent.unbind("05.0047");
        agent.report();
        UUID mdev = mdev("[4]", "[4, 71]");

        List<String> found = queues("/hosts/" + host + "/queues?limit=3&" + query.replace("$", mdev.toString()));

        assertThat(String.join(" ", found)).isEqualTo(queues == null ? "" : queues);
    }

    @Test
    void knowsNoQueueThatIsNowhere() {
        agent();

        problem(get("/hosts/" + host + "/queues/07.0004"), ProblemKind.NOT_FOUND);
        problem(get("/hosts/nowhere/queues"), ProblemKind.NOT_FOUND);
    }

    @ParameterizedTest
    @CsvSource({
        "/adapters/05, AMBIGUOUS_NUMBER",
        "/adapters/five, MALFORMED_NUMBER",
        "/adapters/0x100, NUMBER_OUT_OF_RANGE",
        "/domains/0047, AMBIGUOUS_NUMBER",
        "/queues/5.47, MALFORMED_NUMBER",
        "/queues/05.0147, NUMBER_OUT_OF_RANGE",
        "/queues?adapter=05, AMBIGUOUS_NUMBER",
        "/queues?mdev=1, MALFORMED_REQUEST",
        "/queues?bound=yes, MALFORMED_REQUEST",
        "/queues?free=1, MALFORMED_REQUEST",
        "/queues?cursor=bnVtYmVyczo0, MALFORMED_REQUEST"
    })
    void refusesNumbersThatNobodyCanKnow(String path, ProblemKind kind) {
        problem(get("/hosts/" + host + path), kind);
    }

    private List<String> queues(String path) {
        List<String> queues = new ArrayList<>();
        String cursor = "";
        while (true) {
            Map<String, Object> page = json(get(path + cursor));
            queues.addAll(at("$.items[*].queue", page));
            if (!page.containsKey("next")) {
                return queues;
            }
            cursor = "&cursor=" + page.get("next");
        }
    }
}
