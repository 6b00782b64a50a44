import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Trains the AOT caches of the image, one for each role: a server on an H2 file and an agent that reports to it, each with
 * the options of its file in {@code java/}. The agent sees the recorded files of a real kernel, and has the one mdev in them
 * adopted, for which nothing has to be written.
 *
 * <p>{@code java Train.java RECORDING}; the caches are {@code server.aot} and {@code agent.aot} in /opt/apportion.
 */
final class Train {

    private static final Path HOME = Path.of("/opt/apportion");
    private static final String JAVA = "/opt/jre/bin/java";
    private static final String MDEV = "11111111-1111-1111-1111-111111111111";

    /** Of each call: the caches also keep what is called often. */
    private static final int ROUNDS = 20;

    private static final int PATIENCE_SECONDS = 300;

    private final Path folder = Files.createTempDirectory("train-");
    private final HttpClient http = HttpClient.newHttpClient();
    private final int port = freePort();
    private final int managementPort = freePort();
    private final List<Process> started = new ArrayList<>();
    private String token = "";

    private Train() throws IOException {}

    public static void main(String[] arguments) throws Exception {
        Train train = new Train();
        try {
            train.run(Path.of(arguments[0]));
        } finally {
            train.started.forEach(Process::destroyForcibly);
        }
    }

    private void run(Path recording) throws Exception {
        Process server = start(
                "server",
                "--server.port=" + port,
                "--management.server.port=" + managementPort,
                "--apportion.data=" + folder.resolve("data"));
        await(
                server,
                () -> call(managementPort, "GET", "/actuator/health/readiness", null)
                                .status()
                        == 200);
        token = Files.readString(folder.resolve("data/admin-token")).strip();

        need("PUT", "/api/v1/hosts/lpar1", "{}");
        Path agentToken = Files.writeString(
                folder.resolve("agent-token"),
                word(
                        "token",
                        need("POST", "/api/v1/tokens", "{\"name\":\"lpar1\",\"role\":\"agent\",\"host\":\"lpar1\"}")));
        Files.setPosixFilePermissions(agentToken, PosixFilePermissions.fromString("rw-------"));
        Files.writeString(folder.resolve("machine-id"), "00000000000000000000000000000001\n");
        lay(recording, folder.resolve("root"));
        Process agent = start(
                "agent",
                "--apportion.agent.server=http://127.0.0.1:" + port,
                "--apportion.agent.host=lpar1",
                "--apportion.agent.token-file=" + agentToken,
                "--apportion.agent.state=" + folder.resolve("state/state.json"),
                "--apportion.agent.sysfs=" + folder.resolve("root/sys"),
                "--apportion.agent.machine-id=" + folder.resolve("machine-id"),
                "--apportion.agent.ap-config-lock=" + folder.resolve("s390apconfig.lock"),
                "--apportion.agent.lock=" + folder.resolve("apportion-agent.lock"));
        await(
                agent,
                () -> need("GET", "/api/v1/hosts/lpar1/foreign-mdevs", null).contains(MDEV));
        need("POST", "/api/v1/hosts/lpar1/foreign-mdevs/" + MDEV + "/adopt", null);
        await(agent, () -> need("GET", "/api/v1/commits?state=pending", null).contains("\"items\":[]"));

        for (int round = 0; round < ROUNDS; round++) {
            for (String path : List.of(
                    "hosts",
                    "hosts/lpar1",
                    "hosts/lpar1/adapters",
                    "hosts/lpar1/domains",
                    "hosts/lpar1/queues",
                    "hosts/lpar1/reservation",
                    "hosts/lpar1/foreign-mdevs",
                    "mdevs",
                    "mdevs/" + MDEV,
                    "mdevs/" + MDEV + "/matrix",
                    "mdevs/" + MDEV + "/guest-matrix",
                    "mdevs/" + MDEV + "/guest",
                    "commits",
                    "events",
                    "placements?adapters=1&domains=1",
                    "tokens")) {
                need("GET", "/api/v1/" + path, null);
            }
            need("PUT", "/api/v1/mdevs/" + MDEV + "/domains/0x55?dryRun=true", null);
            call(port, "GET", "/api/v1/mdevs/00000000-0000-0000-0000-000000000000", null);
            call(port, "GET", "/v3/api-docs", null);
            call(managementPort, "GET", "/actuator/prometheus", null);
            call(managementPort, "GET", "/actuator/health/liveness", null);
        }

        stop(agent, "agent");
        stop(server, "server");
    }

