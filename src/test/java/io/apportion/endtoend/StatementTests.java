package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.springframework.security.test.web.servlet.setup.SecurityMockMvcConfigurers.springSecurity;
import static org.springframework.test.web.servlet.request.MockMvcRequestBuilders.request;
import static org.springframework.test.web.servlet.result.MockMvcResultMatchers.status;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MatrixService.Mode;
import io.apportion.server.matrix.MdevSettings;
import io.apportion.server.matrix.Preconditions;
import io.apportion.server.matrix.ReportService;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.Report;
import io.apportion.wire.WireFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.http.HttpMethod;
import org.springframework.test.web.servlet.MockMvc;
import org.springframework.test.web.servlet.setup.MockMvcBuilders;
import org.springframework.web.context.WebApplicationContext;

/** What a call costs in statements, on a host with 16 cards: a few, and not more with more mdevs. */
@LiveServer.Tried
class StatementTests {

    private static final Mode PLAINLY = new Mode(Preconditions.NONE, false, false, Caller.SERVER);
    private static final ApMask CARDS = ApMask.upTo(15);
    private static final Pattern STATEMENT =
            Pattern.compile("^(select|insert|update|delete|merge)(?: .*?from| into)? (\\w+)", Pattern.DOTALL);

    /** The matrix lock; then the whole host, as the rules concern all of it. */
    private static final String[] WHOLE_HOST = {
        "select hosts",
        "select agents",
        "select adapters",
        "select queue_drivers",
        "select foreign_mdevs",
        "select mdevs"
    };

    @Autowired
    LiveServer server;

    @Autowired
    MatrixService service;

    @Autowired
    ReportService reports;

    private MockMvc http;
    private final SimulatedHost machine = SimulatedHost.builder()
            .cards(CARDS.numbers().toArray())
            .domains(IntStream.range(0, 80).toArray())
            .allForGuests()
            .build();
    private String host = "";
    private UUID mdev = UUID.randomUUID();
    private final List<UUID> created = new ArrayList<>();
    private long session;
    private long sequence;

    /** In this thread, so that what it sends can be counted, and through all filters. */
    @BeforeEach
    void speakWithoutSockets(@Autowired WebApplicationContext context) {
        http = MockMvcBuilders.webAppContextSetup(context)
                .apply(springSecurity())
                .build();
    }

    private void newHost(int mdevs) throws Exception {
        host = server.newHost("{}");
        session = reports.open(host, new Report.Hello("instance", machine.bootId(), machine.machineId()), Caller.SERVER)
                .session();
        report();
        for (int i = 0; i < mdevs; i++) {
            mdev = UUID.randomUUID();
            created.add(mdev);
            service.putMdev(
                    mdev, new MdevSettings(host, Map.of(), new Matrix(CARDS, ApMask.of(i), ApMask.NONE)), PLAINLY);
        }
    }

    private Report.Answer report() {
        Report.Answer answer = report(machine.read(), ++sequence);
        assertThat(answer.taken()).isTrue();
        return answer;
    }

    private Report.Answer report(ObservedHost observed, long number) {
        return reports.take(
                host,
                new Report("instance", machine.bootId(), session, number, WireFormat.digest(observed), observed),
                Caller.SERVER);
    }

    private List<String> sentBy(String method, String path) throws Exception {
        return StatementCount.during(
                () -> http.perform(request(HttpMethod.valueOf(method), path)).andExpect(status().isOk()));
    }

    /** The kind and the table of each statement, in order. Ids come fifty at a time: now and then one more statement. */
    private static List<String> tables(List<String> sent) {
        return sent.stream()
                .filter(text -> !text.contains("next value for") && !text.contains("nextval("))
                .map(StatementTests::table)
                .toList();
    }

    private static String table(String text) {
        Matcher statement = STATEMENT.matcher(text);
        assertThat(statement.find()).as(text).isTrue();
        return statement.group(1) + " " + statement.group(2);
    }

    @ParameterizedTest(name = "{0} mdevs")
    @ValueSource(ints = {8, 64})
    void showsAHostInSix(int mdevs) throws Exception {
        newHost(mdevs);

        assertThat(tables(sentBy("GET", "/api/v1/hosts/" + host)))
                .containsExactly(
                        "select hosts",
                        "select agents",
                        "select adapters",
                        "select queue_drivers",
                        "select foreign_mdevs",
                        "select mdevs");
    }

