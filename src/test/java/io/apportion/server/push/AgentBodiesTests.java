package io.apportion.server.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Reservation;
import io.apportion.server.FullServer;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.HostSettings;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MatrixService.Mode;
import io.apportion.server.matrix.MdevSettings;
import io.apportion.server.matrix.Preconditions;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedDefinition;
import io.apportion.wire.ObservedHost.ObservedGuest;
import io.apportion.wire.ObservedHost.ObservedMdev;
import io.apportion.wire.Report;
import io.apportion.wire.WireFormat;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.web.server.LocalServerPort;
import tools.jackson.core.JsonPointer;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** What agents send, good and bad. */
@FullServer
class AgentBodiesTests {

    private static final Mode PLAINLY = new Mode(Preconditions.NONE, false, false, new Caller("test", true, "r1"));
    private static final AtomicInteger HOSTS = new AtomicInteger();

    @LocalServerPort
    int port;

    @Autowired
    MatrixService service;

    @Autowired
    MatrixQueries queries;

    @Autowired
    TokenService tokens;

    private String host = "";
    private AgentSide agent;
    private long session;

    @BeforeEach
    void connectAnAgent() throws Exception {
        host = "bodies" + HOSTS.incrementAndGet();
        service.putHost(host, new HostSettings(null, null, null, null, null), PLAINLY);
        agent = new AgentSide(
                port,
                host,
                tokens.issue(host, Role.AGENT, host, null, "test", false).secret());
        session = agent.call("POST", "/session", new Report.Hello("first", "boot", "machine"), Report.Session.class)
                .session();
    }

    @AfterEach
    void disconnect() {
        agent.close();
    }

    /** 256 cards of 256 queues each, and as many mdevs, foreign ones, as guests have a card each. */
    private static ObservedHost whole() {
        return new ObservedHost(
                "7.2.13",
                new ObservedHost.Features(true, true, true),
                255,
                255,
                new Matrix(ApMask.ALL, ApMask.ALL, ApMask.ALL),
                new Reservation(ApMask.NONE, ApMask.NONE),
                ObservedHost.Keep.NOTHING,
                IntStream.range(0, 256)
                        .mapToObj(adapter -> new ObservedAdapter(
                                adapter,
                                "CEX8P",
                                "EP11-Coproc",
                                "serial" + adapter,
                                true,
                                true,
                                false,
                                ApMask.ALL,
                                ApMask.ALL,
                                ApMask.NONE,
                                ApMask.NONE,
                                ApMask.NONE))
                        .toList(),
                IntStream.range(0, 256)
                        .mapToObj(adapter -> {
                            Matrix card = new Matrix(ApMask.of(adapter), ApMask.ALL, ApMask.NONE);
                            return new ObservedMdev(
                                    new UUID(7, adapter),
                                    false,
                                    card,
                                    card,
                                    new ObservedGuest("boot:" + adapter, "vm" + adapter, null));
                        })
                        .toList(),
                IntStream.range(0, ObservedHost.MOST_DEFINITIONS)
                        .mapToObj(n -> new ObservedDefinition(new UUID(8, n).toString(), true, null, "x".repeat(512)))
                        .toList(),
                null);
    }

    private Report report(ObservedHost observed) {
        return new Report("first", "boot", session, 1, WireFormat.digest(observed), observed);
    }

    @Test
    void takesAWholeReportOfTheLargestMachine() throws Exception {
        Report.Answer answer = agent.call("PUT", "/observed", report(whole()), Report.Answer.class);

        assertThat(answer.taken()).isTrue();
        assertThat(queries.host(host).matrix().inventory().bound().count()).isEqualTo(65536);
        assertThat(queries.host(host).matrix().inventory().foreign()).hasSize(256);
    }

