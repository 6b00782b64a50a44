package io.apportion.server.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.server.FullServer;
import io.apportion.server.matrix.MatrixService.Mode;
import java.sql.Timestamp;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.context.ApplicationListener;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.PayloadApplicationEvent;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/** Positions of events, given after commit, and what pruning leaves of them. */
@FullServer
class EventNumberingTests {

    private static final Mode PLAINLY = new Mode(Preconditions.NONE, false, false, new Caller("test", true, "r1"));
    private static final AtomicInteger HOSTS = new AtomicInteger();
    private static final AtomicLong IDS = new AtomicLong(1_000_000_000);

    @Autowired
    MatrixService service;

    @Autowired
    MatrixQueries queries;

    @Autowired
    EventNumbering numbering;

    @Autowired
    Pruning pruning;

    @Autowired
    JdbcTemplate jdbc;

    @Autowired
    PlatformTransactionManager transactions;

    @Autowired
    ConfigurableApplicationContext context;

    private String host = "";

    @BeforeEach
    void createHost() {
        host = newHost();
    }

    private String newHost() {
        String name = "events" + HOSTS.incrementAndGet();
        service.putHost(name, new HostSettings(null, null, null, null, null), PLAINLY);
        return name;
    }

    private void change(String of) {
        service.createMdev(UUID.randomUUID(), new MdevSettings(of, null, Matrix.EMPTY), PLAINLY);
    }

    private int unnumbered() {
        return jdbc.queryForObject("select count(*) from events where position is null", Integer.class);
    }

    private void awaitNumbers() {
        await().until(() -> unnumbered() == 0);
    }

    /** As if stored by a replica that died before it could number it. */
    private void storeUnnoticed(String ofHost, long hostId, long ordinal, Instant at) {
        jdbc.update(
                "insert into events (id, at, type, host, host_id, ordinal, actor, request_id)"
                        + " values (?, ?, 'test', ?, ?, ?, 'test', '-')",
                IDS.decrementAndGet(),
                Timestamp.from(at),
                ofHost,
                hostId,
                ordinal);
    }

    private List<Long> ordinals(String ofHost) {
        return jdbc.queryForList(
                "select ordinal from events where host = ? and position is not null order by position",
                Long.class,
                ofHost);
    }

    @Test
    void numbersWhatWasStoredInTheOrderOfItsHostsCommits() {
        String other = newHost();
        long before = queries.newestEvent();
        for (int i = 0; i < 20; i++) {
            change(i % 2 == 0 ? host : other);
        }
        awaitNumbers();

        assertThat(ordinals(host)).hasSizeGreaterThanOrEqualTo(11).isSorted().doesNotHaveDuplicates();
        List<EventRecord> events = queries.events(null, null, "mdev.created", before, 100);
        assertThat(events).hasSize(20);
        assertThat(events)
                .extracting(EventRecord::position)
                .isSorted()
                .doesNotHaveDuplicates()
                .allMatch(position -> position <= queries.newestEvent());
    }

    @Test
    void keepsAHostsOrderWhenItsClockWasSetBack() {
        Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        // At once, as a round of the server may number what is there already.
        new TransactionTemplate(transactions).executeWithoutResult(status -> {
            storeUnnoticed("clock-a", 900_001, 1, now.plusSeconds(60));
            storeUnnoticed("clock-a", 900_001, 2, now);
            storeUnnoticed("clock-a", 900_001, 3, now.plusSeconds(30));
            storeUnnoticed("clock-b", 900_002, 1, now.plusSeconds(10));
        });
        numbering.number();

        assertThat(ordinals("clock-a")).containsExactly(1L, 2L, 3L);
        assertThat(jdbc.queryForList(
                        "select host from events where host like 'clock-_' order by position", String.class))
                .containsExactly("clock-b", "clock-a", "clock-a", "clock-a");
    }

    @Test
    void findsWhatACrashLeftBetweenStoringAndNumbering() {
        List<Long> told = new CopyOnWriteArrayList<>();
        ApplicationListener<PayloadApplicationEvent<EventsNumbered>> listener =
                ApplicationListener.forPayload(numbered -> told.add(numbered.newest()));
        context.addApplicationListener(listener);
        storeUnnoticed("crashed", 900_003, 1, Instant.now());

        // Nobody tells of it: it is found by looking.
        await().until(() -> !ordinals("crashed").isEmpty());

        long position = jdbc.queryForObject("select position from events where host = 'crashed'", Long.class);
        await().untilAsserted(() -> assertThat(told).anyMatch(newest -> newest >= position));
    }

