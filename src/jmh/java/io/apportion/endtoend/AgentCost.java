package io.apportion.endtoend;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.apportion.Apportion;
import io.apportion.agent.sysfs.NotifySocket;
import io.apportion.agent.sysfs.SysfsKernel;
import io.apportion.agent.sysfs.SysfsSettings;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedSysfs;
import io.apportion.wire.WireFormat;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/**
 * What the agent of one large host costs: the jar in a process of its own, with the options of its unit file, on the files
 * of a host with 16 adapters × 85 domains, and a real server. See {@code bench/README.md}.
 */
final class AgentCost {

    private static final int ADAPTERS = 16;
    private static final int DOMAINS = 85;
    private static final int MDEVS = 16;
    private static final int DOMAINS_OF_MDEV = 5;
    private static final int STARTS = 5;

    private final Path jar;
    private final int seconds;
    private final Path folder = Files.createTempDirectory("apportion-agent-cost-");
    private final HttpClient http = HttpClient.newHttpClient();
    private final NotifySocket manager =
            new NotifySocket(folder.resolve("notify").toString());

    /**
     * @param jar as {@code package} makes it
     * @param seconds for which the agent is left alone
     */
    private AgentCost(Path jar, int seconds) throws IOException {
        this.jar = jar.toAbsolutePath();
        this.seconds = seconds;
    }

    public static void main(String[] arguments) throws Exception {
        ((Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME)).setLevel(Level.ERROR);
        new AgentCost(Path.of(arguments[0]), Integer.parseInt(arguments[1])).print();
        System.exit(0);
    }

    private void print() throws Exception {
        System.out.printf(
                Locale.ROOT,
                "%nJava %s, %d processors, load of the machine before the run %.1f%n",
                Runtime.version(),
                Runtime.getRuntime().availableProcessors(),
                ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage());
        Path layout = folder.resolve("layout");
        run(List.of(java(), "-Djarmode=tools", "-jar", jar.toString(), "extract", "--destination", layout.toString()));
        Path extracted = layout.resolve(jar.getFileName());
        SimulatedHost host = SimulatedHost.builder()
                .machineId("lpar1")
                .highest(ADAPTERS - 1, DOMAINS - 1)
                .cards(IntStream.range(0, ADAPTERS).toArray())
                .domains(IntStream.range(0, DOMAINS).toArray())
                .allForGuests()
                .build();
        host.tellEverything(true);
        try (SimulatedSysfs mounted = new SimulatedSysfs(host);
                ServerProcess server = new ServerProcess(
                        Apportion.class,
                        folder,
                        "--spring.datasource.driver-class-name=" + TimedDriver.class.getName())) {
            server.start();
            String token = register(server);
            SysfsSettings files = mounted.settings(folder);
            try (Started agent = start(server, files, extracted)) {
                makeMdevs(server, host);
                printSizes(server, files, token);
                System.out.println("\nOn the simulated host, mounted by FUSE:");
                printIdle(server, agent);
            }
            SysfsSettings copy = copied(files);
            try (Started agent = start(server, copy, extracted)) {
                System.out.println("\nOn a copy of its files in memory:");
                printIdle(server, agent);
            }
            Path cache = folder.resolve("agent.aot");
            try (Started training = start(server, copy, extracted, "-XX:AOTCacheOutput=" + cache)) {
                training.process.destroy();
                training.process.waitFor();
            }
            System.out.printf("%nAOT cache: %,d bytes%n", Files.size(cache));
            System.out.println("\n"
                    + "| started from | process start to ready, s | processor, s | resident, MB |\n"
                    + "|---|---:|---:|---:|");
            printStarts(server, copy, "jar", jar);
            printStarts(server, copy, "extracted jar", extracted);
            printStarts(server, copy, "extracted jar, AOT cache", extracted, "-XX:AOTCache=" + cache);
        }
        delete(folder);
    }

    private static String java() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    private static void run(List<String> command) throws IOException, InterruptedException {
        if (new ProcessBuilder(command).inheritIO().start().waitFor() != 0) {
            throw new IllegalStateException(command + " failed");
        }
    }

    private String register(ServerProcess server) throws IOException, InterruptedException {
        need(server, "PUT", "/api/v1/hosts/lpar1", "{}");
        String token = need(
                        server, "POST", "/api/v1/tokens", "{\"name\":\"lpar1\",\"role\":\"agent\",\"host\":\"lpar1\"}")
                .path("token")
                .asString();
        Path file = Files.writeString(folder.resolve("token"), token);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        return token;
    }

