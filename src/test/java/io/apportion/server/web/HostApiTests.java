package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.HttpHeaders;

class HostApiTests extends ServedApi {

    @Test
    void aNewHostIsThereWithItsDefaults() {
        String name = host + "-new";

        put("/hosts/" + name, "{\"labels\": {\"zone\": \"a\"}}")
                .expectStatus()
                .isCreated()
                .expectHeader()
                .location("/api/v1/hosts/" + name);

        Map<String, Object> view = json(get("/hosts/" + name));
        assertThat(view)
                .containsEntry("name", name)
                .containsEntry("labels", Map.of("zone", "a"))
                .containsEntry("description", "")
                .containsEntry("filter", "incremental")
                .containsEntry("policy", "repair")
                .containsEntry("paused", false)
                .containsEntry("version", 1)
                .doesNotContainKeys("features", "limits", "hostConfiguration", "effects", "commit");
    }

    @Test
    void whatIsLeftOutKeepsItsValue() {
        json(put(
                "/hosts/" + host,
                "{\"labels\": {\"zone\": \"a\"}, \"description\": \"first\", \"filter\": \"recompute\"}"));

        Map<String, Object> view = json(put("/hosts/" + host, "{\"policy\": \"report\"}"));

        assertThat(view)
                .containsEntry("labels", Map.of("zone", "a"))
                .containsEntry("description", "first")
                .containsEntry("filter", "recompute")
                .containsEntry("policy", "report")
                .containsEntry("effects", List.of());
    }

    @Test
    void showsWhatItsAgentReported() {
        ReportingAgent agent = agent();
        agent.unbind("05.0047");
        agent.report();

        Map<String, Object> view = json(get("/hosts/" + host));

        assertThat(view)
                .containsEntry("features", Map.of("guestMatrix", true, "apConfig", true, "guests", true))
                .containsEntry("limits", Map.of("maxAdapter", "0x3f", "maxDomain", "0x0054"))
                .containsEntry("bindingMode", "masks");
        assertThat(ServedApi.<Map<String, Object>>at("$.agent", view))
                .containsEntry("connected", true)
                .containsEntry("machineId", "machine-" + host)
                .containsEntry("kernelRelease", "6.19.0");
        assertThat(ServedApi.<Map<String, Object>>at("$.hostConfiguration", view))
                .containsEntry("adapters", List.of("0x04", "0x05", "0x06"))
                .containsEntry("domains", List.of("0x0004", "0x0047", "0x0053", "0x0054"))
                .containsEntry("apm", "0x0e" + "0".repeat(62));
        assertThat(ServedApi.<Map<String, Object>>at("$.counts", view))
                .containsEntry("queues", 12)
                .containsEntry("boundQueues", 11);
    }

    @Test
    void everyAnswerSaysThatNothingIsPushedToAPausedHost() {
        agent();
        var mdev = mdev("[4]", "[4]");
        json(put("/hosts/" + host, "{\"policy\": \"paused\"}"));

        assertThat(json(get("/hosts/" + host))).containsEntry("paused", true);
        assertThat(json(get("/mdevs/" + mdev))).containsEntry("paused", true);
        assertThat(json(put("/mdevs/" + mdev + "/adapters/5", "", "Prefer", "wait=30")))
                .containsEntry("paused", true)
                .extractingByKey("commit")
                .extracting("state")
                .isEqualTo("pending");
        assertThat(json(delete("/mdevs/" + mdev))).containsEntry("paused", true);
    }

    @ParameterizedTest
    @ValueSource(strings = {"Lpar1", "-lpar", "lpar-", "lpar_1", "l%C3%A4par", "."})
    void refusesANameThatIsNoHostName(String name) {
        problem(put("/hosts/" + name, "{}"), ProblemKind.MALFORMED_REQUEST);
    }

