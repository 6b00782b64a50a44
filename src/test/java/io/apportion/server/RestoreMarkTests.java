package io.apportion.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.EventRecord;
import io.apportion.server.matrix.HostSettings;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MatrixService.Mode;
import io.apportion.server.matrix.MdevSettings;
import io.apportion.server.matrix.NotDone;
import io.apportion.server.matrix.Preconditions;
import io.apportion.server.matrix.ReportService;
import io.apportion.wire.Report;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.jdbc.core.JdbcTemplate;

/** A database that is lost, and restored from a backup that was made before its last changes. */
class RestoreMarkTests {

    private static final Caller CALLER = new Caller("test", true, "r1");
    private static final Mode PLAINLY = new Mode(Preconditions.NONE, false, false, CALLER);

    @TempDir
    Path folder;

    private final UUID mdev = UUID.randomUUID();

    // What the lost database gave out last.
    private long kept;
    private long lostPosition;
    private long lostCommit;
    private long lostSession;
    private HostState lost;

    String database() {
        return "jdbc:h2:file:" + folder.resolve("db") + ";WRITE_DELAY=0";
    }

    void backUp() throws Exception {
        Files.copy(folder.resolve("db.mv.db"), folder.resolve("backup"));
    }

    void restore() throws Exception {
        Files.copy(folder.resolve("backup"), folder.resolve("db.mv.db"), StandardCopyOption.REPLACE_EXISTING);
    }

    private String url() {
        return "--spring.datasource.url=" + database();
    }

    /** A server while that is done. */
    private void serve(Consumer<Server> work) {
        try (var context = new SpringApplicationBuilder(ServerApplication.class)
                .web(WebApplicationType.NONE)
                .run(url(), "--apportion.identity.admin-token-file=" + folder.resolve("admin-token"))) {
            work.accept(new Server(context));
        }
    }

    private final class Server {

        final MatrixService service;
        final MatrixQueries queries;
        final ReportService reports;
        private final JdbcTemplate jdbc;

        Server(ConfigurableApplicationContext context) {
            service = context.getBean(MatrixService.class);
            queries = context.getBean(MatrixQueries.class);
            reports = context.getBean(ReportService.class);
            jdbc = context.getBean(JdbcTemplate.class);
        }

        /** @return the commit's id */
        long assign(int adapter, Mode mode) {
            long commit = service.assign(mdev, new Matrix(ApMask.of(adapter), ApMask.NONE, ApMask.NONE), mode)
                    .commit()
                    .id();
            await().until(() ->
                    jdbc.queryForObject("select count(*) from events where position is null", Integer.class) == 0);
            return commit;
        }

        long open(String instance) {
            return reports.open("lpar1", new Report.Hello(instance, "boot", "machine"), CALLER)
                    .session();
        }

        List<EventRecord> events(Long after) {
            return queries.events(null, null, null, after, 100);
        }
    }

    @BeforeEach
    void loseADatabase() throws Exception {
        serve(server -> {
            server.service.putHost("lpar1", new HostSettings(null, null, null, null, null), PLAINLY);
            server.service.createMdev(mdev, new MdevSettings("lpar1", null, Matrix.EMPTY), PLAINLY);
            server.open("first");
            server.assign(1, PLAINLY);
            kept = server.queries.newestEvent();
        });
        backUp();
        serve(server -> {
            lostSession = server.open("second");
            for (int adapter = 2; adapter < 9; adapter++) {
                lostCommit = server.assign(adapter, PLAINLY);
            }
            lostPosition = server.queries.newestEvent();
            lost = server.queries.host("lpar1");
        });
        restore();
    }

    @Test
    void whoResumesAfterWhatTheBackupHasMissesNothing() {
        RestoreMark.main(new String[] {url()});

        serve(server -> {
            assertThat(server.events(kept)).isEmpty();
            assertThat(server.events(server.queries.newestEvent())).isEmpty();
            List<EventRecord> before = server.events(null);
            assertThat(before.getLast().position()).isEqualTo(kept);

            server.assign(20, PLAINLY);

            List<EventRecord> since = server.events(kept);
            assertThat(since).extracting(EventRecord::type).contains("mdev.assigned");
            // So far above that no position is given twice, and not too far for a reader that counts in doubles.
            assertThat(since)
                    .extracting(EventRecord::position)
                    .allMatch(position -> position > 1_000_000_000L * 1_000_000 && position < 1L << 53);
            assertThat(server.events(null)).hasSize(before.size() + since.size());
        });
    }

