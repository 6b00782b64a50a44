package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.apportion.agent.sysfs.NotifySocket;
import io.apportion.agent.sysfs.StateFile;
import io.apportion.agent.sysfs.SysfsSettings;
import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.Matrix;
import io.apportion.ap.Reservation;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedSysfs;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.DesiredHost.DesiredMdev;
import io.apportion.wire.ObservedHost.ObservedMdev;
import io.apportion.wire.Report;
import io.apportion.wire.WireFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/** The whole command, on the files of a simulated host. */
class AgentApplicationTests {

    private static final UUID A = new UUID(0, 0xa);
    private static final UUID B = new UUID(0, 0xb);
    private static final UUID C = new UUID(0, 0xc);
    private static final UUID FOREIGN = new UUID(0, 0xf);
    private static final Matrix FOREIGN_MATRIX = matrix(6, 0x54);
    private static final Reservation AT_BOOT = new Reservation(ApMask.of(7), ApMask.ALL);

    @TempDir
    private Path folder;

    private final ProtocolServer server = new ProtocolServer();
    private final SimulatedHost host = SimulatedHost.builder()
            .cards(4, 5, 6, 7)
            .domains(0x4, 0x47, 0x54)
            .bootMasks(AT_BOOT.apmask(), AT_BOOT.aqmask())
            .build();
    private final SimulatedSysfs files = new SimulatedSysfs(host);
    private final List<AgentProcess> agents = new ArrayList<>();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private SysfsSettings settings;
    private NotifySocket manager;

    AgentApplicationTests() throws IOException {}

    @BeforeEach
    void prepare() throws IOException, KernelRefusal {
        settings = files.settings(folder);
        manager = new NotifySocket(folder.resolve("notify").toString());
        Path token = folder.resolve("token");
        Files.writeString(token, "secret\n");
        Files.setPosixFilePermissions(token, PosixFilePermissions.fromString("rw-------"));
        host.createForeign(FOREIGN, FOREIGN_MATRIX);
    }

    @AfterEach
    void close() throws IOException {
        agents.forEach(AgentProcess::close);
        server.close();
        manager.close();
        files.close();
        ((Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME)).setLevel(Level.INFO);
    }

    // Serving.

    private AgentProcess start(String... more) throws IOException {
        AgentProcess agent = AgentProcess.start(
                folder, settings, server.address(), folder.resolve("notify").toString(), more);
        agents.add(agent);
        return agent;
    }

    @Test
    void servesUntilItIsToldToStopAndARestartChangesNothing() throws Exception {
        server.push(desired(1, mdev(A, matrix(4, 0x4))));
        AgentProcess agent = start();
        assertThat(manager.take()).isEqualTo("READY=1\nSTATUS=the stored state is applied");
        await().until(() -> applied() == 1);
        assertThat(server.authorizations).containsOnly("Bearer secret");
        assertThat(assigned()).isEqualTo(Map.of(A, matrix(4, 0x4), FOREIGN, FOREIGN_MATRIX));
        agent.stop();
        assertThat(agent.awaitEnd()).as(agent.log()).isEqualTo(128 + 15);
        assertThat(manager.take()).isEqualTo("STOPPING=1");
        assertThat(agent.log())
                .contains("write \"" + A + "\" to " + settings.sys(), "ap_config")
                .doesNotContain("secret", "Exception");
        assertThat(settings.apLock()).doesNotExist();

        files.writes.clear();
        int reports = server.reports.size();
        start();
        assertThat(manager.take()).startsWith("READY=1");
        await().until(() -> server.reports.size() > reports);
        assertThat(applied()).isEqualTo(1);
        assertThat(files.writes).isEmpty();
    }

