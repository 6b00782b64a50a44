package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.HttpHeaders;
import org.springframework.test.json.JsonCompareMode;

class MdevApiTests extends ServedApi {

    @Test
    void showsAssignedComputedAndObservedSideBySideAndWhyNotMore() {
        ReportingAgent agent = agent();
        agent.unbind("05.0047");
        agent.report();
        UUID mdev = UUID.randomUUID();
        json(put("/mdevs/" + mdev, """
            {"host": "%s", "labels": {"tenant": "bank"}, "adapters": ["0x04", 5], "domains": ["4", "0x0047"],
             "controlDomains": [71]}\
            """.formatted(host)));
        agent.guests.put(mdev, "vm17");
        agent.report();
        agent.report();

        Map<String, Object> view = json(get("/mdevs/" + mdev));

        assertThat(view).containsKeys("observed", "commit").doesNotContainKeys("effects", "atNextStart");
        get("/mdevs/" + mdev)
                .expectBody()
                .json(
                        """
                        {"uuid": "%s", "host": "%s", "labels": {"tenant": "bank"}, "version": 1, "state": "active",
                         "paused": false,
                         "assigned": {"adapters": ["0x04", "0x05"], "domains": ["0x0004", "0x0047"], "controlDomains": ["0x0047"]},
                         "guestMatrix": {"adapters": ["0x04"], "domains": ["0x0004", "0x0047"], "controlDomains": ["0x0047"],
                                         "queues": ["04.0004", "04.0047"]},
                         "observed": {"generation": %s, "at": "%s", "adapters": ["0x04"], "domains": ["0x0004", "0x0047"],
                                      "controlDomains": ["0x0047"]},
                         "filtered": [{"adapter": "0x05", "reason": "QUEUE_NOT_BOUND",
                                       "queues": [{"queue": "05.0047", "why": "no driver"}],
                                       "remedies": [{"bind": ["05.0047"]},
                                                    {"unassignDomains": ["0x0047"],
                                                     "costs": {"adapters": [], "domains": ["0x0047"]}}]}],
                         "guest": {"attached": true, "name": "vm17", "since": "%s"},
                         "preview": false, "impaired": [],
                         "commit": {"id": %s, "generation": %s, "state": "applied"}, "drifted": false}\
                        """.formatted(
                                        mdev,
                                        host,
                                        at("$.observed.generation", view),
                                        at("$.observed.at", view),
                                        at("$.guest.since", view),
                                        at("$.commit.id", view),
                                        at("$.commit.generation", view)),
                        JsonCompareMode.STRICT);
    }

    @Test
    void aGuestMatrixWithoutGuestIsAPreview() {
        agent();
        UUID mdev = mdev("[4]", "[4]");

        assertThat(json(get("/mdevs/" + mdev)))
                .containsEntry("preview", true)
                .containsEntry("guest", Map.of("attached", false));
    }

    @Test
    void theServerPicksTheUuid() {
        agent();

        String location = post("/mdevs", mdevBody("[4]", "[4]"))
                .expectStatus()
                .isCreated()
                .returnResult(String.class)
                .getResponseHeaders()
                .getFirst(HttpHeaders.LOCATION);

        assertThat(json(get(location.substring("/api/v1".length())))).containsEntry("host", host);
    }

    @Test
    void aClientThatPicksTheUuidMayRepeatItself() {
        agent();
        UUID mdev = mdev("[4]", "[4]");
        String tag = tag(get("/mdevs/" + mdev));

        Map<String, Object> again = json(put("/mdevs/" + mdev, mdevBody("[4]", "[4]")));

        assertThat(again).containsEntry("effects", List.of()).containsEntry("version", 1);
        assertThat(tag(get("/mdevs/" + mdev))).isEqualTo(tag);
    }