    @Test
    void whoResumesAfterWhatWasLostIsToldSo() {
        RestoreMark.main(new String[] {url()});

        serve(server -> {
            for (long position : List.of(kept + 1, lostPosition)) {
                assertThatThrownBy(() -> server.events(position))
                        .isInstanceOfSatisfying(
                                NotDone.Gone.class,
                                gone -> assertThat(gone.oldest()).isEqualTo(1))
                        .hasMessageContaining("up to " + kept + ";");
            }
        });
        // The next restore does not forget this one.
        RestoreMark.main(new String[] {url()});
        serve(server -> {
            assertThatThrownBy(() -> server.events(lostPosition)).isInstanceOf(NotDone.Gone.class);
            assertThat(server.events(kept)).isEmpty();
            assertThat(server.events(server.queries.newestEvent())).isEmpty();
        });
    }

    @Test
    void theOldestPositionIsOneThatThereIs() {
        serve(server -> {
            server.jdbc.update("delete from events");
            server.jdbc.update("update event_positions set pruned = newest");
        });

        RestoreMark.main(new String[] {url()});

        serve(server -> {
            long resumed = server.queries.newestEvent();
            assertThat(oldest(server)).isEqualTo(resumed + 1);
            server.assign(20, PLAINLY);
            server.assign(21, PLAINLY);
            assertThat(oldest(server)).isEqualTo(resumed + 1);
            assertThat(server.events(resumed)).isEqualTo(server.events(null));
        });
    }

    private long oldest(Server server) {
        return catchThrowableOfType(NotDone.Gone.class, () -> server.events(lostPosition))
                .oldest();
    }

    @Test
    void isToldSoEvenWithoutTheMark() {
        serve(server -> assertThatThrownBy(() -> server.events(lostPosition))
                .isInstanceOf(NotDone.Gone.class)
                .hasMessageContaining("the newest is"));
    }

    @Test
    void nothingElseGetsANumberThatTheLostDatabaseGave() {
        RestoreMark.main(new String[] {url()});

        serve(server -> {
            long session = server.open("third");
            assertThat(session).isGreaterThan(lostSession);
            var beat = server.reports.heartbeat("lpar1", new Report.Heartbeat("second", lostSession, "0"));
            assertThat(beat.session()).isEqualTo(session);

            String tag = lost.mdevs().get(mdev).tag();
            assertThatThrownBy(() -> server.assign(30, ifMatch(tag))).isInstanceOf(NotDone.Stale.class);
            while (server.queries.host("lpar1").mdevs().get(mdev).version()
                    < lost.mdevs().get(mdev).version()) {
                server.assign((int) server.queries.host("lpar1").generation() + 30, PLAINLY);
            }
            assertThatThrownBy(() -> server.assign(30, ifMatch(tag))).isInstanceOf(NotDone.Stale.class);

            assertThatThrownBy(() -> server.queries.commit(lostCommit)).isInstanceOf(NotDone.NotFound.class);
            assertThat(server.queries.host("lpar1").tag()).isNotEqualTo(lost.tag());
            assertThat(server.queries.host("lpar1").incarnation()).isNotEqualTo(lost.incarnation());
        });
    }

    private static Mode ifMatch(String tag) {
        return new Mode(new Preconditions(Set.of(tag), false), false, false, CALLER);
    }

    @Test
    void takesTheFirstReportWholeWhateverTheBackupKnows() {
        serve(server -> {
            var jdbc = server.jdbc;
            jdbc.update("update hosts set digest = 'same', applied_generation = generation, sequence = 800");
        });

        RestoreMark.main(new String[] {url()});

        serve(server -> {
            long session = server.open("first");
            assertThat(server.jdbc.queryForObject("select sequence from hosts", Long.class))
                    .as("whose agent counts anew in a new session")
                    .isZero();
            assertThat(server.reports
                            .heartbeat("lpar1", new Report.Heartbeat("first", session, "same"))
                            .whole())
                    .isTrue();
            assertThatCode(() -> server.assign(40, PLAINLY)).doesNotThrowAnyException();
            assertThat(server.jdbc.queryForObject("select applied_generation from hosts", Long.class))
                    .isNull();
        });
    }
}