    @Test
    void makesTheHostAsItWasBeforeTheServerAnswers() throws Exception {
        server.push(desired(1, mdev(A, matrix(4, 0x4))));
        AgentProcess agent = start();
        await().until(() -> applied() == 1);
        agent.kill();
        agent.awaitEnd();
        manager.take();
        server.refusal = 503;
        int reports = server.reports.size();
        host.reboot();
        start();
        assertThat(manager.take()).isEqualTo("READY=1\nSTATUS=the stored state is applied");
        assertThat(assigned()).isEqualTo(Map.of(A, matrix(4, 0x4)));
        assertThat(server.reports).hasSize(reports);
    }

    @Test
    void letsTheBootGoOnWhenTheKernelHangs() throws Exception {
        server.push(desired(1, mdev(A, matrix(4, 0x4))));
        AgentProcess agent = start();
        await().until(() -> applied() == 1);
        agent.kill();
        agent.awaitEnd();
        manager.take();
        host.reboot();
        Object until = new Object();
        boolean[] over = new boolean[1];
        files.refusal = (path, text) -> {
            synchronized (until) {
                while (!over[0]) {
                    try {
                        until.wait();
                    } catch (InterruptedException stopped) {
                        return "EINTR";
                    }
                }
            }
            return null;
        };
        start("--apportion.agent.timings.ready=50ms");
        assertThat(manager.take())
                .isEqualTo("READY=1\nSTATUS=the stored state is not applied yet, and others shall not wait for it");
        synchronized (until) {
            over[0] = true;
            until.notifyAll();
        }
        await().until(() -> Map.of(A, matrix(4, 0x4)).equals(assigned()));
    }

    @Test
    void thereAreNeverTwoAgents() throws Exception {
        start();
        manager.take();
        AgentProcess second = start();
        assertThat(second.awaitEnd()).isEqualTo(1);
        assertThat(second.log()).contains("Another agent runs on this host: it has " + settings.agentLock());
        assertThat(server.hellos).hasSizeLessThan(2);
    }

    @Test
    void speaksForNoOtherHostThanItsStateIsOf() throws Exception {
        new StateFile(folder.resolve("state/state.json"))
                .remember(new AgentMemory.Remembered("boot", desired(1), null, Map.of(), Set.of()));
        AgentProcess agent = start("--apportion.agent.host=localhost");
        assertThat(agent.awaitEnd()).isEqualTo(1);
        assertThat(agent.log()).contains("is of host lpar1, and this agent speaks for localhost");
        assertThat(new StateFile(folder.resolve("state/state.json")).recall().desired())
                .isNotNull();
        assertThat(files.writes).isEmpty();
    }

    @Test
    void doesNotStartWithoutAStateThatIsThereAndCannotBeRead() throws Exception {
        Files.createDirectories(folder.resolve("state/state.json/x"));
        AgentProcess agent = start();
        assertThat(agent.awaitEnd()).isEqualTo(1);
        assertThat(agent.log()).contains("state.json cannot be read: ").doesNotContain("\tat ");
        assertThat(folder.resolve("state/state.json/x")).exists();
        assertThat(files.writes).isEmpty();
        assertThat(run("check")).isEqualTo(1);
        assertThat(out()).contains("FAIL  ", "state.json cannot be read: ");
    }

    // Killed.

