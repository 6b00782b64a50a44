package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.Policy;
import io.apportion.wire.DesiredHost;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.test.web.servlet.client.RestTestClient;

class CommitApiTests extends ServedApi {

    @Test
    void hasOneResultForEachObject() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4]");
        json(put("/hosts/" + host + "/queues/05.0047/driver", "{\"driver\": \"vfio_ap\"}"));
        json(put("/hosts/" + host + "/reservation", "{\"adapters\": [6], \"domains\": [83]}"));
        List<Map<String, Object>> commits = at("$.items", json(get("/commits?host=" + host)));

        assertThat(commits).hasSize(3);
        assertThat(ServedApi.<Map<String, Object>>at("$.objects[0]", commits.get(0)))
                .isEqualTo(Map.of("kind", "reservation", "state", "pending"));
        assertThat(ServedApi.<Map<String, Object>>at("$.objects[0]", commits.get(1)))
                .isEqualTo(Map.of("kind", "driver", "object", "05.0047", "state", "pending"));
        assertThat(ServedApi.<Map<String, Object>>at("$.objects[0]", commits.get(2)))
                .isEqualTo(Map.of("kind", "mdev", "object", mdev.toString(), "state", "pending"));

        agent.report();
        Map<String, Object> newest = json(get("/commits/" + commits.get(0).get("id")));
        assertThat(newest)
                .containsEntry("host", host)
                .containsEntry("state", "applied")
                .containsEntry("actor", "demo")
                .containsKeys("generation", "at", "requestId", "cause");
        assertThat(ServedApi.<Map<String, Object>>at("$.objects[0]", newest)).containsKey("settledAt");
    }

    @Test
    void tellsTheErrnoOfWhatFailed() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4]");
        agent.failing.put(mdev.toString(), "EADDRINUSE");
        agent.report();

        Map<String, Object> commit = ServedApi.<List<Map<String, Object>>>at(
                        "$.items", json(get("/commits?state=failed&mdev=" + mdev)))
                .getFirst();

        assertThat(commit).containsEntry("state", "failed");
        assertThat(ServedApi.<Map<String, Object>>at("$.objects[0]", commit))
                .containsEntry("errno", "EADDRINUSE")
                .containsEntry("words", "told to fail");
        assertThat(ServedApi.<String>at("$.commit.state", json(get("/mdevs/" + mdev))))
                .isEqualTo("failed");
    }

    @Test
    void whatWasLeftAloneAndThenDeletedIsSupersededAndWasNeverApplied() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4]");
        agent.report();
        long change = commitOf(put("/mdevs/" + mdev + "/domains/71"));
        DesiredHost changed = agent.desired();
        long deletion = commitOf(delete("/mdevs/" + mdev));

        agent.leftAlone.add(mdev);
        agent.report(changed);
        assertThat(stateOf(change)).isEqualTo("pending");

        agent.report();
        assertThat(stateOf(change)).isEqualTo("superseded");
        assertThat(stateOf(deletion)).isEqualTo("applied");
    }

    private static long commitOf(RestTestClient.ResponseSpec answer) {
        return ServedApi.<Number>at("$.commit.id", json(answer)).longValue();
    }

    private String stateOf(long commit) {
        return ServedApi.at("$.state", json(get("/commits/" + commit)));
    }

    @Test
    void pagesGoFromTheNewestToTheOldest() {
        agent();
        UUID mdev = mdev("[4]", "[4]");
        for (int domain : List.of(0x47, 0x53, 0x54)) {
            json(put("/mdevs/" + mdev + "/domains/" + domain));
        }
        List<Number> ids = new ArrayList<>();
        String cursor = "";
        while (true) {
            Map<String, Object> page = json(get("/commits?limit=3&mdev=" + mdev + cursor));
            ids.addAll(at("$.items[*].id", page));
            if (!page.containsKey("next")) {
                break;
            }
            cursor = "&cursor=" + page.get("next");
        }

        assertThat(ids)
                .hasSize(4)
                .isSortedAccordingTo((one, other) -> Long.compare(other.longValue(), one.longValue()));
        assertThat(ServedApi.<List<Object>>at("$.items", json(get("/commits?state=applied&mdev=" + mdev))))
                .isEmpty();
        assertThat(ServedApi.<List<Object>>at("$.items", json(get("/commits?host=nowhere"))))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/x",
                "/-1",
                "/1.5",
                "?state=done",
                "?state=PENDING",
                "?mdev=1",
                "?limit=0",
                "?cursor=x",
                "?host=a&hst=b"
            })
    void refusesWhatNobodyCanKnow(String path) {
        problem(get("/commits" + path), ProblemKind.MALFORMED_REQUEST);
    }

    @Test
    void knowsNoCommitThatIsNotThere() {
        problem(get("/commits/999999999999"), ProblemKind.NOT_FOUND);
    }

    @Test
    void whoeverWaitsIsToldThatTheHostHasAppliedIt() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4]");
        agent.report();
        Number before = at("$.observed.generation", json(get("/mdevs/" + mdev)));

        CompletableFuture<Map<String, Object>> answer = CompletableFuture.supplyAsync(
                () -> json(put("/mdevs/" + mdev + "/domains/71", "", "Prefer", "wait=60")));
        Awaitility.await().until(() -> queries.host(host).mdevs().get(mdev).version() == 2);
        assertThat(answer).isNotDone();
        agent.report();

        Map<String, Object> view = answer.join();
        assertThat(ServedApi.<String>at("$.commit.state", view)).isEqualTo("applied");
        assertThat(ServedApi.<Number>at("$.observed.generation", view)).isNotEqualTo(before);
        assertThat(ServedApi.<List<String>>at("$.observed.domains", view)).containsExactly("0x0004", "0x0047");
        assertThat(view).containsKey("effects");
    }

    @Test
    void whoeverWaitsIsToldWhatFailed() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4]");
        agent.failing.put(mdev.toString(), "EADDRNOTAVAIL");
        agent.report();

        // Nothing changes by it: it is the newest commit that is waited for, and that has failed.
        Map<String, Object> view = json(put("/mdevs/" + mdev + "/domains/4", "", "Prefer", "wait=60"));

        assertThat(ServedApi.<Map<String, Object>>at("$.commit", view))
                .containsEntry("state", "failed")
                .containsEntry("errno", "EADDRNOTAVAIL")
                .containsEntry("words", "told to fail");
    }

    @Test
    void nobodyWaitsForAnAgentThatIsNotThere() {
        UUID mdev = UUID.randomUUID();

        put("/mdevs/" + mdev, mdevBody("[4]", "[4]"), "Prefer", "wait=60")
                .expectStatus()
                .isCreated()
                .expectHeader()
                .valueEquals("Preference-Applied", "wait=60")
                .expectBody()
                .jsonPath("$.commit.state")
                .isEqualTo("pending");
    }

    @Test
    void neitherAPauseNorItsEndIsAppliedUntilTheAgentAppliesSomethingAgain() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4]");
        agent.report();

        long pause = pendingCommitOf(put("/hosts/" + host, "{\"policy\": \"paused\"}", "Prefer", "wait=60"));
        long change = pendingCommitOf(put("/mdevs/" + mdev + "/domains/71", "", "Prefer", "wait=60"));
        assertThat(List.of(stateOf(pause), stateOf(change))).containsOnly("pending");

        CompletableFuture<Map<String, Object>> end = CompletableFuture.supplyAsync(
                () -> json(put("/hosts/" + host, "{\"policy\": \"repair\"}", "Prefer", "wait=60")));
        Awaitility.await().until(() -> queries.host(host).policy() == Policy.REPAIR);
        assertThat(end).isNotDone();
        agent.report();

        assertThat(ServedApi.<String>at("$.commit.state", end.join())).isEqualTo("applied");
        assertThat(stateOf(pause)).isEqualTo("superseded");
        assertThat(stateOf(change)).isEqualTo("applied");
    }

    private static long pendingCommitOf(RestTestClient.ResponseSpec answer) {
        Map<String, Object> view = json(answer);
        assertThat(ServedApi.<String>at("$.commit.state", view)).isEqualTo("pending");
        return ServedApi.<Number>at("$.commit.id", view).longValue();
    }

    @Test
    void aDryRunWaitsForNothing() {
        agent();

        put("/mdevs/" + UUID.randomUUID() + "?dryRun=true", mdevBody("[4]", "[4]"), "Prefer", "wait=60")
                .expectStatus()
                .is2xxSuccessful()
                .expectHeader()
                .doesNotExist("Preference-Applied");
    }

    @Test
    void aDeletionCanBeWaitedFor() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4]");
        agent.report();

        CompletableFuture<Map<String, Object>> answer =
                CompletableFuture.supplyAsync(() -> json(delete("/mdevs/" + mdev, "Prefer", "wait=60")));
        Awaitility.await().until(() -> queries.host(host).mdevs().isEmpty());
        agent.report();

        assertThat(ServedApi.<String>at("$.commit.state", answer.join())).isEqualTo("applied");
    }

    @Test
    void aDeletionThatIsWaitedForWasDoneEvenIfItsHostGoesToo() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4]");
        agent.report();

        CompletableFuture<Map<String, Object>> answer =
                CompletableFuture.supplyAsync(() -> json(delete("/mdevs/" + mdev, "Prefer", "wait=60")));
        Awaitility.await().until(() -> queries.host(host).mdevs().isEmpty());
        json(delete("/hosts/" + host));

        assertThat(ServedApi.<String>at("$.commit.state", answer.join())).isEqualTo("pending");
    }

    @Test
    void aReservationCanBeWaitedFor() {
        ReportingAgent agent = agent();

        CompletableFuture<Map<String, Object>> answer = CompletableFuture.supplyAsync(() -> json(
                put("/hosts/" + host + "/reservation", "{\"adapters\": [6], \"domains\": [4]}", "Prefer", "wait=60")));
        Awaitility.await().until(() -> queries.host(host).matrix().managedReservation() != null);
        agent.report();

        assertThat(ServedApi.<String>at("$.commit.state", answer.join())).isEqualTo("applied");
    }
}
