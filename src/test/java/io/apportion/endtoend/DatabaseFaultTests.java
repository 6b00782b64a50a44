package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.endtoend.LiveServer.RunningHost;
import io.apportion.simulator.SimulatedHost;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.dao.DataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A server whose database fails under it, with an agent that goes on reporting. Each fault is told as what it is, nothing
 * acknowledged is lost, and when it is over, all goes on in the same process.
 */
@ExtendWith(OutputCaptureExtension.class)
class DatabaseFaultTests {

    private static final Duration LONG = Duration.ofMinutes(2);
    private static final String BEGUN = "is answered 503 until it is over";
    private static final String OVER = "The database takes changes again";

    private static final Pattern TELL_IT_SHORTLY = Pattern.compile("DatabaseWatch|Wakeups|\\.agent\\.");

    @TempDir
    Path folder;

    /** A server with one host, and what was acknowledged to whoever makes mdevs there. */
    private final class Served implements AutoCloseable {

        final ConfigurableApplicationContext context;
        final LiveServer server;
        final RunningHost host;
        final UUID mdev;
        private final HttpClient http = HttpClient.newHttpClient();
        private final List<String> acknowledged = new ArrayList<>();
        private int told;

        Served(String url, CapturedOutput output) throws Exception {
            context = new SpringApplicationBuilder(LiveServer.class)
                    .run(
                            "--spring.datasource.url=" + url,
                            "--server.port=0",
                            "--apportion.push.heard-every=200ms",
                            "--spring.datasource.hikari.connection-timeout=500",
                            "--spring.datasource.hikari.validation-timeout=250");
            server = context.getBean(LiveServer.class);
            SimulatedHost machine = SimulatedHost.builder()
                    .cards(1, 2)
                    .domains(1, 2)
                    .allForGuests()
                    .build();
            host = server.run(server.newHost("{}"), machine);
            mdev = host.newMdev(new Matrix(ApMask.of(1, 2), ApMask.of(1, 2), ApMask.NONE));
            host.awaitSettled();
            assertThat(createMdev().statusCode()).isEqualTo(201);
            told = output.getAll().length();
        }

        HttpResponse<String> createMdev() throws IOException, InterruptedException {
            String uuid = UUID.randomUUID().toString();
            HttpResponse<String> answer = http.send(
                    HttpRequest.newBuilder(server.address().resolve("/api/v1/mdevs/" + uuid))
                            .header("Content-Type", "application/json")
                            .PUT(BodyPublishers.ofString("{\"host\":\"%s\",\"labels\":{\"some\":\"%s\"}}"
                                    .formatted(host.name, "0123456789".repeat(5))))
                            .build(),
                    BodyHandlers.ofString());
            if (answer.statusCode() == 201) {
                acknowledged.add(uuid);
            }
            return answer;
        }

        int status(String path) throws IOException, InterruptedException {
            return http.send(
                            HttpRequest.newBuilder(server.address().resolve(path))
                                    .build(),
                            BodyHandlers.discarding())
                    .statusCode();
        }

        /** Until changes are refused with these words, and then some more: nothing else is ever answered. */
        void awaitRefusal(String words) {
            await().atMost(LONG).pollInterval(Duration.ofMillis(1)).until(() -> refusal(words));
            for (int again = 0; again < 20; again++) {
                refuses(words);
            }
        }

        private boolean refusal(String words) throws IOException, InterruptedException {
            HttpResponse<String> answer = createMdev();
            if (answer.statusCode() == 201) {
                return false;
            }
            JsonNode problem = JsonMapper.shared().readTree(answer.body());
            assertThat(answer.statusCode()).as("%s", problem).isEqualTo(503);
            assertThat(problem.get("type").asString()).isEqualTo("/problems/database-unavailable");
            assertThat(answer.headers().firstValue("Retry-After")).isPresent();
            return problem.get("detail").asString().contains(words);
        }

        private void refuses(String words) {
            try {
                refusal(words);
                assertThat(status("/actuator/health/liveness")).isEqualTo(200);
            } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }

        /** All that was acknowledged is there, the host is made so, and the log has told the fault shortly. */
        void awaitRecovery(CapturedOutput output) throws IOException, InterruptedException {
            await().atMost(LONG).until(() -> createMdev().statusCode() == 201);
            await().atMost(LONG).until(() -> news(output).contains(OVER));
            await().atMost(LONG).until(() -> status("/actuator/health/readiness") == 200);
            host.awaitSettled();
            for (String uuid : acknowledged) {
                server.get("/api/v1/mdevs/" + uuid);
            }
            List<String> created = new ArrayList<>();
            List<JsonNode> page;
            long after = 0;
            do {
                page = server.get("/api/v1/events?limit=100&after=" + after)
                        .get("items")
                        .valueStream()
                        .toList();
                for (JsonNode event : page) {
                    assertThat(event.get("id").asLong())
                            .as("no position is left out")
                            .isEqualTo(++after);
                    assertThat(event.get("type").asString()).isNotEqualTo("agent.away");
                    if (event.get("type").asString().equals("mdev.created")) {
                        created.add(event.get("mdev").asString());
                    }
                }
            } while (!page.isEmpty());
            assertThat(created).containsAll(acknowledged);
            String log = news(output);
            // One line for each kind of fault: a file that is full cannot be read either, while it is opened anew.
            assertThat(log.lines().filter(line -> line.contains(BEGUN)).count()).isBetween(1L, 3L);
            assertThat(log.lines().filter(line -> line.contains(OVER)).count()).isEqualTo(1);
            assertThat(log).as("the log has no stack trace").doesNotContain("\tat ");
            assertThat(log.lines()
                            .filter(line -> line.contains(" WARN ") || line.contains(" ERROR "))
                            .filter(line -> !TELL_IT_SHORTLY.matcher(line).find()))
                    .as("nobody tells each failure")
                    .isEmpty();
            told += log.length();
        }