    /** The process, with SIGKILL, while each write of a change is under way in turn. */
    @Test
    void finishesWhateverItIsKilledAt() throws Exception {
        DesiredHost before = desired(1, mdev(A, matrix(4, 0x4)), mdev(B, matrix(5, 0x4)));
        DesiredHost after = new DesiredHost(
                "lpar1",
                before.incarnation(),
                2,
                false,
                BindingMode.MASKS,
                new Reservation(ApMask.of(8), ApMask.ALL),
                0,
                List.of(),
                List.of(mdev(A, matrix(5, 0x47)), mdev(C, matrix(7, 0x4))));
        Map<UUID, Matrix> then = Map.of(A, matrix(5, 0x47), C, matrix(7, 0x4), FOREIGN, FOREIGN_MATRIX);
        AtomicInteger left = new AtomicInteger();
        AtomicReference<@Nullable AgentProcess> victim = new AtomicReference<>();
        files.refusal = (path, text) -> {
            AgentProcess agent = victim.get();
            if (agent != null && left.getAndDecrement() == 0) {
                agent.kill();
            }
            return null;
        };
        int kills = 0;
        boolean killed = true;
        while (killed) {
            String when = "killed at write " + kills;
            server.push(before);
            AgentProcess first = start();
            await().atMost(Duration.ofMinutes(1)).until(() -> applied() == before.generation() && first.isAlive());
            manager.take();
            files.writes.clear();
            left.set(kills);
            victim.set(first);
            server.push(after);
            AgentProcess running = first;
            await().atMost(Duration.ofMinutes(1)).until(() -> !running.isAlive() || applied() == after.generation());
            victim.set(null);
            killed = !first.isAlive();
            if (killed) {
                server.refusal = 503;
                start();
                assertThat(manager.take()).as(when).startsWith("READY=1");
            }
            assertThat(assigned()).as(when).isEqualTo(then);
            assertThat(host.read().masks()).as(when).isEqualTo(after.reservation());
            assertThat(files.writes).as(when).noneMatch(write -> write.contains(FOREIGN.toString()));
            agents.forEach(AgentProcess::close);
            agents.clear();
            kills++;
            // All over again, on another host.
            server.refusal = 0;
            server.reports.clear();
            Files.delete(folder.resolve("state/state.json"));
            host.reboot();
            host.createForeign(FOREIGN, FOREIGN_MATRIX);
        }
        assertThat(kills).as("writes").isGreaterThan(6);
    }

    // Looking only.