    @Test
    void whoResumesByPositionMissesNothing() throws Exception {
        List<String> hosts = List.of(newHost(), newHost(), newHost(), newHost());
        awaitNumbers();
        long start = queries.newestEvent();
        Set<Long> read = new HashSet<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> writers = new ArrayList<>();
            for (String of : hosts) {
                writers.add(threads.submit(() -> {
                    for (int i = 0; i < 50; i++) {
                        change(of);
                    }
                }));
            }
            long position = start;
            boolean writing = true;
            while (writing) {
                writing = writers.stream().anyMatch(writer -> !writer.isDone()) || unnumbered() > 0;
                List<EventRecord> page;
                do {
                    page = queries.events(null, null, null, position, 7);
                    for (EventRecord event : page) {
                        assertThat(event.position()).isGreaterThan(position);
                        position = event.position();
                        read.add(position);
                    }
                } while (!page.isEmpty());
            }
            for (Future<?> writer : writers) {
                writer.get();
            }
        }

        List<Long> all = jdbc.queryForList("select position from events where position > ?", Long.class, start);
        assertThat(read).containsExactlyInAnyOrderElementsOf(all);
        assertThat(all).hasSizeGreaterThanOrEqualTo(200);
        for (String of : hosts) {
            assertThat(ordinals(of)).isSorted();
        }
    }

    @Test
    void whatCommitsLateIsReadLateAndNotMissed() throws Exception {
        awaitNumbers();
        long start = queries.newestEvent();
        CountDownLatch stored = new CountDownLatch(1);
        CountDownLatch mayCommit = new CountDownLatch(1);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> late = threads.submit(() -> new TransactionTemplate(transactions).executeWithoutResult(status -> {
                storeUnnoticed("first-stored", 900_005, 1, Instant.now());
                stored.countDown();
                try {
                    mayCommit.await();
                } catch (InterruptedException never) {
                    throw new IllegalStateException(never);
                }
            }));
            stored.await();
            storeUnnoticed("first-committed", 900_006, 1, Instant.now());
            numbering.number();
            List<EventRecord> read = queries.events(null, null, "test", start, 100);
            assertThat(read).extracting(EventRecord::host).containsExactly("first-committed");

            mayCommit.countDown();
            late.get();
            numbering.number();

            assertThat(queries.events(null, null, "test", read.getLast().position(), 100))
                    .extracting(EventRecord::host)
                    .containsExactly("first-stored");
        }
    }

    // ---- pruning

    /** All that is older than this test's own events, too: pruning goes from the oldest on. */
    private void age(long upTo) {
        jdbc.update(
                "update events set at = ? where position <= ?",
                Timestamp.from(Instant.now().minus(91, ChronoUnit.DAYS)),
                upTo);
    }

    @Test
    void prunesOldEventsAndSaysWhatIsGone() {
        change(host);
        awaitNumbers();
        long last = queries.newestEvent();
        change(host);
        change(host);
        awaitNumbers();
        age(last);

        pruning.prune();

        assertThatThrownBy(() -> queries.events(null, null, null, last - 1, 10))
                .isInstanceOfSatisfying(
                        NotDone.Gone.class, gone -> assertThat(gone.oldest()).isEqualTo(last + 1));
        assertThat(queries.events(null, null, null, last, 10))
                .extracting(EventRecord::position)
                .startsWith(last + 1, last + 2);
        assertThat(queries.events(null, null, null, null, 10))
                .extracting(EventRecord::position)
                .startsWith(last + 1);
    }

    @Test
    void leavesNoGapBehindAnEventThatIsYoung() {
        awaitNumbers();
        pruning.prune();
        change(host);
        change(host);
        awaitNumbers();
        long newest = queries.newestEvent();
        jdbc.update(
                "update events set at = ? where position = ?",
                Timestamp.from(Instant.now().minus(91, ChronoUnit.DAYS)),
                newest);

        pruning.prune();

        assertThat(queries.events(null, null, null, newest - 1, 10)).hasSize(1);
    }

    @Test
    void givesNoPositionAgainAfterAllWerePruned() {
        change(host);
        awaitNumbers();
        long newest = queries.newestEvent();
        age(newest);
        pruning.prune();

        assertThat(jdbc.queryForObject("select count(*) from events", Integer.class))
                .isZero();
        assertThat(queries.events(null, null, null, newest, 10)).isEmpty();
        assertThatThrownBy(() -> queries.events(null, null, null, newest - 1, 10))
                .isInstanceOfSatisfying(
                        NotDone.Gone.class, gone -> assertThat(gone.oldest()).isEqualTo(newest + 1));

        change(host);
        awaitNumbers();
        assertThat(queries.events(null, null, null, newest, 10))
                .extracting(EventRecord::position)
                .startsWith(newest + 1);
    }

    @Test
    void prunesInSmallBatchesUntilAllIsDone() {
        awaitNumbers();
        Instant old = Instant.now().minus(100, ChronoUnit.DAYS);
        age(queries.newestEvent());
        for (int i = 1; i <= 1201; i++) {
            storeUnnoticed("batches", 900_004, i, old);
        }
        numbering.number();

        pruning.prune();

        assertThat(ordinals("batches")).isEmpty();
    }

    private Pruning keeping(long events, long commits) {
        return new Pruning(
                jdbc,
                transactions,
                new MatrixSettings(Duration.ofSeconds(10), Duration.ofSeconds(5), Duration.ofDays(90), events, commits),
                Clock.systemUTC());
    }

    @Test
    void keepsNoMoreEventsThanItIsTold() {
        for (int i = 0; i < 5; i++) {
            change(host);
        }
        awaitNumbers();
        List<EventRecord> all = queries.events(null, null, null, queries.newestEvent() - 6, 10);

        keeping(3, 1_000_000).prune();

        assertThat(queries.events(null, null, null, null, 10)).isEqualTo(all.subList(all.size() - 3, all.size()));
        assertThatThrownBy(() -> queries.events(null, null, null, all.getFirst().position(), 10))
                .isInstanceOfSatisfying(
                        NotDone.Gone.class,
                        gone -> assertThat(gone.oldest())
                                .isEqualTo(all.get(all.size() - 3).position()));
    }

    @Test
    void keepsNoMoreCommitsThanItIsToldButForThoseThatAreNeeded() {
        UUID mdev = UUID.randomUUID();
        service.createMdev(mdev, new MdevSettings(host, null, Matrix.EMPTY), PLAINLY);
        for (int adapter = 1; adapter <= 4; adapter++) {
            service.assign(mdev, new Matrix(ApMask.of(adapter), ApMask.NONE, ApMask.NONE), PLAINLY);
        }
        List<CommitRecord> commits = queries.commits(host, mdev, null, null, 10);
        long pending = commits.getLast().id();
        jdbc.update("update commit_objects set state = 'applied', unsettled = false where commit_id <> ?", pending);
        // Later, of another mdev: the newest of this one is not among the two that may stay for their number.
        change(host);
        change(host);

        keeping(1_000_000, 2).prune();

        assertThat(queries.commits(host, mdev, null, null, 10))
                .extracting(CommitRecord::id)
                .containsExactly(commits.getFirst().id(), pending);
    }

    @Test
    void twoReplicasPruneAtOnce() throws Exception {
        awaitNumbers();
        Instant old = Instant.now().minus(100, ChronoUnit.DAYS);
        age(queries.newestEvent());
        for (int i = 1; i <= 2001; i++) {
            storeUnnoticed("at-once", 900_005, i, old);
        }
        UUID mdev = UUID.randomUUID();
        service.createMdev(mdev, new MdevSettings(host, null, Matrix.EMPTY), PLAINLY);
        for (int adapter = 0; adapter < 40; adapter++) {
            service.assign(mdev, new Matrix(ApMask.of(adapter), ApMask.NONE, ApMask.NONE), PLAINLY);
        }
        jdbc.update("update commit_objects set state = 'applied', unsettled = false where object = ?", mdev.toString());
        awaitNumbers();
        long newest = queries.newestEvent();

        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> replicas = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                replicas.add(threads.submit(() -> keeping(2, 2).prune()));
            }
            for (Future<?> replica : replicas) {
                replica.get();
            }
        }

        assertThat(queries.events(null, null, null, null, 10))
                .extracting(EventRecord::position)
                .containsExactly(newest - 1, newest);
        assertThat(queries.commits(host, mdev, null, null, 100)).hasSizeBetween(1, 2);
    }

    @Test
    void prunesSettledCommitsButNotWhatMayStillSettleOrIsShown() {
        UUID mdev = UUID.randomUUID();
        service.createMdev(mdev, new MdevSettings(host, null, Matrix.EMPTY), PLAINLY);
        service.assign(mdev, new Matrix(ApMask.of(1), ApMask.NONE, ApMask.NONE), PLAINLY);
        service.assign(mdev, new Matrix(ApMask.of(2), ApMask.NONE, ApMask.NONE), PLAINLY);
        List<CommitRecord> commits = queries.commits(host, mdev, null, null, 10);
        long newest = commits.get(0).id();
        long settled = commits.get(1).id();
        long pending = commits.get(2).id();
        jdbc.update("update commit_objects set state = 'applied', unsettled = false where commit_id <> ?", pending);
        jdbc.update(
                "update commits set stored_at = ?", Timestamp.from(Instant.now().minus(91, ChronoUnit.DAYS)));

        pruning.prune();

        assertThat(queries.commits(host, mdev, null, null, 10))
                .extracting(CommitRecord::id)
                .containsExactly(newest, pending);
        assertThatThrownBy(() -> queries.commit(settled)).isInstanceOf(NotDone.NotFound.class);
    }
}
