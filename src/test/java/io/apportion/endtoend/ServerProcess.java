package io.apportion.endtoend;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A server in a process of its own, which can be killed as a power cut of the process would: SIGKILL. */
final class ServerProcess implements AutoCloseable {

    private static final JsonMapper JSON = JsonMapper.shared();

    /** For tests, which start it often and ask little of it. */
    private static final List<String> QUICK_TO_START = List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");

    private final Class<?> main;
    private final List<String> java;
    private final Path folder;
    private final List<String> options;
    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
    private final int port;
    private final int managementPort;
    private @Nullable Process process;
    private String token = "";

    /** @param folder for its database, its token and its log */
    ServerProcess(Class<?> main, Path folder, String... options) throws IOException {
        this(main, QUICK_TO_START, folder, options);
    }

    /**
     * @param java options of its virtual machine
     * @param folder for its database, its token and its log
     */
    ServerProcess(Class<?> main, List<String> java, Path folder, String... options) throws IOException {
        this.main = main;
        this.java = java;
        this.folder = folder;
        this.options = List.of(options);
        try (ServerSocket free = new ServerSocket(0);
                ServerSocket other = new ServerSocket(0)) {
            this.port = free.getLocalPort();
            this.managementPort = other.getLocalPort();
        }
    }

    URI address() {
        return URI.create("http://127.0.0.1:" + port);
    }

    /** Where health and metrics are. */
    URI management() {
        return URI.create("http://127.0.0.1:" + managementPort);
    }

    String token() {
        return token;
    }

    /** Returns when it answers. */
    void start() throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(java);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        if (main.getSimpleName().equals("Apportion")) {
            command.add("server");
        }
        command.add("--server.port=" + port);
        command.add("--management.server.port=" + managementPort);
        command.add("--apportion.data=" + folder);
        command.add("--apportion.identity.admin-token-file=" + folder.resolve("admin-token"));
        command.add("--spring.datasource.url=jdbc:h2:file:" + folder.resolve("apportion")
                + ";WRITE_DELAY=0;QUERY_CACHE_SIZE=64;DB_CLOSE_ON_EXIT=FALSE");
        command.add("--spring.main.banner-mode=off");
        command.addAll(options);
        Process started = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        folder.resolve("server.log").toFile()))
                .start();
        process = started;
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(3);
        while (!answers()) {
            if (!started.isAlive() || System.nanoTime() > deadline) {
                throw new IllegalStateException(
                        "the server did not start:\n" + Files.readString(folder.resolve("server.log")));
            }
            started.waitFor(20, TimeUnit.MILLISECONDS);
        }
        token = Files.readString(folder.resolve("admin-token")).strip();
    }

    private boolean answers() throws InterruptedException {
        try {
            return http.send(
                                    HttpRequest.newBuilder(management().resolve("/actuator/health/liveness"))
                                            .build(),
                                    BodyHandlers.discarding())
                            .statusCode()
                    == 200;
        } catch (IOException notYet) {
            return false;
        }
    }

    /** Of the process, as the kernel counts it. */
    long residentMegabytes() throws IOException {
        Path status =
                Path.of("/proc", String.valueOf(Objects.requireNonNull(process).pid()), "status");
        return Files.readAllLines(status).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) / 1024)
                .findFirst()
                .orElseThrow();
    }

    void kill() throws InterruptedException {
        Process running = process;
        if (running != null) {
            running.destroyForcibly();
            running.waitFor();
        }
    }

    @Override
    public void close() {
        try {
            kill();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        http.close();
    }

    record Answer(int status, JsonNode body) {}

    /** @param body null: none */
    Answer call(String method, String path, @Nullable String body) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(address().resolve(path))
                .timeout(Duration.ofSeconds(60))
                .header("Authorization", "Bearer " + token)
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        if (body != null) {
            request.header("Content-Type", "application/json");
        }
        HttpResponse<String> response = http.send(request.build(), BodyHandlers.ofString());
        return new Answer(response.statusCode(), JSON.readTree(response.body()));
    }
}
