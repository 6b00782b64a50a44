package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import com.jayway.jsonpath.JsonPath;
import io.apportion.server.ServerParts;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.IntStream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.core.env.Environment;
import org.springframework.jdbc.core.JdbcTemplate;

@Timeout(300) // A stream that tells nothing would be waited for.
class EventApiTests extends ServedApi {

    @Autowired
    JdbcTemplate jdbc;

    /** Waits until so many events that the filter lets through have their positions. */
    private List<Map<String, Object>> events(String filter, int count) {
        return Awaitility.await()
                .until(
                        () -> ServedApi.<List<Map<String, Object>>>at(
                                "$.items", json(get("/events?limit=1000&" + filter))),
                        items -> items.size() >= count);
    }

    @Test
    void tellWhoDidWhatAndWhy() {
        agent();
        UUID mdev = UUID.randomUUID();
        json(put("/mdevs/" + mdev, mdevBody("[4]", "[4]"), "X-Request-Id", "r-17"));

        Map<String, Object> event = events("mdev=" + mdev, 1).getFirst();

        assertThat(event)
                .containsEntry("type", "mdev.created")
                .containsEntry("host", host)
                .containsEntry("mdev", mdev.toString())
                .containsEntry("actor", "demo")
                .containsEntry("requestId", "r-17")
                .containsKeys("id", "at");
        assertThat(ServedApi.<List<String>>at("$.after.adapters", event)).containsExactly("0x04");
    }

    @Test
    void tellWhichQueueTookAnAdapterFromAGuest() {
        ReportingAgent agent = agent();
        UUID mdev = mdev("[4]", "[4, 71]");
        agent.guests.put(mdev, "vm17");
        agent.report();
        agent.unbind("04.0004");
        agent.report();

        Map<String, Object> event =
                events("type=guest.adapter.unplugged&host=" + host, 1).getFirst();

        assertThat(event).containsEntry("guest", "vm17").containsEntry("cause", "unbind");
        assertThat(ServedApi.<List<String>>at("$.detail.adapters", event)).containsExactly("0x04");
        assertThat(ServedApi.<List<String>>at("$.detail.because", event)).containsExactly("04.0004");
    }

    @Test
    void pagesLeadThroughAllEventsInOrder() {
        agent();
        UUID mdev = mdev("[4]", "[4]");
        for (int domain : List.of(0x47, 0x53, 0x54)) {
            json(put("/mdevs/" + mdev + "/domains/" + domain));
        }
        List<Map<String, Object>> all = events("mdev=" + mdev, 4);

        List<Map<String, Object>> paged = new ArrayList<>();
        String cursor = "";
        while (true) {
            Map<String, Object> page = json(get("/events?limit=3&mdev=" + mdev + cursor));
            paged.addAll(at("$.items", page));
            if (!page.containsKey("next")) {
                break;
            }
            cursor = "&cursor=" + page.get("next");
        }
        assertThat(paged).isEqualTo(all);
        assertThat(all)
                .extracting(event -> ((Number) event.get("id")).longValue())
                .isSorted();
        assertThat(events("mdev=" + mdev + "&after=" + all.get(1).get("id"), 2)).isEqualTo(all.subList(2, 4));
    }

    @Test
    void aStreamTellsWhatHappensNext() throws Exception {
        agent();
        events("type=host.configuration.changed&host=" + host, 1); // what got its position later would come next
        try (Stream stream = new Stream("/events?host=" + host, null)) {
            UUID mdev = mdev("[4]", "[4]");

            Map<String, Object> event = stream.next();

            assertThat(event).containsEntry("type", "mdev.created").containsEntry("mdev", mdev.toString());
            assertThat(stream.id).isEqualTo(event.get("id").toString());
        }
    }

    @Test
    void whoeverResumesMissesNone() throws Exception {
        agent();
        UUID mdev;
        String seen;
        try (Stream stream = new Stream("/events?host=" + host + "&type=mdev.assigned", null)) {
            mdev = mdev("[4]", "[4]");
            json(put("/mdevs/" + mdev + "/domains/71"));
            stream.next();
            seen = stream.id;
        }
        json(put("/mdevs/" + mdev + "/domains/83"));
        json(put("/mdevs/" + mdev + "/domains/84"));

        try (Stream stream = new Stream("/events?type=mdev.assigned&mdev=" + mdev, seen)) {
            json(put("/mdevs/" + mdev + "/adapters/5"));

            assertThat(List.of(stream.next(), stream.next(), stream.next()))
                    .isEqualTo(events("type=mdev.assigned&mdev=" + mdev, 4).subList(1, 4));
        }
    }

    /** More than the server reads at a time. */
    @Test
    void whoeverIsFarBehindGetsAllInOrder() throws Exception {
        events("host=" + host, 1);
        long seen = queries.newestEvent();
        jdbc.batchUpdate(
                "insert into events (id, at, type, host, host_id, ordinal, actor, request_id)"
                        + " values (?, current_timestamp, 'test', ?, -1, ?, 'test', ?)",
                IntStream.rangeClosed(1, 450)
                        .mapToObj(i -> new Object[] {-i, host, i, "r-" + i})
                        .toList());

        try (Stream stream = new Stream("/events?host=" + host, String.valueOf(seen))) {
            for (int i = 1; i <= 450; i++) {
                assertThat(stream.next()).containsEntry("requestId", "r-" + i);
            }
        }
    }

    @Test
    void aStreamBeginsWhereItIsTold() throws Exception {
        agent();
        UUID mdev = mdev("[4]", "[4]");
        json(put("/mdevs/" + mdev + "/domains/71"));
        List<Map<String, Object>> all = events("mdev=" + mdev, 2);

        try (Stream stream =
                new Stream("/events?mdev=" + mdev + "&after=" + all.get(0).get("id"), null)) {
            assertThat(stream.next()).isEqualTo(all.get(1));
        }
    }