    @Test
    void ignoresWhatANewerAgentSays() throws Exception {
        ObjectNode json = WireFormat.MAPPER.valueToTree(report(whole()));
        json.put("temperature", 17);
        ((ObjectNode) json.path("observed")).putObject("weather").put("rain", true);

        HttpResponse<String> answer = agent.send("PUT", "/observed", json.toString());

        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.body()).isEqualTo("{\"taken\":true,\"session\":" + session + "}");
    }

    @Test
    void refusesABodyThatIsTooLarge() throws Exception {
        String padding = "x".repeat(1 << 20);
        String body = "{\"instance\":\"first\",\"session\":1,\"digest\":\"0\",\"padding\":\"" + padding + "\"}";

        HttpResponse<String> answer = agent.send("POST", "/heartbeat", body);

        assertThat(answer.statusCode()).isEqualTo(413);
        assertThat(answer.body()).contains("/problems/too-large");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "POST | /session | ''",
                "POST | /session | null",
                "POST | /session | []",
                "POST | /session | {}",
                "POST | /session | {\"instance\":\"a\",\"bootId\":\"b\"}",
                "POST | /session | {\"instance\":\"a\",\"bootId\":\"b\",\"machineId\":null}",
                "POST | /session | {\"instance\":\"a\",\"bootId\":\"b\",\"machineId\":{}}",
                "POST | /session | {\"instance\":\"\\u0000\",\"bootId\":\"b\",\"machineId\":\"c\"}",
                "POST | /heartbeat | {\"instance\":\"a\",\"session\":\"x\",\"digest\":\"d\"}",
                "POST | /heartbeat | {\"instance\":\"a\",\"session\":1",
                "PUT | /observed | {\"instance\":\"a\",\"bootId\":\"b\",\"session\":1,\"sequence\":1,\"digest\":\"d\"}",
                "PUT | /observed |"
                    + " {\"instance\":\"a\",\"bootId\":\"b\",\"session\":1,\"sequence\":1,\"digest\":\"d\",\"observed\":{}}"
            })
    void refusesWhatIsNoBody(String method, String resource, String body) throws Exception {
        HttpResponse<String> answer = agent.send(method, resource, body);

        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(answer.body()).contains("/problems/malformed-request");
    }

    @Test
    void refusesAReportWithACardThatNoMachineHas() throws Exception {
        ObjectNode json = WireFormat.MAPPER.valueToTree(report(whole()));
        ((ObjectNode) json.path("observed").path("adapters").get(3)).put("adapter", 256);

        HttpResponse<String> answer = agent.send("PUT", "/observed", json.toString());

        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(answer.body()).contains("/observed/adapters/3");
        assertThat(queries.host(host).matrix().inventory().reported()).isFalse();
    }

    /** Columns have bounds: what identifies is refused, and words are cut. */
    @Test
    void noTextOfAReportIsTooLongForTheDatabase() throws Exception {
        String mdev = UUID.randomUUID().toString();
        service.putMdev(UUID.fromString(mdev), new MdevSettings(host, null, Matrix.EMPTY), PLAINLY);
        HostState state = queries.host(host);
        ObservedHost whole = whole();
        ObservedHost observed = new ObservedHost(
                whole.kernelRelease(),
                whole.features(),
                255,
                255,
                whole.hostConfiguration(),
                whole.masks(),
                whole.keep(),
                List.of(whole.adapters().getFirst()),
                List.of(
                        whole.mdevs().getFirst(),
                        new ObservedMdev(
                                UUID.fromString(mdev),
                                true,
                                Matrix.EMPTY,
                                Matrix.EMPTY,
                                new ObservedGuest("boot:own", "vm-own", null))),
                List.of(new ObservedDefinition(mdev, true, Matrix.EMPTY, "because")),
                new ObservedHost.Applied(
                        state.incarnation(),
                        state.generation(),
                        List.of(new ObservedHost.ObjectResult("mdev", mdev, "EBUSY", "it is in use"))));
        String report = WireFormat.MAPPER.writeValueAsString(report(observed));
        List<JsonPointer> texts = new ArrayList<>();
        collectTexts(JsonPointer.empty(), WireFormat.MAPPER.readTree(report), texts);
        assertThat(texts).extracting(JsonPointer::toString).contains("/bootId", "/observed/applied/results/0/words");
        long sequence = 0;
        for (JsonPointer text : texts) {
            for (String longText : List.of("x".repeat(5_000), "\ud83d\ude42".repeat(5_000))) {
                ObjectNode json = (ObjectNode) WireFormat.MAPPER.readTree(report);
                sequence++;
                json.put("sequence", sequence).put("digest", "d" + sequence);
                JsonNode parent = json.at(text.head());
                if (parent instanceof ArrayNode list) {
                    list.set(text.last().getMatchingIndex(), longText);
                } else {
                    ((ObjectNode) parent).put(text.last().getMatchingProperty(), longText);
                }

                HttpResponse<String> answer = agent.send("PUT", "/observed", json.toString());

                assertThat(answer.statusCode()).as(text + ": " + answer.body()).isIn(200, 400);
            }
        }
    }

    private static void collectTexts(JsonPointer at, JsonNode node, List<JsonPointer> texts) {
        if (node.isString()) {
            texts.add(at);
        }
        node.properties().forEach(field -> collectTexts(at.appendProperty(field.getKey()), field.getValue(), texts));
        for (int i = 0; node.isArray() && i < node.size(); i++) {
            collectTexts(at.appendIndex(i), node.get(i), texts);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"instance", "bootId", "machineId"})
    void refusesAGreetingOfAnAgentWhoseNameIsTooLong(String field) throws Exception {
        ObjectNode hello = WireFormat.MAPPER.valueToTree(new Report.Hello("first", "boot", "machine"));

        HttpResponse<String> answer =
                agent.send("POST", "/session", hello.put(field, "x".repeat(257)).toString());

        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(400);
    }
}
