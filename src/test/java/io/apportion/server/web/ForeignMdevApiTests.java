package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class ForeignMdevApiTests extends ServedApi {

    private static final Matrix MATRIX = new Matrix(ApMask.of(6), ApMask.of(0x04, 0x47), ApMask.of(0x47));

    private UUID foreign() {
        UUID uuid = UUID.randomUUID();
        ReportingAgent agent = new ReportingAgent(host, queries, reports);
        agent.foreign.put(uuid, MATRIX);
        agent.report();
        return uuid;
    }

    @Test
    void isListedAndItsQueuesCountAsInUse() {
        UUID uuid = foreign();

        Map<String, Object> page = json(get("/hosts/" + host + "/foreign-mdevs"));
        assertThat(ServedApi.<List<Object>>at("$.items", page)).hasSize(1);
        assertThat(ServedApi.<Map<String, Object>>at("$.items[0]", page))
                .containsEntry("uuid", uuid.toString())
                .containsEntry(
                        "assigned",
                        Map.of(
                                "adapters", List.of("0x06"),
                                "domains", List.of("0x0004", "0x0047"),
                                "controlDomains", List.of("0x0047")));

        Map<String, Object> problem = problem(post("/mdevs", mdevBody("[6]", "[4]")), ProblemKind.QUEUE_IN_USE);
        assertThat(ServedApi.<List<Map<String, Object>>>at("$.conflicts", problem))
                .containsExactly(Map.of("queue", "06.0004", "mdev", uuid.toString(), "foreign", true, "host", host));
    }

    @Test
    void isAdoptedAsItIs() {
        UUID uuid = foreign();
        String path = "/hosts/" + host + "/foreign-mdevs/" + uuid + "/adopt";

        json(post(path + "?dryRun=true", "", "If-Match", tag(get("/hosts/" + host + "/foreign-mdevs"))));
        problem(post(path + "?dryRun=true", "", "If-Match", "\"other\""), ProblemKind.STALE);
        assertThat(ServedApi.<List<Object>>at("$.items", json(get("/hosts/" + host + "/foreign-mdevs"))))
                .hasSize(1);

        post(path, "").expectStatus().isCreated().expectHeader().location("/api/v1/mdevs/" + uuid);
        assertThat(ServedApi.<List<Object>>at("$.items", json(get("/hosts/" + host + "/foreign-mdevs"))))
                .isEmpty();
        assertThat(json(get("/mdevs/" + uuid)))
                .containsEntry("host", host)
                .extractingByKey("assigned")
                .extracting("adapters")
                .isEqualTo(List.of("0x06"));
        problem(post(path, ""), ProblemKind.NOT_FOUND);
    }

    @Test
    void isNotMadeAnew() {
        UUID uuid = foreign();

        assertThat(problem(put("/mdevs/" + uuid, mdevBody("[4]", "[4]")), ProblemKind.MDEV_ELSEWHERE)
                        .get("remedy"))
                .asString()
                .contains("adopt");
    }

    @Test
    void isNotAdoptedWhileAnotherHostHasAnMdevOfItsUuid() {
        UUID uuid = foreign();
        json(put("/hosts/" + host + "-2", "{}"));
        json(put("/mdevs/" + uuid, "{\"host\": \"%s-2\", \"adapters\": [4]}".formatted(host)));
        String path = "/hosts/" + host + "/foreign-mdevs/" + uuid + "/adopt";

        problem(post(path + "?dryRun=true", ""), ProblemKind.MDEV_ELSEWHERE);
        problem(post(path, ""), ProblemKind.MDEV_ELSEWHERE);
    }
}