    private int run(String... words) {
        out.reset();
        err.reset();
        return new AgentApplication(
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8))
                .run(AgentProcess.options(folder, settings, server.address(), words)
                        .toArray(String[]::new));
    }

    private String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    @Test
    void checkFindsThatThisHostCanServe() throws IOException {
        server.desired = desired(118);
        Files.createDirectories(folder.resolve("definitions"));
        Files.writeString(
                folder.resolve("definitions").resolve(A.toString()),
                "{\"mdev_type\": \"vfio_ap-passthrough\", \"start\": \"auto\", \"attrs\": [{\"assign_adapter\":"
                        + " \"4\"}]}");
        Files.writeString(folder.resolve("definitions").resolve(B.toString()), "{}");
        Map<String, String> before = everyFile();
        assertThat(run("check")).as(out()).isZero();
        assertThat(out())
                .contains(
                        "OK    kernel 7.2.13",
                        "OK    4 adapters with 12 queues",
                        "OK    vfio_ap has guest_matrix and ap_config",
                        "OK    sysfs can be written",
                        "OK    the masks keep 3 queues for the host",
                        "OK    no state is stored yet",
                        "OK    the server has host lpar1, at generation 118, and takes the token",
                        "NOTE  mdevs that Apportion did not make, and leaves alone: " + FOREIGN,
                        "NOTE  mdevctl has definitions in " + folder.resolve("definitions") + ": " + A
                                + " (starts by itself), " + B + " (not understood: it has no mdev_type)")
                .endsWith("This host can serve.\n");
        assertThat(err.toString(StandardCharsets.UTF_8)).isEmpty();
        assertThat(everyFile()).isEqualTo(before);
        assertThat(files.writes).isEmpty();
        assertThat(server.hellos).isEmpty();
        assertThat(server.heartbeats).allMatch(beat -> beat.session() < 0);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--apportion.agent.sysfs=/nowhere | there is no AP bus (/nowhere/bus/ap)",
                "--apportion.agent.machine-id=/nowhere | there is no /nowhere, by which the server knows the machine",
                "--apportion.agent.proc=/nowhere | this is no Linux host",
                "--apportion.agent.token-file=/nowhere | there is no /nowhere; an admin makes a token with:",
                "--apportion.agent.server=http://127.0.0.1:1 | the server is not reached:",
                "--apportion.agent.server=http://apportion.example | Plain http is for a server on this machine only",
                "--apportion.agent.ap-config-lock=/nowhere/lock | no lock can be made in /nowhere"
            })
    void checkTellsWhatIsInTheWay(String option, String words) {
        server.desired = desired(118);
        int code = run("check", option);
        assertThat(out()).contains("FAIL  ", words).endsWith("This host cannot serve like this.\n");
        assertThat(code).isEqualTo(1);
    }

    @Test
    void checkTellsWhatTheServerSays() {
        server.refusal = 401;
        assertThat(run("check")).isEqualTo(1);
        assertThat(out()).contains("FAIL  the server answers 401: Refused by the test. Wait.");
    }

    @Test
    void trustsTheSignerThatItIsToldOf() throws Exception {
        Path keys = folder.resolve("keys.p12");
        keytool("-genkeypair", "-keystore", keys, "-keyalg", "EC", "-dname", "CN=x", "-ext", "san=dns:localhost");
        Path certificate = folder.resolve("ca.pem");
        keytool("-exportcert", "-rfc", "-keystore", keys, "-file", certificate);
        KeyStore store = KeyStore.getInstance(keys.toFile(), "secret".toCharArray());
        KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        own.init(store, "secret".toCharArray());
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(own.getKeyManagers(), null, null);
        HttpsServer https = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        https.setHttpsConfigurator(new HttpsConfigurator(tls));
        https.createContext("/", exchange -> {
            Object answer =
                    exchange.getRequestMethod().equals("GET") ? desired(118) : new Report.HeartbeatAnswer(false, 3);
            byte[] body = WireFormat.MAPPER.writeValueAsBytes(answer);
            exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        https.start();
        try {
            String address = "--apportion.agent.server=https://localhost:"
                    + https.getAddress().getPort();
            assertThat(run("check", address)).isEqualTo(1);
            assertThat(out()).contains("FAIL  the server does not show who it is: ", "trusted-certificates");
            assertThat(run("check", address, "--apportion.agent.trusted-certificates=" + certificate))
                    .as(out())
                    .isZero();
            assertThat(run("check", address, "--apportion.agent.trusted-certificates=" + folder.resolve("token")))
                    .isEqualTo(1);
            assertThat(out())
                    .contains(folder.resolve("token") + " do not hold certificates")
                    .doesNotContain("secret");
        } finally {
            https.stop(0);
        }
    }

    private static void keytool(Object... words) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
        Stream.of(words).map(Object::toString).forEach(command::add);
        command.addAll(List.of("-alias", "server", "-storepass", "secret"));
        assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
    }

    @Test
    void checkTellsThatTheTokenIsForOthersEyesToo() throws IOException {
        Files.setPosixFilePermissions(folder.resolve("token"), PosixFilePermissions.fromString("rw-r-----"));
        assertThat(run("check")).isEqualTo(1);
        assertThat(out()).contains("is for others' eyes too; as root: chmod 600 ");
    }

    @Test
    void checkTellsOfAStateThatIsNotUnderstoodOrNotSafe() throws IOException {
        server.desired = desired(118);
        Path state = folder.resolve("state/state.json");
        Files.createDirectories(state.getParent());
        Files.writeString(state, "{\"format\":7}");
        assertThat(run("check")).isZero();
        assertThat(out()).contains("is not understood: it is of a newer agent");
        Files.setPosixFilePermissions(state.getParent(), PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThat(run("check")).isEqualTo(1);
        assertThat(out()).contains("others may write to " + state.getParent());
        assertThat(state).hasContent("{\"format\":7}");
    }

    @Test
    void dryRunTellsWhatItSeesAndWouldDoAndChangesNothing() throws IOException {
        server.desired = desired(118, mdev(A, matrix(4, 0x4)));
        Map<String, String> before = everyFile();
        assertThat(run("--once", "--dry-run")).isZero();
        assertThat(out())
                .startsWith("Host lpar1, kernel 7.2.13\n")
                .contains(
                        FOREIGN + " foreign, held by nobody",
                        "Generation 118 (incarnation " + new UUID(1, 1) + "), as the server has it now",
                        "  1. mdev " + A + ": create " + A,
                        "  2. mdev " + A + ": ap_config 0x08");
        assertThat(run("--once", "--dry-run", "--json")).isZero();
        JsonNode json = WireFormat.MAPPER.readTree(out());
        assertThat(json.at("/host").asString()).isEqualTo("lpar1");
        assertThat(json.at("/run/writes/1/attribute").asString()).isEqualTo("ap_config");
        assertThat(json.at("/run/observed/mdevs/0/uuid").asString()).isEqualTo(FOREIGN.toString());
        assertThat(everyFile()).isEqualTo(before);
        assertThat(files.writes).isEmpty();
        assertThat(server.hellos).isEmpty();
        assertThat(server.dials).isEmpty();
    }

    @Test
    void dryRunNeedsNoServerAndDisturbsNoAgent() throws Exception {
        server.push(desired(1, mdev(A, matrix(4, 0x4))));
        AgentProcess agent = start();
        await().until(() -> applied() == 1);
        files.writes.clear();
        int hellos = server.hellos.size();
        server.push(desired(2, mdev(A, matrix(5, 0x4))));
        await().until(() -> applied() == 2);
        assertThat(run("--once", "--dry-run")).isZero();
        assertThat(out()).contains("Generation 2 ", "Nothing would be written.");
        server.refusal = 503;
        assertThat(run("--once", "--dry-run")).isZero();
        assertThat(out()).contains("as remembered", "The server was not asked: the server answers 503");
        assertThat(server.hellos).hasSize(hellos);
        assertThat(agent.isAlive()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"--once", "--dry-run", "--json", "--colour", "chekc", "--config=/nowhere", "check --once --dry-run"})
    void isToldHowToBeCalled(String words) {
        assertThat(run(words.split(" "))).isEqualTo(2);
        assertThat(err.toString(StandardCharsets.UTF_8)).contains("Usage: apportion agent [check] [OPTION...]");
        assertThat(out()).isEmpty();
    }

    @Test
    void refusesToServeWithoutAServer() throws IOException {
        Path file = Files.writeString(folder.resolve("agent.yaml"), "apportion.agent.host: lpar1");
        assertThat(new AgentApplication(System.out, new PrintStream(err, true, StandardCharsets.UTF_8))
                        .run("--config=" + file))
                .isEqualTo(2);
        assertThat(err.toString(StandardCharsets.UTF_8))
                .isEqualTo("apportion.agent.server is not set: the server's address\n");
    }

    // Shorthand.

    /** Name and content of every file that an agent could touch. */
    private Map<String, String> everyFile() throws IOException {
        Map<String, String> contents = new TreeMap<>();
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path file : all.toList()) {
                contents.put(file.toString(), Files.isRegularFile(file) ? Files.readString(file) : "");
            }
        }
        return contents;
    }

    private long applied() {
        return server.reports.isEmpty() || server.reports.getLast().observed().applied() == null
                ? 0
                : Objects.requireNonNull(server.reports.getLast().observed().applied())
                        .generation();
    }

    private Map<UUID, Matrix> assigned() {
        return Objects.requireNonNull(host.read().mdevs()).stream()
                .collect(Collectors.toMap(ObservedMdev::uuid, mdev -> Objects.requireNonNull(mdev.assigned())));
    }

    private static DesiredHost desired(long generation, DesiredMdev... mdevs) {
        return new DesiredHost(
                "lpar1", new UUID(1, 1), generation, false, BindingMode.MASKS, null, 0, List.of(), List.of(mdevs));
    }

    private static DesiredMdev mdev(UUID uuid, Matrix matrix) {
        return new DesiredMdev(uuid, matrix, matrix, null, false, 0);
    }

    private static Matrix matrix(int adapter, int domain) {
        return new Matrix(ApMask.of(adapter), ApMask.of(domain), ApMask.NONE);
    }
}