    /** Half of them with a guest. */
    private void makeMdevs(ServerProcess server, SimulatedHost host) throws Exception {
        for (int mdev = 0; mdev < MDEVS; mdev++) {
            int adapter = mdev;
            String domains = IntStream.range(0, DOMAINS_OF_MDEV)
                    .mapToObj(domain -> String.valueOf(adapter * DOMAINS_OF_MDEV + domain))
                    .reduce((left, right) -> left + "," + right)
                    .orElseThrow();
            need(
                    server,
                    "PUT",
                    "/api/v1/mdevs/" + new UUID(0, mdev),
                    "{\"host\":\"lpar1\",\"adapters\":[%d],\"domains\":[%s]}".formatted(adapter, domains));
        }
        await(() -> need(server, "GET", "/api/v1/commits?state=pending", null)
                .path("items")
                .isEmpty());
        for (int mdev = 0; mdev < MDEVS / 2; mdev++) {
            host.openGuest("vm" + mdev, new UUID(0, mdev));
        }
        await(() -> ServerMetrics.read(server, http).sum("apportion_guest_queues", Map.of())
                == MDEVS / 2 * DOMAINS_OF_MDEV);
    }

    private void printSizes(ServerProcess server, SysfsSettings files, String token) throws Exception {
        try (SysfsKernel kernel = SysfsKernel.openToRead(files)) {
            System.out.printf(
                    "%nThe inventory in a report: %,d bytes.%n",
                    WireFormat.MAPPER.writeValueAsBytes(kernel.read()).length);
        }
        HttpRequest.Builder request = HttpRequest.newBuilder().header("Authorization", "Bearer " + token);
        String session = http.send(
                        request.copy()
                                .uri(server.address().resolve("/agent/v1/hosts/lpar1/heartbeat"))
                                .header("Content-Type", "application/json")
                                .POST(HttpRequest.BodyPublishers.ofString(
                                        "{\"instance\":\"look\",\"session\":-1,\"digest\":\"\"}"))
                                .build(),
                        BodyHandlers.ofString())
                .body();
        int pushed = http.send(
                        request.uri(server.address()
                                        .resolve("/agent/v1/hosts/lpar1/desired?session="
                                                + WireFormat.MAPPER
                                                        .readTree(session)
                                                        .path("session")
                                                        .asLong()))
                                .GET()
                                .build(),
                        BodyHandlers.ofByteArray())
                .body()
                .length;
        System.out.printf("A push, of %d mdevs: %,d bytes.%n", MDEVS, pushed);
    }

    private void printIdle(ServerProcess server, Started agent) throws IOException, InterruptedException {
        pause(Duration.ofSeconds(60)); // new processes are looked at more often
        ServerMetrics before = ServerMetrics.read(server, http);
        double from = agent.processorSeconds();
        pause(Duration.ofSeconds(seconds));
        double spent = agent.processorSeconds() - from;
        ServerMetrics during = ServerMetrics.read(server, http).since(before);
        System.out.printf(
                Locale.ROOT,
                "idle for %d s: %.2f s of processor, %.0f s an hour; resident %d MB, at most %d MB%n",
                seconds,
                spent,
                spent * 3600 / seconds,
                agent.resident("VmRSS"),
                agent.resident("VmHWM"));
        during.by("http_server_requests_seconds_count", Map.of(), "uri").entrySet().stream()
                .filter(uri -> uri.getValue() > 0)
                .forEach(uri -> System.out.printf(
                        Locale.ROOT, "  the server answered %.0f requests to %s%n", uri.getValue(), uri.getKey()));
        during.by("database_calls_seconds_count", Map.of("by", "request"), "statement").entrySet().stream()
                .filter(statement -> statement.getValue() > 0)
                .forEach(statement -> System.out.printf(
                        Locale.ROOT, "  of the database: %s, %.0f times%n", statement.getKey(), statement.getValue()));
    }

    private void printStarts(ServerProcess server, SysfsSettings files, String what, Path from, String... options)
            throws IOException, InterruptedException {
        double[] seconds = new double[STARTS];
        double[] processor = new double[STARTS];
        long[] resident = new long[STARTS];
        for (int start = 0; start < STARTS; start++) {
            try (Started agent = start(server, files, from, options)) {
                seconds[start] = agent.readyAfter;
                processor[start] = agent.processorSeconds();
                resident[start] = agent.resident("VmRSS");
            }
        }
        Arrays.sort(seconds);
        Arrays.sort(processor);
        Arrays.sort(resident);
        System.out.printf(
                Locale.ROOT,
                "| %s | %.2f (%.2f–%.2f) | %.2f | %d |%n",
                what,
                seconds[STARTS / 2],
                seconds[0],
                seconds[STARTS - 1],
                processor[STARTS / 2],
                resident[STARTS / 2]);
    }

    /** An agent that said that it is ready. */
    private record Started(Process process, double readyAfter) implements AutoCloseable {