    @Test
    void aPositionThatWasPrunedIsGone() {
        agent();
        UUID mdev = mdev("[4]", "[4]");
        long position = ((Number) events("mdev=" + mdev, 1).getFirst().get("id")).longValue();
        jdbc.update("delete from events where position <= ?", position);
        jdbc.update("update event_positions set pruned = ?", position);

        for (String accept : List.of("application/json", "text/event-stream")) {
            var answer = api.get()
                    .uri("/events?after=" + (position - 1))
                    .header("Accept", accept)
                    .exchange();
            assertThat(problem(answer, ProblemKind.GONE)).containsEntry("oldest", (int) position + 1);
        }
        problem(
                api.get()
                        .uri("/events")
                        .header("Accept", "text/event-stream")
                        .header("Last-Event-ID", String.valueOf(position - 1))
                        .exchange(),
                ProblemKind.GONE);
        assertThat(json(get("/events?after=" + position))).containsKey("items");
    }

    /** As after a restore from a backup: whoever was told more would otherwise hear nothing until it is told again. */
    @Test
    void aPositionThatWasNeverGivenIsGone() {
        mdev("[4]", "[4]");
        events("host=" + host, 2);
        long never = queries.newestEvent() + 1000;
        String cursor = Base64.getUrlEncoder()
                .withoutPadding()
                .encodeToString(("events:" + never).getBytes(StandardCharsets.UTF_8));

        assertThat(problem(get("/events?after=" + never), ProblemKind.GONE).get("detail"))
                .asString()
                .contains(never + " was never given");
        problem(get("/events?cursor=" + cursor), ProblemKind.GONE);
        problem(
                api.get()
                        .uri("/events")
                        .header("Accept", "text/event-stream")
                        .header("Last-Event-ID", String.valueOf(never))
                        .exchange(),
                ProblemKind.GONE);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"after=x", "after=-1", "after=1&cursor=ZXZlbnRzOjE", "cursor=x", "limit=0", "mdev=1", "typ=x"})
    void refuseWhatNobodyCanKnow(String query) {
        problem(get("/events?" + query), ProblemKind.MALFORMED_REQUEST);
    }

    @Test
    void aStreamRefusesAnIdThatIsNone() {
        problem(
                api.get()
                        .uri("/events")
                        .header("Accept", "text/event-stream")
                        .header("Last-Event-ID", "x")
                        .exchange(),
                ProblemKind.MALFORMED_REQUEST);
    }

    @ParameterizedTest
    @ValueSource(strings = {"*/*", "application/json", "application/json, text/event-stream;q=0.9"})
    void aPageIsWhatOneGetsUnlessOneAsksForAStream(String accept) {
        api.get()
                .uri("/events?limit=1&host=" + host)
                .header("Accept", accept)
                .exchange()
                .expectHeader()
                .contentType("application/json");
    }

    @Test
    void whoeverAsksForTheHeadOfAStreamIsNotKept() {
        api.head()
                .uri("/events")
                .header("Accept", "text/event-stream")
                .exchange()
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentTypeCompatibleWith("text/event-stream")
                .expectBody()
                .isEmpty();
    }

    @Test
    void aServerThatStopsEndsItsStreams() throws Exception {
        var server = new SpringApplicationBuilder(ServerParts.class, OpenAccess.class)
                .run(
                        "--server.port=0",
                        "--spring.datasource.url=jdbc:h2:mem:stops",
                        "--spring.lifecycle.timeout-per-shutdown-phase=10m");
        String base = "http://localhost:" + server.getBean(Environment.class).getProperty("local.server.port");
        try (Stream stream = new Stream(URI.create(base + "/api/v1/events"), null)) {
            stream.readBlock();

            server.close();

            assertThat(stream.readBlock()).isNull();
        }
    }

    /** What a client of server-sent events sees. */
    private final class Stream implements AutoCloseable {

        private final HttpClient client = HttpClient.newHttpClient();
        private final BufferedReader lines;

        /** The last id received. */
        String id = "";

        Stream(String path, String lastEventId) throws IOException, InterruptedException {
            this(URI.create("http://localhost:" + port + "/api/v1" + path), lastEventId);
            // Its first block says where it begins: what happens from now on is told.
            readBlock();
        }

        Stream(URI uri, String lastEventId) throws IOException, InterruptedException {
            HttpRequest.Builder request = HttpRequest.newBuilder(uri).header("Accept", "text/event-stream");
            if (lastEventId != null) {
                request.header("Last-Event-ID", lastEventId);
            }
            var response = client.send(request.build(), BodyHandlers.ofInputStream());
            assertThat(response.statusCode()).isEqualTo(200);
            assertThat(response.headers().firstValue("Content-Type")).hasValue("text/event-stream;charset=UTF-8");
            lines = new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8));
        }

        Map<String, Object> next() throws IOException {
            while (true) {
                String data = readBlock();
                assertThat(data).as("the stream ended").isNotNull();
                if (!data.isEmpty()) {
                    return JsonPath.read(data, "$");
                }
            }
        }

        /** @return its data; null: the stream ended */
        String readBlock() throws IOException {
            StringBuilder data = new StringBuilder();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.isEmpty()) {
                    return data.toString();
                }
                if (line.startsWith("id: ")) {
                    id = line.substring(4);
                } else if (line.startsWith("data: ")) {
                    data.append(line.substring(6));
                }
            }
            return null;
        }

        @Override
        public void close() {
            client.shutdownNow();
        }
    }
}