    @Test
    void refusesANameThatIsTooLong() {
        problem(put("/hosts/" + "a".repeat(64), "{}"), ProblemKind.MALFORMED_REQUEST);
        put("/hosts/" + host.charAt(0) + "a".repeat(62), "{}").expectStatus().isCreated();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"filter\": \"other\"}",
                "{\"policy\": \"PAUSED\"}",
                "{\"policy\": 3}",
                "{\"polcy\": \"paused\"}",
                "{\"labels\": {\"a=b\": \"c\"}}",
                "{\"labels\": {\"\": \"c\"}}",
                "{\"labels\": {\"a\": \"line\\nline\"}}",
                "{\"labels\": {\"a\": 5}}",
                "{\"labels\": [\"a\"]}",
                "[]",
                "",
                "{"
            })
    void refusesSettingsThatItDoesNotUnderstand(String body) {
        problem(put("/hosts/" + host, body), ProblemKind.MALFORMED_REQUEST);

        assertThat(json(get("/hosts/" + host))).containsEntry("version", 1);
    }

    @Test
    void refusesAParameterThatItDoesNotKnow() {
        problem(put("/hosts/" + host + "?dryrun=true", "{\"description\": \"x\"}"), ProblemKind.MALFORMED_REQUEST);

        assertThat(json(get("/hosts/" + host))).containsEntry("description", "");
    }

    @Test
    void aDryRunShowsWhatWouldBeAndChangesNothing() {
        Map<String, Object> planned = json(put("/hosts/" + host + "?dryRun=true", "{\"description\": \"x\"}"));

        assertThat(planned).containsEntry("description", "x").containsEntry("effects", List.of());
        assertThat(json(get("/hosts/" + host))).containsEntry("description", "");
    }

    @Test
    void aDryRunOfACreationCreatesNothing() {
        String name = host + "-new";

        assertThat(json(put("/hosts/" + name + "?dryRun=true", "{}"))).containsEntry("name", name);

        problem(get("/hosts/" + name), ProblemKind.NOT_FOUND);
    }

    @Test
    void aHostIsDeletedOnlyWithoutMdevs() {
        agent();
        var mdev = mdev("[4]", "[4]");

        assertThat(problem(delete("/hosts/" + host), ProblemKind.HOST_NOT_EMPTY))
                .containsEntry("mdevs", List.of(mdev.toString()));

        json(delete("/mdevs/" + mdev));
        assertThat(json(delete("/hosts/" + host + "?dryRun=true"))).containsEntry("effects", List.of());
        assertThat(json(delete("/hosts/" + host))).containsEntry("name", host).containsEntry("effects", List.of());
        problem(delete("/hosts/" + host), ProblemKind.NOT_FOUND);
    }

    @Test
    void theTagIsOfTheDesiredPartAlone() {
        String tag = tag(get("/hosts/" + host));
        ReportingAgent agent = agent();
        agent.unbind("04.0004");
        agent.report();
        mdev("[5]", "[4]");

        assertThat(tag(get("/hosts/" + host))).isEqualTo(tag);
        assertThat(tag(get("/hosts/" + host + "/queues/04.0004"))).isEqualTo(tag);

        json(put("/hosts/" + host, "{\"description\": \"x\"}"));
        assertThat(tag(get("/hosts/" + host))).isNotEqualTo(tag);
    }

    @Test
    void aReadIsNeverAnsweredNotModified() {
        String tag = tag(get("/hosts/" + host));

        for (String path : List.of("/hosts/" + host, "/hosts/" + host + "/reservation", "/hosts/" + host + "/queues")) {
            api.get()
                    .uri(path)
                    .header(HttpHeaders.IF_NONE_MATCH, tag)
                    .exchange()
                    .expectStatus()
                    .isOk()
                    .expectHeader()
                    .valueEquals(HttpHeaders.ETAG, tag);
        }
    }

    @Test
    void changesOnlyWhatItsCallerHasSeen() {
        String tag = tag(get("/hosts/" + host));
        json(put("/hosts/" + host, "{\"description\": \"first\"}", "If-Match", tag));

        problem(put("/hosts/" + host, "{\"description\": \"second\"}", "If-Match", tag), ProblemKind.STALE);
        problem(delete("/hosts/" + host, "If-Match", tag), ProblemKind.STALE);
        problem(put("/hosts/" + host + "-x", "{}", "If-Match", "*"), ProblemKind.STALE);
        problem(put("/hosts/" + host, "{}", "If-None-Match", "*"), ProblemKind.STALE);
        problem(put("/hosts/" + host, "{}", "If-Match", "no quotes"), ProblemKind.MALFORMED_REQUEST);
        problem(put("/hosts/" + host, "{}", "If-None-Match", tag), ProblemKind.MALFORMED_REQUEST);

        assertThat(json(get("/hosts/" + host))).containsEntry("description", "first");
        put("/hosts/" + host + "-x", "{}", "If-None-Match", "*").expectStatus().isCreated();
    }

    @Test
    void aBindingModeThatIsSetAsTheHostShowsItIsAChange() {
        agent();
        String tag = tag(get("/hosts/" + host));

        assertThat(json(put("/hosts/" + host, "{\"bindingMode\": \"masks\"}")))
                .containsEntry("version", 2)
                .doesNotContainKey("commit");
        assertThat(tag(get("/hosts/" + host))).isNotEqualTo(tag);
        Map<String, Object> event = Awaitility.await()
                .until(
                        () -> ServedApi.<List<Map<String, Object>>>at(
                                "$.items", json(get("/events?type=host.changed&host=" + host))),
                        events -> !events.isEmpty())
                .getFirst();
        assertThat(ServedApi.<Map<String, Object>>at("$.before", event)).doesNotContainKey("bindingMode");
        assertThat(ServedApi.<Map<String, Object>>at("$.after", event)).containsEntry("bindingMode", "masks");

        assertThat(json(put("/hosts/" + host, "{\"bindingMode\": \"masks\"}"))).containsEntry("version", 2);
    }

    @Test
    void anotherMachineMayClaimAHostThatWasReleased() {
        agent();

        json(delete("/hosts/" + host + "/claim?dryRun=true"));
        assertThat(ServedApi.<Map<String, Object>>at("$.agent", json(get("/hosts/" + host))))
                .containsKey("machineId");

        json(delete("/hosts/" + host + "/claim"));
        assertThat(ServedApi.<Map<String, Object>>at("$.agent", json(get("/hosts/" + host))))
                .doesNotContainKey("machineId");
    }

    @Test
    void pagesLeadThroughAllHostsInOrder() {
        for (int i = 0; i < 5; i++) {
            json(put("/hosts/" + host + "-" + i, "{\"labels\": {\"of\": \"" + host + "\"}}"));
        }

        assertThat(names("/hosts?limit=2")).isSorted().contains(host, host + "-0", host + "-4");
        assertThat(names("/hosts?limit=2&label=of=" + host))
                .containsExactly(host + "-0", host + "-1", host + "-2", host + "-3", host + "-4");
        assertThat(names("/hosts?label=of=nobody")).isEmpty();
    }

    private List<String> names(String path) {
        List<String> names = new ArrayList<>();
        String cursor = "";
        while (true) {
            Map<String, Object> page = json(get(path + cursor));
            names.addAll(at("$.items[*].name", page));
            if (!page.containsKey("next")) {
                return names;
            }
            cursor = "&cursor=" + page.get("next");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "limit=0",
                "limit=1001",
                "limit=x",
                "limit=-1",
                "cursor=!",
                "cursor=bWRldnM6",
                "cursor=",
                "label=x",
                "label==x",
                "limit=1&limit=2"
            })
    void refusesAPageThatCannotBe(String query) {
        problem(get("/hosts?" + query), ProblemKind.MALFORMED_REQUEST);
    }
}
