package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.wire.ObservedHost.ObservedDefinition;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.assertj.core.api.InstanceOfAssertFactories;
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

    private static final Matrix OTHER = new Matrix(ApMask.of(6), ApMask.of(0x04), ApMask.NONE);

    private static ObservedDefinition auto(UUID uuid, Matrix matrix) {
        return new ObservedDefinition(uuid.toString(), true, matrix, null);
    }

    private static List<Map<String, Object>> items(Map<String, Object> page) {
        return at("$.items", page);
    }

    @Test
    void isListedWithItsDefinitionAndSoAreThoseThatAreOnlyDefined() {
        ReportingAgent agent = new ReportingAgent(host, queries, reports);
        UUID same = new UUID(1, 1);
        UUID other = new UUID(1, 2);
        UUID broken = new UUID(1, 3);
        UUID undefined = new UUID(1, 4);
        UUID absent = new UUID(1, 5);
        agent.foreign.put(same, MATRIX);
        agent.foreign.put(other, new Matrix(ApMask.of(5), ApMask.of(0x04), ApMask.NONE));
        agent.foreign.put(broken, new Matrix(ApMask.of(5), ApMask.of(0x47), ApMask.NONE));
        agent.foreign.put(undefined, new Matrix(ApMask.of(5), ApMask.of(0x53), ApMask.NONE));
        agent.definitions = List.of(
                auto(same, MATRIX),
                new ObservedDefinition(other.toString(), false, OTHER, null),
                new ObservedDefinition(broken.toString(), false, null, "it is no JSON"),
                auto(absent, OTHER),
                new ObservedDefinition("notes", false, null, "its name is no UUID"));
        agent.report();

        List<Map<String, Object>> items = items(json(get("/hosts/" + host + "/foreign-mdevs")));
        assertThat(items)
                .extracting(item -> item.get("state"))
                .containsExactly("active", "active", "active", "active", "defined");
        assertThat(ServedApi.<Map<String, Object>>at("$.definition", items.get(0)))
                .containsEntry("start", "auto")
                .containsEntry("differs", false)
                .hasEntrySatisfying(
                        "remedy",
                        words -> assertThat(words).asString().contains("mdevctl modify -u " + same + " --manual"));
        assertThat(ServedApi.<Map<String, Object>>at("$.definition", items.get(1)))
                .isEqualTo(Map.of(
                        "start",
                        "manual",
                        "differs",
                        true,
                        "assigned",
                        Map.of(
                                "adapters",
                                List.of("0x06"),
                                "domains",
                                List.of("0x0004"),
                                "controlDomains",
                                List.of())));
        assertThat(ServedApi.<Map<String, Object>>at("$.definition", items.get(2)))
                .isEqualTo(Map.of("notUnderstood", "it is no JSON"));
        assertThat(items.get(3)).doesNotContainKey("definition");
        assertThat(items.get(4))
                .containsEntry("uuid", absent.toString())
                .doesNotContainKeys("assigned", "guestMatrix")
                .extractingByKey("definition")
                .asInstanceOf(InstanceOfAssertFactories.map(String.class, Object.class))
                .doesNotContainKey("differs")
                .hasEntrySatisfying(
                        "remedy", words -> assertThat(words).asString().contains("mdevctl start -u " + absent));
        assertThat(json(get("/hosts/" + host)).get("definitions"))
                .isEqualTo(Map.of(
                        "known",
                        true,
                        "count",
                        5,
                        "auto",
                        2,
                        "notUnderstood",
                        List.of(
                                Map.of("name", broken.toString(), "why", "it is no JSON"),
                                Map.of("name", "notes", "why", "its name is no UUID"))));

        // In pages, as they are on the host.
        Map<String, Object> page = json(get("/hosts/" + host + "/foreign-mdevs?limit=4"));
        Map<String, Object> last = json(get("/hosts/" + host + "/foreign-mdevs?limit=4&cursor=" + page.get("next")));
        assertThat(items(last)).containsExactly(items.get(4));
        problem(post("/hosts/" + host + "/foreign-mdevs/" + absent + "/adopt", ""), ProblemKind.NOT_FOUND);

        agent.definitions = List.of();
        agent.report();
        assertThat(items(json(get("/hosts/" + host + "/foreign-mdevs"))))
                .hasSize(4)
                .noneMatch(item -> item.containsKey("definition"));
    }

    @Test
    void saysWhenAdoptedThatMdevctlMakesItToo() {
        ReportingAgent agent = new ReportingAgent(host, queries, reports);
        UUID uuid = UUID.randomUUID();
        agent.foreign.put(uuid, MATRIX);
        agent.definitions = List.of(auto(uuid, OTHER));
        agent.report();

        Map<String, Object> adopted = json(post("/hosts/" + host + "/foreign-mdevs/" + uuid + "/adopt", ""));
        assertThat(ServedApi.<Map<String, Object>>at("$.definition", adopted))
                .containsEntry("start", "auto")
                .containsEntry("differs", true)
                .hasEntrySatisfying(
                        "remedy", words -> assertThat(words).asString().contains("mdevctl undefine -u " + uuid));
        agent.foreign.clear();
        agent.report();
        assertThat(ServedApi.<Map<String, Object>>at("$.definition", json(get("/mdevs/" + uuid))))
                .containsEntry("start", "auto");
        assertThat(items(json(get("/hosts/" + host + "/foreign-mdevs")))).isEmpty();

        // Unknown is not gone.
        agent.definitions = null;
        agent.report();
        assertThat(json(get("/mdevs/" + uuid))).containsKey("definition");
        agent.definitions = List.of(new ObservedDefinition(uuid.toString(), false, OTHER, null));
        agent.report();
        assertThat(ServedApi.<Map<String, Object>>at("$.definition", json(get("/mdevs/" + uuid))))
                .containsEntry("start", "manual")
                .doesNotContainKey("remedy");
    }

    @Test
    void definitionsAreNotKnownBeforeAnAgentTellsThem() {
        ReportingAgent agent = new ReportingAgent(host, queries, reports);
        agent.definitions = null;
        agent.report();
        assertThat(json(get("/hosts/" + host)).get("definitions"))
                .isEqualTo(Map.of("known", false, "count", 0, "auto", 0, "notUnderstood", List.of()));
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
