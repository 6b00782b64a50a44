package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QueueDriverApiTests extends ServedApi {

    @Test
    void isUnmanagedUntilSomebodySetsIt() {
        ReportingAgent agent = agent();
        agent.unbind("05.0047");
        agent.report();
        String path = "/hosts/" + host + "/queues/05.0047/driver";

        assertThat(json(get(path))).containsEntry("driver", "none").doesNotContainKey("desiredDriver");
        assertThat(json(put(path, "{\"driver\": \"vfio_ap\"}")))
                .containsEntry("desiredDriver", "vfio_ap")
                .containsEntry("effects", List.of())
                .containsKey("commit");
        assertThat(json(get("/hosts/" + host + "/queues/05.0047"))).containsEntry("desiredDriver", "vfio_ap");
        assertThat(json(delete(path))).doesNotContainKey("desiredDriver");
        assertThat(json(get(path))).doesNotContainKey("desiredDriver");
    }

    @Test
    void takingAQueueFromARunningGuestNeedsForce() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4, 5]", "[4, 71]");
        agent.guests.put(mdev, "vm17");
        agent.report();
        String path = "/hosts/" + host + "/queues/05.0047/driver";

        Map<String, Object> problem = problem(put(path, "{\"driver\": \"none\"}"), ProblemKind.GUEST_ATTACHED);
        assertThat(ServedApi.<List<List<String>>>at("$.losses[*].unplugged.adapters", problem))
                .containsExactly(List.of("0x05"));

        Map<String, Object> planned = json(put(path + "?force=true&dryRun=true", "{\"driver\": \"none\"}"));
        Map<String, Object> done = json(put(path + "?force=true", "{\"driver\": \"none\"}"));
        done.remove("commit");
        assertThat(done).isEqualTo(planned);
        assertThat(ServedApi.<List<Object>>at("$.effects", done)).hasSize(1);
        assertThat(ServedApi.<Map<String, Object>>at("$.effects[0]", done))
                .containsEntry("mdev", mdev.toString())
                .containsEntry("guest", "vm17")
                .containsEntry("cause", "unbind")
                .containsEntry(
                        "unplugged",
                        Map.of("adapters", List.of("0x05"), "domains", List.of(), "controlDomains", List.of()));
        assertThat(ServedApi.<List<String>>at("$.guestMatrix.adapters", json(get("/mdevs/" + mdev))))
                .containsExactly("0x04");
    }

    @Test
    void isMadeUnmanagedWithoutForceAsNoGuestLosesByIt() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4, 5]", "[4, 71]");
        agent.guests.put(mdev, "vm17");
        agent.report();
        String path = "/hosts/" + host + "/queues/05.0047/driver";
        json(put(path + "?force=true", "{\"driver\": \"none\"}"));

        problem(delete(path + "?force=true"), ProblemKind.MALFORMED_REQUEST);
        // The agent has not taken it from vfio_ap yet: what the guest had, it has again.
        assertThat(ServedApi.<List<List<String>>>at("$.effects[*].plugged.adapters", json(delete(path))))
                .containsExactly(List.of("0x05"));
    }

    /** The agent of this test binds and unbinds nothing, whatever it says of it. */
    @Test
    void hasDriftedIfItWasDoneAndIsNotSoAndNotIfItFailed() {
        ReportingAgent agent = agent();
        json(put("/hosts/" + host, "{\"policy\": \"report\"}"));
        String queues = "/hosts/" + host + "/queues/";
        json(put(queues + "05.0047/driver", "{\"driver\": \"none\"}"));
        json(put(queues + "05.0053/driver", "{\"driver\": \"none\"}"));
        agent.failing.put("05.0047", "EBUSY");
        agent.report();

        assertThat(json(get(queues + "05.0053/driver"))).containsEntry("drifted", true);
        assertThat(json(get(queues + "05.0047/driver"))).containsEntry("drifted", false);
        assertThat(ServedApi.<List<String>>at("$.drift.drivers", json(get("/hosts/" + host))))
                .containsExactly("05.0053");
    }

    @Test
    void saysWhichMaskChangeWouldDoIt() {
        ReportingAgent agent = agent();
        json(put("/hosts/" + host + "/reservation", "{\"adapters\": [6], \"domains\": [\"0x53\"]}"));
        agent.report();

        assertThat(problem(
                                put("/hosts/" + host + "/queues/06.0053/driver", "{\"driver\": \"vfio_ap\"}"),
                                ProblemKind.DRIVER_NOT_CHANGEABLE)
                        .get("remedy"))
                .asString()
                .contains("0x06", "0x0053");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"driver\": null}",
                "{\"driver\": \"VFIO_AP\"}",
                "{\"driver\": 1}",
                "{\"drver\": \"none\"}"
            })
    void refusesADriverThatThereIsNot(String body) {
        problem(put("/hosts/" + host + "/queues/06.0053/driver", body), ProblemKind.MALFORMED_REQUEST);
    }

    @Test
    void refusesAQueueAboveTheHighest() {
        agent();

        problem(
                put("/hosts/" + host + "/queues/40.0004/driver", "{\"driver\": \"none\"}"),
                ProblemKind.NUMBER_OUT_OF_RANGE);
    }
}