        double processorSeconds() {
            return process.info().totalCpuDuration().orElseThrow().toNanos() / 1e9;
        }

        long resident(String which) throws IOException {
            return Files.readAllLines(Path.of("/proc", String.valueOf(process.pid()), "status")).stream()
                    .filter(line -> line.startsWith(which + ":"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) / 1024)
                    .findFirst()
                    .orElseThrow();
        }

        @Override
        public void close() throws IOException {
            process.destroy();
            try {
                process.waitFor();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private Started start(ServerProcess server, SysfsSettings files, Path from, String... options)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(java()));
        command.addAll(unitOptions());
        command.addAll(List.of(options));
        command.addAll(List.of(
                "-jar",
                from.toString(),
                "agent",
                "--apportion.agent.server=" + server.address(),
                "--apportion.agent.host=lpar1",
                "--apportion.agent.token-file=" + folder.resolve("token"),
                "--apportion.agent.state=" + folder.resolve("state/state.json"),
                "--apportion.agent.sysfs=" + files.sys(),
                "--apportion.agent.proc=" + files.proc(),
                "--apportion.agent.dev=" + files.dev(),
                "--apportion.agent.machine-id=" + files.machineId(),
                "--apportion.agent.ap-config-lock=" + files.apLock(),
                "--apportion.agent.lock=" + files.agentLock()));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        folder.resolve("agent.log").toFile()));
        builder.environment().put("NOTIFY_SOCKET", folder.resolve("notify").toString());
        long start = System.nanoTime();
        Process process = builder.start();
        String said = "";
        while (!said.startsWith("READY=1")) { // an earlier one may still say that it stops
            said = manager.take();
        }
        return new Started(process, (System.nanoTime() - start) / 1e9);
    }

    private static List<String> unitOptions() throws IOException {
        String unit = Files.readString(Path.of("packaging/systemd/apportion-agent.service"));
        String command = unit.substring(unit.indexOf("ExecStart=")).replace("\\\n", " ");
        return Stream.of(command.substring(0, command.indexOf('\n')).split("\\s+"))
                .filter(word -> word.startsWith("-X"))
                .filter(word -> !word.startsWith("-XX:AOTCache="))
                .toList();
    }

    /** The same files without a file system behind them: reading costs what reading costs. */
    private SysfsSettings copied(SysfsSettings files) throws IOException {
        Path from = files.sys().getParent();
        Path memory = Path.of("/dev/shm");
        Path to = Files.createTempDirectory(Files.isDirectory(memory) ? memory : folder, "apportion-agent-cost-");
        copy(from, to, from, to);
        for (String unlisted : List.of("osrelease", "random/boot_id")) {
            Path file = Path.of("proc/sys/kernel").resolve(unlisted);
            Files.createDirectories(to.resolve(file).getParent());
            Files.copy(from.resolve(file), to.resolve(file));
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                delete(to);
            } catch (IOException failure) {
                System.err.println(failure);
            }
        }));
        return new SysfsSettings(
                to.resolve("sys"),
                to.resolve("proc"),
                to.resolve("dev"),
                to.resolve("etc/machine-id"),
                files.definitions(),
                files.apLock(),
                files.agentLock(),
                files.timings());
    }

    private static void copy(Path from, Path to, Path oldRoot, Path newRoot) throws IOException {
        if (Files.isSymbolicLink(from)) {
            Path target = Files.readSymbolicLink(from);
            Files.createSymbolicLink(
                    to, target.startsWith(oldRoot) ? newRoot.resolve(oldRoot.relativize(target)) : target);
        } else if (Files.isDirectory(from)) {
            Files.createDirectories(to);
            try (DirectoryStream<Path> parts = Files.newDirectoryStream(from)) {
                for (Path part : parts) {
                    copy(part, to.resolve(part.getFileName()), oldRoot, newRoot);
                }
            }
        } else {
            byte[] content;
            try {
                content = Files.readAllBytes(from);
            } catch (IOException onlyListedOrWritten) {
                content = new byte[0];
            }
            Files.write(to, content);
        }
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    private static void await(Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("waited 2 minutes");
            }
            pause(Duration.ofMillis(100));
        }
    }

    private static void pause(Duration time) {
        long until = System.nanoTime() + time.toNanos();
        while (System.nanoTime() - until < 0) {
            LockSupport.parkNanos(until - System.nanoTime());
        }
    }

    private static JsonNode need(ServerProcess server, String method, String path, @Nullable String body)
            throws IOException, InterruptedException {
        ServerProcess.Answer answer = server.call(method, path, body);
        if (answer.status() >= 300) {
            throw new IllegalStateException(method + " " + path + ": " + answer);
        }
        return answer.body();
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
