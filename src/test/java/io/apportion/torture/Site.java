package io.apportion.torture;

import io.apportion.Apportion;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Replicas in processes of their own on one PostgreSQL, behind a switchboard. Everything of it can be made to fail. */
public final class Site implements AutoCloseable {

    private static final String DATABASE = "apportion";

    /** For tests, which start them often and ask little of them. */
    private static final List<String> QUICK_TO_START = List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");

    /** The jar of another release, which the last replica runs; null: all run this one. */
    private static final @Nullable String BESIDE = System.getProperty("apportion.torture.beside");

    private final Path folder;
    private final List<String> java;
    private final List<String> options;
    private final int databasePort;
    private EmbeddedPostgres database;
    private final List<Replica> replicas = new ArrayList<>();
    final Switchboard switchboard;
    private final String token;

    /**
     * @param main of the replicas
     * @param options of each of them
     */
    Site(Path folder, Class<?> main, int size, String... options) throws IOException, InterruptedException {
        this(folder, QUICK_TO_START, main, size, options);
    }

    /**
     * @param java options of the replicas' virtual machines
     * @param main of the replicas
     * @param options of each of them
     */
    public Site(Path folder, List<String> java, Class<?> main, int size, String... options)
            throws IOException, InterruptedException {
        this.folder = folder;
        this.java = java;
        this.options = List.of(options);
        databasePort = freePort();
        database = startDatabase();
        try (Connection connection = database.getPostgresDatabase().getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute("create database " + DATABASE);
        } catch (SQLException failure) {
            throw new IOException(failure);
        }
        for (int number = 0; number < size; number++) {
            Replica replica = new Replica(main, number);
            replicas.add(replica);
            replica.start();
        }
        switchboard = new Switchboard(replicas.stream().map(Replica::address).toList());
        token = Files.readString(folder.resolve("admin-token")).strip();
    }

    private static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            return free.getLocalPort();
        }
    }

    // The database.

    private EmbeddedPostgres startDatabase() throws IOException {
        return EmbeddedPostgres.builder()
                .setOverrideWorkingDirectory(
                        Path.of("target/postgresql").toAbsolutePath().toFile())
                .setDataDirectory(folder.resolve("database"))
                .setCleanDataDirectory(false)
                .setPort(databasePort)
                .setServerConfig("max_connections", "100")
                .setPGStartupWait(Duration.ofMinutes(1))
                .start();
    }

    private String url() {
        return "jdbc:postgresql://127.0.0.1:" + databasePort + "/" + DATABASE + "?user=postgres";
    }

    /** Of its first process, whose children are all others. */
    public long databasePid() throws IOException {
        return Long.parseLong(
                Files.readAllLines(folder.resolve("database/postmaster.pid")).getFirst());
    }

    public Connection connect() throws SQLException {
        return DriverManager.getConnection(url());
    }

    void cutDatabaseConnections() throws SQLException {
        try (Connection connection = connect();
                Statement statement = connection.createStatement()) {
            statement.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
                    + " and datname = '" + DATABASE + "'");
        }
    }

    /** All its processes die at once; then it recovers from its log. */
    void crashDatabase() throws IOException, InterruptedException {
        long pid = databasePid();
        new ProcessBuilder("kill", "-QUIT", String.valueOf(pid))
                .start()
                .waitFor(); // immediate shutdown: no checkpoint, no farewell
        while (ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false)) {
            Thread.onSpinWait();
        }
        database.close();
        database = startDatabase();
    }

    // The replicas.

    /** Of an admin. */
    public String token() {
        return token;
    }

    public int size() {
        return replicas.size();
    }

    public Replica replica(int number) {
        return replicas.get(number);
    }

    public final class Replica {

        private final Class<?> main;
        private final int number;
        private final int port = freePort();
        private final int managementPort = freePort();
        private Process process;

        private Replica(Class<?> main, int number) throws IOException {
            this.main = main;
            this.number = number;
        }

        public URI address() {
            return URI.create("http://127.0.0.1:" + port);
        }

        /** Where health and metrics are. */
        public URI management() {
            return URI.create("http://127.0.0.1:" + managementPort);
        }

        /** Returns when it takes connections. */
        public void start() throws IOException, InterruptedException {
            Path log = folder.resolve("replica-" + number + ".log");
            List<String> command = new ArrayList<>();
            command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
            command.addAll(java);
            boolean isOther = BESIDE != null && number > 0;
            command.addAll(
                    isOther
                            ? List.of("-jar", BESIDE)
                            : List.of("-cp", System.getProperty("java.class.path"), main.getName()));
            if (isOther || main == Apportion.class) {
                command.add("server");
            }
            command.addAll(List.of(
                    "--server.port=" + port,
                    "--management.server.port=" + managementPort,
                    "--apportion.data=" + folder,
                    "--apportion.identity.admin-token-file=" + folder.resolve("admin-token"),
                    "--spring.datasource.url=" + url(),
                    "--spring.main.banner-mode=off"));
            command.addAll(options);
            process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                    .start();
            long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(3);
            while (!listens()) {
                if (!process.isAlive() || System.nanoTime() > deadline) {
                    throw new IllegalStateException("replica " + number + " did not start:\n" + Files.readString(log));
                }
                process.waitFor(50, TimeUnit.MILLISECONDS);
            }
        }

        private boolean listens() {
            try (var _ = new java.net.Socket("127.0.0.1", port)) {
                return true;
            } catch (IOException notYet) {
                return false;
            }
        }

        public long pid() {
            return process.pid();
        }

        public void kill() throws InterruptedException {
            process.destroyForcibly().waitFor();
        }

        /** It stands still, its connections and what it has locked with it. */
        void pause() throws IOException, InterruptedException {
            signal("-STOP");
        }

        void resume() throws IOException, InterruptedException {
            signal("-CONT");
        }

        private void signal(String which) throws IOException, InterruptedException {
            new ProcessBuilder("kill", which, String.valueOf(process.pid()))
                    .start()
                    .waitFor();
        }
    }

    @Override
    public void close() throws IOException {
        switchboard.close();
        for (Replica replica : replicas) {
            try {
                replica.kill();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        database.close();
    }
}