    @ParameterizedTest(name = "{0} mdevs")
    @ValueSource(ints = {8, 64})
    void listsAPageOfMdevsInSix(int mdevs) throws Exception {
        newHost(mdevs);

        assertThat(tables(sentBy("GET", "/api/v1/mdevs?limit=1000&host=" + host)))
                .containsExactly(
                        "select mdevs",
                        // All that their explanations need, of all hosts of the page.
                        "select hosts",
                        "select agents",
                        "select adapters",
                        "select queue_drivers",
                        "select foreign_mdevs");
    }

    @ParameterizedTest(name = "{0} mdevs")
    @ValueSource(ints = {8, 64})
    void assignsInTwelve(int mdevs) throws Exception {
        newHost(mdevs);
        // The first change of an mdev looks up whose it is.
        assertThat(tables(sentBy("PUT", "/api/v1/mdevs/" + mdev + "/domains/70")))
                .hasSize(13);

        assertThat(tables(sentBy("PUT", "/api/v1/mdevs/" + mdev + "/domains/71")))
                .containsExactly(
                        // The matrix lock; then the whole host, as the rules concern all of it.
                        "select hosts",
                        "select agents",
                        "select adapters",
                        "select queue_drivers",
                        "select foreign_mdevs",
                        "select mdevs",
                        // The commit and what it touches, the event, the generation, the mdev, and its index.
                        "insert commits",
                        "insert commit_objects",
                        "insert events",
                        "update hosts",
                        "update mdevs",
                        "insert mdev_terms");
    }

    @ParameterizedTest(name = "{0} mdevs")
    @ValueSource(ints = {8, 64})
    void takesAReportThatChangesNothingWithoutAWrite(int mdevs) throws Exception {
        newHost(mdevs);

        for (int time = 0; time < 3; time++) {
            assertThat(tables(StatementCount.during(this::report))).containsExactly(WHOLE_HOST);
        }
    }

    @Test
    void storesDefinitionsOnlyWhenTheyChanged() throws Exception {
        newHost(8);
        machine.define(UUID.randomUUID(), true, new Matrix(CARDS, CARDS, CARDS));

        assertThat(tables(StatementCount.during(this::report)))
                .startsWith(WHOLE_HOST)
                .endsWith("update hosts", "update hosts")
                .hasSize(WHOLE_HOST.length + 2);
        machine.deconfigureCard(3);
        assertThat(tables(StatementCount.during(this::report))).containsOnlyOnce("update hosts");
        machine.configureCard(3);
        assertThat(StatementCount.during(this::report))
                .noneMatch(statement -> statement.startsWith("update") && statement.contains("definitions"));
    }

    @Test
    void storesOfAReportAfterAGapOnlyItsNumber() throws Exception {
        newHost(8);
        ObservedHost known = machine.read();
        machine.removeCard(3);
        ObservedHost outrun = machine.read();
        long late = ++sequence;

        List<String> sent = tables(StatementCount.during(() -> report(known, ++sequence)));

        assertThat(sent).startsWith(WHOLE_HOST).endsWith("update hosts").hasSize(WHOLE_HOST.length + 1);
        assertThat(report(outrun, late).taken()).isFalse();
        assertThat(tables(StatementCount.during(() -> report(known, ++sequence))))
                .containsExactly(WHOLE_HOST);
    }

    @ParameterizedTest(name = "{0} mdevs")
    @ValueSource(ints = {8, 64})
    void takesAReportThatChangesAllMdevsInTwelve(int mdevs) throws Exception {
        newHost(mdevs);
        machine.removeCard(3);

        assertThat(tables(StatementCount.during(this::report)))
                .containsExactly(
                        "select hosts",
                        "select agents",
                        "select adapters",
                        "select queue_drivers",
                        "select foreign_mdevs",
                        "select mdevs",
                        // Each of these one batch for all mdevs.
                        "insert commits",
                        "insert commit_objects",
                        "insert events",
                        "update hosts",
                        "update mdevs",
                        "delete adapters");
    }

    @ParameterizedTest(name = "{0} mdevs")
    @ValueSource(ints = {8, 64})
    void countsWhatAllGuestsGainAndLoseInOne(int mdevs) throws Exception {
        newHost(mdevs);
        for (int i = 0; i < mdevs; i++) {
            machine.create(created.get(i));
            machine.configure(created.get(i), new Matrix(CARDS, ApMask.of(i), ApMask.NONE));
            machine.openGuest("vm" + i, created.get(i));
        }

        assertThat(tables(StatementCount.during(this::report)))
                .containsOnlyOnce("merge plug_counts")
                .containsOnlyOnce("update mdevs");
        // Adapters and domains, for two causes.
        machine.removeCard(3);
        machine.removeDomain(0);
        machine.unbind(new Queue(4, 1));
        assertThat(tables(StatementCount.during(this::report))).containsOnlyOnce("merge plug_counts");
    }
}