        /** What the log says since the last recovery. */
        private String news(CapturedOutput output) {
            return output.getAll().substring(told);
        }

        /** As if H2's last connection were closed. The next one opens its file anew. */
        void closeFile() {
            try {
                context.getBean(JdbcTemplate.class).execute("shutdown immediately");
            } catch (DataAccessException closed) {
                // by another connection
            }
        }

        @Override
        public void close() {
            host.close();
            context.close();
            http.close();
        }
    }

    @Test
    void h2GoesOnAfterItsDiskWasFullAndReadOnly(CapturedOutput output) throws Exception {
        try (SmallDisk disk = new SmallDisk(folder, "16m");
                Served served = new Served(
                        "jdbc:h2:file:" + folder.resolve("apportion")
                                + ";WRITE_DELAY=0;QUERY_CACHE_SIZE=64;DB_CLOSE_ON_EXIT=FALSE;TRACE_LEVEL_FILE=0",
                        output)) {
            disk.fill();
            served.awaitRefusal("no room");
            served.host.machine.removeQueue(new Queue(1, 1));
            served.awaitRefusal("no room");

            disk.free();

            served.awaitRecovery(output);
            assertThat(served.host
                            .state()
                            .mdevs()
                            .get(served.mdev)
                            .mdev()
                            .guestMatrix()
                            .adapters())
                    .as("what the agent could not report while the disk was full")
                    .isEqualTo(ApMask.of(2));

            // Not while the file is open, as it is but for moments.
            await().atMost(LONG).pollInterval(Duration.ofMillis(1)).until(() -> {
                served.closeFile();
                return disk.readOnly(true);
            });
            served.awaitRefusal("read-only");
            assertThat(served.status("/api/v1/mdevs/" + served.mdev)).isEqualTo(200);
            assertThat(served.status("/actuator/health/readiness")).isEqualTo(200);

            assertThat(disk.readOnly(false)).isTrue();

            served.awaitRecovery(output);
        }
    }

    @Test
    void postgresqlComesBackAfterItWasReadOnlyAndFullAndAway(CapturedOutput output) throws Exception {
        Path place = Files.createDirectory(folder.resolve("small"));
        Database database = new Database();
        try (SmallDisk disk = new SmallDisk(place, "24m")) {
            Path tables = Files.createDirectory(place.resolve("tables"));
            database.run("create tablespace small location '" + tables + "'");
            database.run("alter database apportion set tablespace small");
            try (Served served = new Served(database.url(), output)) {
                database.run("alter database apportion set default_transaction_read_only = on");
                database.run("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'apportion'");
                served.awaitRefusal("read-only");
                assertThat(served.status("/api/v1/mdevs/" + served.mdev)).isEqualTo(200);
                assertThat(served.status("/actuator/health/readiness")).isEqualTo(200);
                database.run("alter database apportion set default_transaction_read_only = off");
                served.awaitRecovery(output);

                disk.fill();
                served.awaitRefusal("no room");
                assertThat(served.status("/api/v1/mdevs/" + served.mdev)).isEqualTo(200);
                disk.free();
                served.awaitRecovery(output);

                database.stop();
                served.awaitRefusal("cannot reach");
                await().atMost(LONG).until(() -> served.status("/actuator/health/readiness") == 503);
                served.host.machine.removeQueue(new Queue(1, 1));
                database.start();
                served.awaitRecovery(output);
            }
        } finally {
            database.stop();
        }
    }

    /** A PostgreSQL of its own, which can be stopped. */
    private final class Database {

        private final int port;
        private EmbeddedPostgres server;

        Database() throws IOException {
            try (ServerSocket free = new ServerSocket(0)) {
                port = free.getLocalPort();
            }
            server = start();
            run("create database apportion");
        }

        EmbeddedPostgres start() throws IOException {
            server = EmbeddedPostgres.builder()
                    .setOverrideWorkingDirectory(
                            Path.of("target/postgresql").toAbsolutePath().toFile())
                    .setDataDirectory(folder.resolve("database"))
                    .setCleanDataDirectory(false)
                    .setPort(port)
                    .setPGStartupWait(Duration.ofMinutes(1))
                    .start();
            return server;
        }

        void stop() throws IOException {
            server.close();
        }

        String url() {
            return url("apportion");
        }

        private String url(String database) {
            return "jdbc:postgresql://127.0.0.1:" + port + "/" + database + "?user=postgres";
        }

        void run(String sql) {
            try (Connection connection = DriverManager.getConnection(url("postgres"));
                    Statement statement = connection.createStatement()) {
                statement.execute(sql);
            } catch (SQLException e) {
                throw new IllegalStateException(sql, e);
            }
        }
    }
}