    // The recorded files.

    private static final Pattern RECORDED =
            Pattern.compile("\\d+ ([dfl]) (/sys/\\S+)(?: -> (\\S+)| size=\\d+(?: +=(?: \"(.*)\")?)?)?.*");

    /** The second part of the recording: with an mdev, and no guest that has it. */
    private static void lay(Path recording, Path root) throws IOException {
        String text = Files.readString(recording);
        String part = text.substring(text.indexOf("### 2."), text.indexOf("### 3."));
        for (String line : part.lines().skip(1).toList()) {
            Matcher recorded = RECORDED.matcher(line);
            if (!recorded.matches()) {
                continue;
            }
            Path path = root.resolve(recorded.group(2).substring(1));
            Files.createDirectories(path.getParent());
            String content = recorded.group(4) == null ? "" : recorded.group(4).replace("\\n", "\n");
            switch (recorded.group(1)) {
                case "d" -> Files.createDirectories(path);
                case "l" -> Files.createSymbolicLink(path, Path.of(recorded.group(3)));
                default -> Files.writeString(path, content);
            }
        }
    }

    // Processes.

    private static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            return free.getLocalPort();
        }
    }

    private Process start(String role, String... settings) throws IOException {
        List<String> command = new ArrayList<>(List.of(JAVA, "-XX:AOTCacheOutput=" + HOME.resolve(role + ".aot")));
        try (Stream<String> options = Files.lines(HOME.resolve("java").resolve(role))) {
            options.filter(line -> !line.startsWith("#") && !line.startsWith("-XX:AOTCache="))
                    .flatMap(line -> Stream.of(line.split(" ")))
                    .forEach(command::add);
        }
        command.add(role);
        command.addAll(List.of(settings));
        ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
        builder.environment()
                .putAll(Map.of(
                        "SPRING_CONFIG_ADDITIONAL_LOCATION",
                        "file:" + HOME.resolve("config") + "/",
                        "LANG",
                        "C.UTF-8"));
        Process process = builder.start();
        started.add(process);
        return process;
    }

    /** The cache is written at the end, by a second virtual machine. */
    private static void stop(Process process, String role) throws IOException, InterruptedException {
        process.destroy();
        process.waitFor();
        System.out.printf("%s.aot: %,d bytes%n", role, Files.size(HOME.resolve(role + ".aot")));
    }

    private interface Condition {
        boolean holds() throws IOException, InterruptedException;
    }

    private static void await(Process process, Condition condition) throws IOException, InterruptedException {
        for (int tries = 0; tries < PATIENCE_SECONDS * 10; tries++) {
            if (!process.isAlive()) {
                throw new IllegalStateException("ended with " + process.exitValue());
            }
            try {
                if (condition.holds()) {
                    return;
                }
            } catch (IOException notYet) {
                // It does not listen yet.
            }
            Thread.sleep(100);
        }
        throw new IllegalStateException("not within " + PATIENCE_SECONDS + " s");
    }

    // Calls.

    private record Answer(int status, String body) {}

    private Answer call(int at, String method, String path, String body) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + at + path))
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
                .header("Content-Type", "application/json");
        if (!token.isEmpty()) {
            request.header("Authorization", "Bearer " + token);
        }
        var response = http.send(request.build(), BodyHandlers.ofString());
        return new Answer(response.statusCode(), response.body());
    }

    private String need(String method, String path, String body) throws IOException, InterruptedException {
        Answer answer = call(port, method, path, body);
        if (answer.status() >= 300) {
            throw new IllegalStateException(method + " " + path + ": " + answer);
        }
        return answer.body();
    }

    private static String word(String name, String json) {
        Matcher found = Pattern.compile("\"" + name + "\":\"([^\"]+)\"").matcher(json);
        if (!found.find()) {
            throw new IllegalStateException("no " + name);
        }
        return found.group(1);
    }
}