    @Test
    void aReplacementLeavesOutWhatItDoesNotNameButKeepsLabels() {
        agent();
        UUID mdev = UUID.randomUUID();
        json(put("/mdevs/" + mdev, """
            {"host": "%s", "labels": {"tenant": "bank"}, "adapters": [4], "domains": [4], "controlDomains": [4]}\
            """.formatted(host)));

        Map<String, Object> view = json(put("/mdevs/" + mdev, "{\"host\": \"%s\", \"adapters\": [5]}".formatted(host)));

        assertThat(view)
                .containsEntry("labels", Map.of("tenant", "bank"))
                .containsEntry(
                        "assigned",
                        Map.of("adapters", List.of("0x05"), "domains", List.of(), "controlDomains", List.of()));
    }

    @Test
    void refusesEveryQueueThatAnotherMdevHasAtOnce() {
        agent();
        UUID first = mdev("[4]", "[4, 71]");
        UUID second = mdev("[5]", "[71, 83]");

        Map<String, Object> problem = problem(
                post("/mdevs", mdevBody("[4, 5]", "[71, 83]"), "X-Request-Id", "r-1"), ProblemKind.QUEUE_IN_USE);

        assertThat(problem)
                .containsEntry("errno", "EADDRINUSE")
                .containsEntry("instance", "/api/v1/mdevs")
                .containsEntry("requestId", "r-1")
                .containsKeys("title", "detail", "remedy");
        assertThat(ServedApi.<List<Map<String, Object>>>at("$.conflicts", problem))
                .containsExactly(
                        Map.of("queue", "04.0047", "mdev", first.toString(), "host", host),
                        Map.of("queue", "05.0047", "mdev", second.toString(), "host", host),
                        Map.of("queue", "05.0053", "mdev", second.toString(), "host", host));
    }

    @Test
    void refusesEveryReservedQueueAtOnce() {
        ReportingAgent agent = agent();
        json(put("/hosts/" + host + "/reservation", "{\"adapters\": [6], \"domains\": [\"0x53\", \"0x54\"]}"));
        agent.report();

        Map<String, Object> problem =
                problem(post("/mdevs", mdevBody("[5, 6]", "[\"0x53\", \"0x54\"]")), ProblemKind.QUEUE_RESERVED);

        assertThat(problem).containsEntry("errno", "EADDRNOTAVAIL");
        assertThat(ServedApi.<List<Map<String, Object>>>at("$.conflicts", problem))
                .containsExactly(
                        Map.of("queue", "06.0053", "reservedBy", "masks", "host", host),
                        Map.of("queue", "06.0054", "reservedBy", "masks", "host", host));
    }

    @Test
    void refusesNumbersAboveTheHostsHighest() {
        agent();

        Map<String, Object> problem =
                problem(post("/mdevs", mdevBody("[4, 64]", "[4, 85]")), ProblemKind.NUMBER_OUT_OF_RANGE);

        assertThat(problem).containsEntry("errno", "ENODEV");
        assertThat(ServedApi.<List<String>>at("$.numbers[*].value", problem)).containsExactly("0x40", "0x0055");
    }

