package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReservationApiTests extends ServedApi {

    private static final String NONE = "0x" + "0".repeat(64);

    @Test
    void isOnlyWhatTheHostShowsUntilSomebodySetsIt() {
        agent();

        assertThat(json(get("/hosts/" + host + "/reservation")))
                .containsEntry("managed", false)
                .containsEntry("apmask", NONE)
                .containsEntry("observed", Map.of("apmask", NONE, "aqmask", NONE));
    }

    @Test
    void namesEveryQueueFreedAndTakenBack() {
        ReportingAgent agent = agent();
        String path = "/hosts/" + host + "/reservation";

        Map<String, Object> first = json(put(
                path, "{\"apmask\": \"%s\", \"aqmask\": \"%s\"}".formatted(ApMask.of(5, 6), ApMask.of(0x53, 0x54))));
        assertThat(first)
                .containsEntry("managed", true)
                .containsEntry("adapters", List.of("0x05", "0x06"))
                .containsEntry("domains", List.of("0x0053", "0x0054"))
                .containsEntry("freed", List.of())
                .containsEntry("takenBack", List.of("05.0053", "05.0054", "06.0053", "06.0054"))
                .extractingByKey("commit")
                .extracting("state")
                .isEqualTo("pending");
        agent.report();

        assertThat(json(put(path, "{\"adapters\": [6], \"domains\": [\"0x53\", \"0x54\"]}")))
                .containsEntry("freed", List.of("05.0053", "05.0054"))
                .containsEntry("takenBack", List.of());
        agent.report();
        assertThat(json(delete(path)))
                .containsEntry("managed", false)
                .containsEntry("apmask", ApMask.of(6).toString())
                .containsEntry("freed", List.of())
                .containsEntry("takenBack", List.of());
    }

    @Test
    void isRefusedWhereItTouchesAnAssignedQueueWithTheOtherMaskTakenAsAllOnes() {
        agent();
        UUID mdev = mdev("[4]", "[4, 71]");

        // 04 is newly set: though no domain of the mdev is in aqmask, the kernel refuses it.
        Map<String, Object> problem = problem(
                put("/hosts/" + host + "/reservation", "{\"adapters\": [4], \"domains\": [\"0x53\"]}"),
                ProblemKind.QUEUE_IN_USE);

        assertThat(problem).containsEntry("errno", "EADDRINUSE").containsKey("remedy");
        assertThat(ServedApi.<List<Map<String, Object>>>at("$.conflicts", problem))
                .containsExactly(
                        Map.of("queue", "04.0004", "mdev", mdev.toString(), "host", host),
                        Map.of("queue", "04.0047", "mdev", mdev.toString(), "host", host));
        assertThat(json(get("/hosts/" + host + "/reservation"))).containsEntry("managed", false);
    }

    @Test
    void aDryRunShowsWhatWouldBeFreedAndChangesNothing() {
        agent();
        String body = "{\"adapters\": [6], \"domains\": [\"0x53\"]}";

        Map<String, Object> planned = json(put("/hosts/" + host + "/reservation?dryRun=true", body));

        assertThat(planned).containsEntry("takenBack", List.of("06.0053")).doesNotContainKey("commit");
        assertThat(json(get("/hosts/" + host + "/reservation"))).containsEntry("managed", false);
        Map<String, Object> done = json(put("/hosts/" + host + "/reservation", body));
        done.remove("commit");
        assertThat(done).isEqualTo(planned);
    }

    @Test
    void isShownWithItsHostAsMasksAlone() {
        agent();
        json(put("/hosts/" + host + "/reservation", "{\"adapters\": [6], \"domains\": [4]}"));

        assertThat(ServedApi.<Map<String, Object>>at("$.reservation", json(get("/hosts/" + host))))
                .isEqualTo(Map.of(
                        "managed", true,
                        "apmask", ApMask.of(6).toString(),
                        "aqmask", ApMask.of(4).toString(),
                        "observed", Map.of("apmask", NONE, "aqmask", NONE)));
    }

    @Test
    void hasNotDriftedIfItFailed() {
        ReportingAgent agent = agent();
        json(put("/hosts/" + host + "/reservation", "{\"adapters\": [6], \"domains\": [4]}"));
        agent.failing.put("", "EADDRINUSE");
        agent.report();

        assertThat(json(get("/hosts/" + host + "/reservation")))
                .containsEntry("drifted", false)
                .containsEntry("observed", Map.of("apmask", NONE, "aqmask", NONE));
        assertThat(ServedApi.<Boolean>at("$.drift.reservation", json(get("/hosts/" + host))))
                .isFalse();
    }

    @Test
    void isTaggedAsItsHost() {
        agent();
        String path = "/hosts/" + host + "/reservation";
        String tag = tag(get(path));
        assertThat(tag).isEqualTo(tag(get("/hosts/" + host)));

        json(put(path, "{\"adapters\": [6], \"domains\": [4]}", "If-Match", tag));

        problem(delete(path, "If-Match", tag), ProblemKind.STALE);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{}|MALFORMED_REQUEST",
                "{\"adapters\": []}|MALFORMED_REQUEST",
                "{\"apmask\": \"0x41\", \"aqmask\": \"0x41\"}|MALFORMED_NUMBER",
                "{\"apmask\": \"0x0000000000000000000000000000000000000000000000000000000000000000\", \"adapters\":"
                        + " [1], \"domains\": []}|MALFORMED_REQUEST",
                "{\"adapters\": [\"06\"], \"domains\": []}|AMBIGUOUS_NUMBER",
                "{\"adapters\": [256], \"domains\": []}|NUMBER_OUT_OF_RANGE"
            })
    void refusesMasksThatNobodyCanKnow(String body, ProblemKind kind) {
        problem(put("/hosts/" + host + "/reservation", body), kind);
    }
}