    @Test
    void theHostOfAnMdevNeverChanges() {
        agent();
        UUID mdev = mdev("[4]", "[4]");
        json(put("/hosts/" + host + "-2", "{}"));

        problem(
                put("/mdevs/" + mdev, "{\"host\": \"%s-2\", \"adapters\": []}".formatted(host)),
                ProblemKind.MDEV_ELSEWHERE);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"adapters\": [\"05\"]|AMBIGUOUS_NUMBER",
                "\"adapters\": [\"x\", \"05\"]|MALFORMED_NUMBER",
                "\"adapters\": [\"0x\"]|MALFORMED_NUMBER",
                "\"adapters\": [-1]|MALFORMED_NUMBER",
                "\"adapters\": [1.5]|MALFORMED_NUMBER",
                "\"adapters\": [256]|NUMBER_OUT_OF_RANGE",
                "\"domains\": [\"0047\"]|AMBIGUOUS_NUMBER",
                "\"controlDomains\": [\"047\"]|AMBIGUOUS_NUMBER",
                "\"adapters\": 5|MALFORMED_REQUEST",
                "\"adapters\": [null]|MALFORMED_REQUEST",
                "\"adaptors\": [5]|MALFORMED_REQUEST",
                "\"host\": \"other\"|MALFORMED_REQUEST"
            })
    void refusesABodyThatNobodyCanKnow(String part, ProblemKind kind) {
        agent();

        problem(post("/mdevs", "{\"host\": \"%s\", %s}".formatted(host, part)), kind);
    }

    @Test
    void namesEveryBadNumberAtOnce() {
        Map<String, Object> problem =
                problem(post("/mdevs", mdevBody("[\"05\", 4, \"six\"]", "[\"0x147\"]")), ProblemKind.MALFORMED_NUMBER);

        assertThat(ServedApi.<List<String>>at("$.numbers[*].at", problem))
                .containsExactly("/adapters/0", "/adapters/2", "/domains/0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"host\": null}", "{\"host\": 5}", "null", ""})
    void needsAHost(String body) {
        problem(post("/mdevs", body), ProblemKind.MALFORMED_REQUEST);
    }

    @Test
    void needsAHostThatIsThere() {
        problem(post("/mdevs", "{\"host\": \"nowhere\"}"), ProblemKind.NOT_FOUND);
    }

    @Test
    void refusesAUuidThatIsNone() {
        problem(get("/mdevs/1"), ProblemKind.MALFORMED_REQUEST);
        problem(put("/mdevs/1-1-1-1-1", mdevBody("[]", "[]")), ProblemKind.MALFORMED_REQUEST);
        problem(get("/mdevs/" + UUID.randomUUID()), ProblemKind.NOT_FOUND);
        problem(delete("/mdevs/" + UUID.randomUUID()), ProblemKind.NOT_FOUND);
    }

    @Test
    void aDryRunShowsWhatWouldBeAndChangesNothing() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4, 71]");
        agent.guests.put(mdev, "vm17");
        agent.report();
        agent.report();
        Map<String, Object> before = json(get("/mdevs/" + mdev));

        Map<String, Object> planned = json(put("/mdevs/" + mdev + "?dryRun=true", mdevBody("[5]", "[4, 71, 83]")));

        assertThat(json(get("/mdevs/" + mdev))).isEqualTo(before);
        Map<String, Object> done = json(put("/mdevs/" + mdev, mdevBody("[5]", "[4, 71, 83]")));
        assertThat(ServedApi.<List<Object>>at("$.effects", done)).isNotEmpty();
        assertThat(withoutCommit(done)).isEqualTo(withoutCommit(planned));
    }

    @Test
    void aDryRunOfACreationShowsTheSame() {
        agent();
        UUID mdev = UUID.randomUUID();
        String body = """
            {"host": "%s", "labels": {"a": "b"}, "adapters": [4, 9], "domains": [4]}\
            """.formatted(host);

        Map<String, Object> planned = json(put("/mdevs/" + mdev + "?dryRun=true", body));

        problem(get("/mdevs/" + mdev), ProblemKind.NOT_FOUND);
        assertThat(withoutCommit(json(put("/mdevs/" + mdev, body)))).isEqualTo(withoutCommit(planned));
    }

    @Test
    void aDryRunIsRefusedAsTheChangeWouldBe() {
        agent();
        UUID first = mdev("[4]", "[4]");
        UUID second = UUID.randomUUID();

        Map<String, Object> planned =
                problem(put("/mdevs/" + second + "?dryRun=true", mdevBody("[4]", "[4]")), ProblemKind.QUEUE_IN_USE);
        Map<String, Object> done = problem(put("/mdevs/" + second, mdevBody("[4]", "[4]")), ProblemKind.QUEUE_IN_USE);
        problem(
                put("/mdevs/" + first + "?dryRun=true", mdevBody("[4]", "[4]"), "If-Match", "\"x\""),
                ProblemKind.STALE);

        planned.remove("requestId");
        done.remove("requestId");
        assertThat(planned).isEqualTo(done);
    }

    /** Which only a stored change has. */
    private static Map<String, Object> withoutCommit(Map<String, Object> view) {
        Map<String, Object> rest = new HashMap<>(view);
        rest.remove("commit");
        return rest;
    }

    @Test
    void theTagIsOfTheDesiredPartAlone() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4, 71]");
        String tag = tag(get("/mdevs/" + mdev));

        agent.unbind("04.0047");
        agent.guests.put(mdev, "vm17");
        agent.report();
        mdev("[5]", "[4]");
        assertThat(tag(get("/mdevs/" + mdev))).isEqualTo(tag);
        assertThat(tag(get("/mdevs/" + mdev + "/matrix"))).isEqualTo(tag);
        assertThat(tag(get("/mdevs/" + mdev + "/guest-matrix"))).isEqualTo(tag);
        assertThat(tag(get("/mdevs/" + mdev + "/guest"))).isEqualTo(tag);

        String changed = tag(put("/mdevs/" + mdev + "/domains/83", ""));
        assertThat(changed).isNotEqualTo(tag).isEqualTo(tag(get("/mdevs/" + mdev)));
    }

    @Test
    void aReadIsNeverAnsweredNotModified() {
        agent();
        UUID mdev = mdev("[4]", "[4]");
        String tag = tag(get("/mdevs/" + mdev));

        for (String part : List.of("", "/matrix", "/guest-matrix", "/guest")) {
            api.get()
                    .uri("/mdevs/" + mdev + part)
                    .header(HttpHeaders.IF_NONE_MATCH, tag)
                    .exchange()
                    .expectStatus()
                    .isOk()
                    .expectHeader()
                    .valueEquals(HttpHeaders.ETAG, tag);
        }
        api.get()
                .uri("/mdevs/" + mdev + "/matrix")
                .header(HttpHeaders.IF_NONE_MATCH, tag)
                .header(HttpHeaders.ACCEPT, "text/plain")
                .exchange()
                .expectStatus()
                .isOk();
    }

    @Test
    void changesOnlyWhatItsCallerHasSeen() {
        agent();
        UUID mdev = mdev("[4]", "[4]");
        String path = "/mdevs/" + mdev;
        String old = tag(get(path));
        String tag = tag(put(path + "/adapters/5", "", "If-Match", "\"other\", " + old));

        problem(put(path, mdevBody("[]", "[]"), "If-Match", old), ProblemKind.STALE);
        problem(put(path + "/matrix", "{}", "If-Match", old), ProblemKind.STALE);
        problem(put(path + "/adapters/6", "", "If-Match", old), ProblemKind.STALE);
        problem(put(path + "/adapters/6", "", "If-Match", "W/" + tag), ProblemKind.STALE);
        problem(delete(path + "/adapters/4", "If-Match", old), ProblemKind.STALE);
        problem(delete(path, "If-Match", old), ProblemKind.STALE);
        problem(put(path, mdevBody("[]", "[]"), "If-None-Match", "*"), ProblemKind.STALE);
        problem(put("/mdevs/" + UUID.randomUUID(), mdevBody("[]", "[]"), "If-Match", "*"), ProblemKind.STALE);

        assertThat(tag(get(path))).isEqualTo(tag);
        json(delete(path, "If-Match", "*"));
    }

    @Test
    void anMdevMadeAnewHasAnotherTag() {
        agent();
        UUID mdev = mdev("[4]", "[4]");
        String old = tag(get("/mdevs/" + mdev));
        json(delete("/mdevs/" + mdev));
        json(put("/mdevs/" + mdev, mdevBody("[4]", "[4]"), "If-None-Match", "*"));

        problem(delete("/mdevs/" + mdev, "If-Match", old), ProblemKind.STALE);
    }

    @Test
    void isRemovedAtOnceWithoutAGuest() {
        agent();
        UUID mdev = mdev("[4]", "[4]");

        assertThat(json(delete("/mdevs/" + mdev + "?dryRun=true")))
                .containsEntry("state", "removed")
                .doesNotContainKey("commit");
        assertThat(json(delete("/mdevs/" + mdev)))
                .containsEntry("uuid", mdev.toString())
                .containsEntry("host", host)
                .containsEntry("state", "removed")
                .containsEntry("effects", List.of())
                .containsKey("commit");
        problem(get("/mdevs/" + mdev), ProblemKind.NOT_FOUND);
    }

    @Test
    void isRemovedUnderAGuestOnlyByForceAndKeepsItsQueuesUntilTheGuestHasLetGo() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4]");
        agent.guests.put(mdev, "vm17");
        agent.report();

        Map<String, Object> problem = problem(delete("/mdevs/" + mdev), ProblemKind.GUEST_ATTACHED);
        assertThat(ServedApi.<List<String>>at("$.losses[*].guest", problem)).containsExactly("vm17");

        Map<String, Object> deleted = json(delete("/mdevs/" + mdev + "?force=true"));
        assertThat(deleted).containsEntry("state", "removing");
        assertThat(ServedApi.<List<List<String>>>at("$.effects[*].unplugged.adapters", deleted))
                .containsExactly(List.of("0x04"));
        assertThat(json(get("/mdevs/" + mdev))).containsEntry("state", "removing");
        problem(put("/mdevs/" + mdev + "/adapters/5", ""), ProblemKind.MDEV_REMOVING);
        problem(post("/mdevs", mdevBody("[4]", "[4]")), ProblemKind.QUEUE_IN_USE);

        agent.guests.clear();
        agent.report();
        problem(get("/mdevs/" + mdev), ProblemKind.NOT_FOUND);
        post("/mdevs", mdevBody("[4]", "[4]")).expectStatus().isCreated();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "|ABCD",
                "adapter=0x04|A",
                "adapter=4&domain=71|A",
                "domain=0x54|D",
                "label=tenant=bank|B",
                "label=tenant=|",
                "filtered=true|CD",
                "filtered=false|AB",
                "drifted=true|",
                "impaired=false|ABCD",
                "impaired=true|",
                "atNextStart=less|D"
            })
    void findsMdevs(String query, String expected) {
        ReportingAgent agent = agent();
        agent.unbind("06.0047");
        agent.report();
        Map<String, UUID> mdevs = new HashMap<>();
        mdevs.put("A", mdev("[4]", "[4, 71]"));
        mdevs.put("B", UUID.randomUUID());
        json(put("/mdevs/" + mdevs.get("B"), """
            {"host": "%s", "labels": {"tenant": "bank"}, "adapters": [5], "domains": [4]}\
            """.formatted(host)));
        mdevs.put("C", mdev("[6]", "[71]"));
        UUID running = mdev("[5]", "[83]");
        mdevs.put("D", running);
        agent.guests.put(running, "vm17");
        agent.report();
        // An incomplete domain is assigned: the guest keeps what it has, but would get less if it started anew.
        agent.unbind("05.0054");
        agent.report();
        json(put("/mdevs/" + running + "/domains/84", ""));

        List<UUID> found = uuids("/mdevs?limit=1&host=" + host + (query == null ? "" : "&" + query));

        assertThat(found)
                .isSortedAccordingTo((one, other) -> one.toString().compareTo(other.toString()))
                .containsExactlyInAnyOrderElementsOf((expected == null ? "" : expected)
                        .chars()
                        .mapToObj(letter -> mdevs.get(String.valueOf((char) letter)))
                        .toList());
    }

    private List<UUID> uuids(String path) {
        List<UUID> uuids = new ArrayList<>();
        String cursor = "";
        while (true) {
            Map<String, Object> page = json(get(path + cursor));
            ServedApi.<List<String>>at("$.items[*].uuid", page).forEach(uuid -> uuids.add(UUID.fromString(uuid)));
            if (!page.containsKey("next")) {
                return uuids;
            }
            cursor = "&cursor=" + page.get("next");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"atNextStart=more", "filtered=yes", "label=x", "adapter=05", "host=a&host=b", "cursor=aG9zdHM6eA"
            })
    void refusesAFilterThatNobodyCanKnow(String query) {
        get("/mdevs?" + query).expectStatus().isBadRequest();
    }
}
