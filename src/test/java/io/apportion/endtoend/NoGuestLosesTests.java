package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.agent.AgentMemory;
import io.apportion.agent.KernelRefusal;
import io.apportion.agent.Reconciler;
import io.apportion.ap.ApMask;
import io.apportion.ap.GuestFilter;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.QueueSet;
import io.apportion.server.ServerApplication;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.DesiredStates;
import io.apportion.server.matrix.HostSettings;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MatrixService.Mode;
import io.apportion.server.matrix.MdevSettings;
import io.apportion.server.matrix.MdevState;
import io.apportion.server.matrix.NotDone;
import io.apportion.server.matrix.Preconditions;
import io.apportion.server.matrix.ReportService;
import io.apportion.simulator.Card;
import io.apportion.simulator.GuestCommit;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedHostBuilder;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.Report;
import io.apportion.wire.WireFormat;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.jdbc.core.JdbcTemplate;

/**
 * No running guest loses a queue but for the causes in the rules, measured at the simulated kernel's guest masks, over
 * seeded interleavings of guests, hardware, hand-made changes, API changes, reboots, a server that is away, and reports and
 * pushes that are delayed, duplicated, reordered and lost. When all is quiet, computed = observed.
 *
 * <p>{@code -Dapportion.interleavings=N} runs N seeds, {@code -Dapportion.seed=S} starts with S (one alone replays it).
 */
@SpringBootTest(
        classes = ServerApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.MOCK,
        properties = {
            "spring.datasource.url=jdbc:h2:mem:no-guest-loses",
            "apportion.matrix.repair-backoff=0s",
            "logging.level.io.apportion.agent=off"
        })
class NoGuestLosesTests {

    private static final long FIRST_SEED = Long.getLong("apportion.seed", 1);
    private static final int STEPS = 24;

    @Autowired
    MatrixService service;

    @Autowired
    MatrixQueries queries;

    @Autowired
    ReportService reports;

    @Autowired
    JdbcTemplate jdbc;

    /** How many interleavings, where the flag says nothing. */
    long enough() {
        return 1_000;
    }

    @Test
    void noRunningGuestLosesAQueueThatItMayKeep() throws Exception {
        long interleavings = Long.getLong("apportion.interleavings", enough());
        AtomicLong next = new AtomicLong(FIRST_SEED);
        AtomicLong lost = new AtomicLong();
        AtomicLong guests = new AtomicLong();
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < Runtime.getRuntime().availableProcessors(); i++) {
            threads.add(Thread.ofPlatform().start(() -> {
                for (long seed = next.getAndIncrement();
                        seed < FIRST_SEED + interleavings && failure.get() == null;
                        seed = next.getAndIncrement()) {
                    try {
                        World world = new World(seed);
                        world.run();
                        lost.addAndGet(world.lawfullyLost);
                        guests.addAndGet(world.opened);
                    } catch (Throwable wrong) {
                        failure.compareAndSet(
                                null, new AssertionError("seed " + seed + ": " + wrong.getMessage(), wrong));
                    }
                    if (seed % 256 == 0) {
                        jdbc.update("delete from events where position is not null");
                    }
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        if (failure.get() != null) {
            throw new AssertionError(failure.get());
        }
        System.out.printf(
                "interleavings %d, guests opened %d, queues lost for a lawful cause %d%n",
                interleavings, guests.get(), lost.get());
        // The run means nothing if guests never ran and hardware never took anything.
        assertThat(guests.get()).isGreaterThan(interleavings / 4);
        assertThat(lost.get()).isPositive();
    }

    /** One host, its agent, and the way between agent and server. */
    private final class World {

        private static final Mode PLAINLY = new Mode(Preconditions.NONE, false, false, Caller.SERVER);
        private static final Mode BY_FORCE = new Mode(Preconditions.NONE, true, false, Caller.SERVER);

        final long seed;
        final Random random;
        final String name;
        final boolean incremental;
        final SimulatedHost host;
        final AgentMemory memory = AgentMemory.ofThisProcess();
        Reconciler reconciler;
        String instance = "";
        long session;
        long sequence;
        boolean hasReported;

        final List<Report> up = new ArrayList<>();
        final List<DesiredHost> down = new ArrayList<>();
        final List<String> log = new ArrayList<>();
        final List<UUID> mdevs = new ArrayList<>();
        int guestNumber;
        int opened;
        int lawfullyLost;

        /** Why queues may leave: of each mdev since its guest attached, of the host since ever. */
        final Map<UUID, Causes> causes = new HashMap<>();

        /** What users last asked for; nothing for what they deleted. */
        final Map<UUID, Matrix> assigned = new HashMap<>();

        final Set<Queue> givenAway = new HashSet<>();
        final Map<UUID, QueueSet> queuesOfGuests = new HashMap<>();
        final List<String> unlawful = new ArrayList<>();

        private static final class Causes {
            ApMask adapters = ApMask.NONE;
            ApMask domains = ApMask.NONE;
            boolean everything;
        }

        World(long seed) {
            this.seed = seed;
            this.random = new Random(seed);
            this.name = "h" + seed;
            this.incremental = random.nextInt(5) != 0;
            SimulatedHostBuilder builder = SimulatedHost.builder()
                    .highest(0x3f, 0xff)
                    .cards(4, 5, 6)
                    .domains(4, 0x47, 0x54)
                    .allForGuests();
            List<Queue> holes = new ArrayList<>();
            for (int a = 4; a <= 6; a++) {
                for (int d : new int[] {4, 0x47, 0x54}) {
                    if (random.nextInt(5) == 0) {
                        holes.add(new Queue(a, d));
                    }
                }
            }
            builder.holes(holes.toArray(Queue[]::new));
            if (random.nextInt(4) == 0) {
                builder.withoutApConfig();
            }
            this.host = builder.build();
            host.onCommit(this::committed);
            reconciler = new Reconciler(host, memory, ObservedHost.Keep.NOTHING);
        }

        void run() throws KernelRefusal {
            service.putHost(
                    name,
                    new HostSettings(
                            null, null, incremental ? GuestFilter.INCREMENTAL : GuestFilter.RECOMPUTE, null, null),
                    PLAINLY);
            startAgent();
            for (int step = 0; step < STEPS; step++) {
                step();
                check();
            }
            settle();
        }

        void check() {
            if (!unlawful.isEmpty()) {
                throw new AssertionError(unlawful + " after\n  " + String.join("\n  ", log));
            }
        }

        void committed(GuestCommit commit) {
            if (commit.released()) {
                causes.remove(commit.mdev());
                queuesOfGuests.remove(commit.mdev());
                return;
            }
            QueueSet before = commit.before().queues();
            QueueSet after = commit.after().queues();
            Causes lawful = causes.computeIfAbsent(commit.mdev(), uuid -> new Causes());
            before.minus(after).queues().forEach(queue -> {
                Matrix wanted = assigned.getOrDefault(commit.mdev(), Matrix.EMPTY);
                boolean adapterGivenAway =
                        givenAway.stream().anyMatch(given -> given.adapter() == queue.adapter() && before.has(given));
                if (!lawful.everything
                        && wanted.hasQueue(queue.adapter(), queue.domain())
                        && !adapterGivenAway
                        && !lawful.adapters.has(queue.adapter())
                        && !lawful.domains.has(queue.domain())
                        && incremental) {
                    unlawful.add(commit.guest() + " on " + commit.mdev() + " lost " + queue + " of " + before);
                } else {
                    lawfullyLost++;
                }
            });
            queuesOfGuests.put(commit.mdev(), after);
        }

        void startAgent() {
            reconciler = new Reconciler(host, memory, ObservedHost.Keep.NOTHING);
            instance = "i" + random.nextLong();
            session = reports.open(name, new Report.Hello(instance, host.bootId(), host.machineId()), Caller.SERVER)
                    .session();
            sequence = 0;
            hasReported = false;
            reconciler.resume();
        }

        void note(String what) {
            log.add(what);
        }

        void step() throws KernelRefusal {
            switch (random.nextInt(20)) {
                case 0, 1 -> createMdev();
                case 2, 3, 4 -> changeMdev();
                case 5 -> deleteMdev();
                case 6, 7, 8 -> toggleGuest();
                case 9 -> bindOrUnbind();
                case 10 -> changeHardware();
                case 11 -> setDriver();
                case 12, 13 -> report();
                case 14, 15 -> deliverReport();
                case 16 -> push();
                case 17, 18 -> deliverPush();
                default -> {
                    switch (random.nextInt(6)) {
                        case 0 -> reboot();
                        case 1 -> {
                            note("agent restarts");
                            startAgent();
                        }
                        case 2 -> {
                            note("agent retries");
                            reconciler.retry();
                        }
                        default -> quiet();
                    }
                }
            }
        }

        int adapter() {
            return 4 + random.nextInt(3);
        }

        int domain() {
            return new int[] {4, 0x47, 0x54}[random.nextInt(3)];
        }

        Matrix someMatrix() {
            ApMask adapters = ApMask.NONE;
            ApMask domains = ApMask.NONE;
            for (int a = 4; a <= 6; a++) {
                adapters = random.nextBoolean() ? adapters.with(a) : adapters;
            }
            for (int d : new int[] {4, 0x47, 0x54}) {
                domains = random.nextBoolean() ? domains.with(d) : domains;
            }
            return new Matrix(adapters, domains, random.nextBoolean() ? domains : ApMask.NONE);
        }

        void createMdev() {
            UUID uuid = new UUID(seed, mdevs.size());
            Matrix matrix = someMatrix();
            try {
                service.createMdev(uuid, new MdevSettings(name, null, matrix), PLAINLY);
                mdevs.add(uuid);
                assigned.put(uuid, matrix);
                note("create " + uuid + " " + matrix.queues());
            } catch (NotDone refused) {
                // Somebody else has a queue of it.
            }
        }

        @Nullable
        UUID someMdev() {
            return mdevs.isEmpty() ? null : mdevs.get(random.nextInt(mdevs.size()));
        }

        void changeMdev() {
            UUID uuid = someMdev();
            if (uuid == null) {
                return;
            }
            Matrix one = random.nextBoolean()
                    ? new Matrix(ApMask.of(adapter()), ApMask.NONE, ApMask.NONE)
                    : new Matrix(ApMask.NONE, ApMask.of(domain()), ApMask.of(domain()));
            Matrix before = Objects.requireNonNull(queries.host(name).mdevs().get(uuid))
                    .mdev()
                    .assigned();
            try {
                switch (random.nextInt(3)) {
                    case 0 -> service.assign(uuid, one, PLAINLY);
                    case 1 -> service.unassign(uuid, one, PLAINLY);
                    default -> service.replaceMatrix(uuid, someMatrix(), PLAINLY);
                }
            } catch (NotDone refused) {
                return;
            }
            Matrix after = Objects.requireNonNull(queries.host(name).mdevs().get(uuid))
                    .mdev()
                    .assigned();
            assigned.put(uuid, after);
            Causes lawful = causes.computeIfAbsent(uuid, any -> new Causes());
            lawful.adapters = lawful.adapters.or(before.adapters().minus(after.adapters()));
            lawful.domains = lawful.domains.or(before.domains().minus(after.domains()));
            note("change " + uuid + " to " + after.adapters().numbers().boxed().toList() + "x"
                    + after.domains().numbers().boxed().toList());
        }

        void deleteMdev() {
            UUID uuid = someMdev();
            if (uuid == null) {
                return;
            }
            try {
                service.deleteMdev(uuid, random.nextBoolean() ? BY_FORCE : PLAINLY);
                causes.computeIfAbsent(uuid, any -> new Causes()).everything = true;
                mdevs.remove(uuid);
                assigned.remove(uuid);
                note("delete " + uuid);
            } catch (NotDone refused) {
                // A guest is attached.
            }
        }

        void toggleGuest() {
            List<String> running = new ArrayList<>(host.guests().keySet());
            try {
                if (!running.isEmpty() && random.nextInt(3) == 0) {
                    String guest = running.get(random.nextInt(running.size()));
                    note("close " + guest);
                    host.closeGuest(guest);
                    return;
                }
                List<ObservedHost.ObservedMdev> there =
                        Objects.requireNonNull(host.read().mdevs());
                if (!there.isEmpty()) {
                    UUID uuid = there.get(random.nextInt(there.size())).uuid();
                    String guest = "g" + guestNumber++;
                    note("open " + guest + " " + uuid);
                    // What was asked for before it started was meant for no guest, and may be pushed after all.
                    host.openGuest(guest, uuid);
                    opened++;
                }
            } catch (KernelRefusal taken) {
                // Somebody holds it.
            }
        }

        /** One queue that leaves vfio_ap takes its adapter from every guest that had the queue. */
        void queueLeaves(Queue queue) {
            queuesOfGuests.forEach((uuid, queues) -> {
                if (queues.has(queue)) {
                    Causes lawful = causes.computeIfAbsent(uuid, any -> new Causes());
                    lawful.adapters = lawful.adapters.with(queue.adapter());
                }
            });
        }

        void bindOrUnbind() {
            Queue queue = new Queue(adapter(), domain());
            queueLeaves(queue);
            try {
                if (random.nextBoolean()) {
                    host.unbind(queue);
                    note("unbind " + queue);
                } else {
                    host.bind(queue, true);
                    note("bind " + queue);
                }
            } catch (KernelRefusal already) {
                // It has no driver, or has one.
            }
        }

        void changeHardware() {
            int adapter = adapter();
            int domain = domain();
            queuesOfGuests.keySet().forEach(uuid -> {
                Causes lawful = causes.computeIfAbsent(uuid, any -> new Causes());
                lawful.adapters = lawful.adapters.with(adapter);
                lawful.domains = lawful.domains.with(domain);
            });
            boolean hasCard = host.read().hostConfiguration().adapters().has(adapter);
            boolean hasDomain = host.read().hostConfiguration().domains().has(domain);
            if (random.nextBoolean()) {
                note((hasCard ? "remove" : "add") + " card " + adapter);
                if (hasCard) {
                    host.removeCard(adapter);
                } else {
                    host.addCard(new Card(adapter, "CEX8P", "EP11-Coproc", "s" + adapter));
                }
            } else {
                note((hasDomain ? "remove" : "add") + " domain " + domain);
                if (hasDomain) {
                    host.removeDomain(domain);
                } else {
                    host.addDomain(domain);
                }
            }
        }

        void setDriver() {
            Queue queue = new Queue(adapter(), domain());
            QueueDriver driver = switch (random.nextInt(3)) {
                case 0 -> QueueDriver.NONE;
                case 1 -> QueueDriver.VFIO_AP;
                default -> null;
            };
            try {
                service.setDriver(name, queue, driver, random.nextInt(3) == 0 ? BY_FORCE : PLAINLY);
            } catch (NotDone refused) {
                return;
            }
            note("driver " + queue + " " + driver);
            givenAway.remove(queue);
            if (driver == QueueDriver.NONE) {
                givenAway.add(queue);
                // Given away: of guests that the server knows to have it, by force; or before it heard that they
                // started.
                queueLeaves(queue);
                for (Map.Entry<UUID, MdevState> entry :
                        queries.host(name).mdevs().entrySet()) {
                    Mdev mdev = entry.getValue().mdev();
                    if (mdev.assigned().hasQueue(queue.adapter(), queue.domain())) {
                        Causes lawful = causes.computeIfAbsent(entry.getKey(), any -> new Causes());
                        lawful.adapters = lawful.adapters.with(queue.adapter());
                    }
                }
            }
        }

        void report() {
            ObservedHost observed = reconciler.observe();
            up.add(new Report(instance, host.bootId(), session, ++sequence, WireFormat.digest(observed), observed));
        }

        void deliverReport() {
            if (up.isEmpty()) {
                report();
            }
            Report report = up.get(random.nextInt(up.size()));
            if (random.nextInt(3) != 0) {
                up.remove(report);
            }
            Report.Answer answer = reports.take(name, report, Caller.SERVER);
            note("report " + report.session() + "/" + report.sequence() + (answer.taken() ? " taken" : " ignored"));
            hasReported |= answer.taken();
        }

        void push() {
            down.add(DesiredStates.of(queries.host(name)));
        }

        void deliverPush() {
            if (down.isEmpty()) {
                push();
            }
            DesiredHost desired = down.get(random.nextInt(down.size()));
            if (random.nextInt(3) != 0) {
                down.remove(desired);
            }
            note("apply " + desired.generation());
            reconciler.apply(desired);
        }

        void reboot() {
            note("reboot");
            host.reboot();
            causes.clear();
            queuesOfGuests.clear();
            startAgent();
        }

        /** Everybody talks to everybody once, in order. */
        void quiet() {
            note("talk");
            report();
            reports.take(name, up.removeLast(), Caller.SERVER);
            reconciler.apply(DesiredStates.of(queries.host(name)));
            reconciler.retry();
            report();
            reports.take(name, up.removeLast(), Caller.SERVER);
        }

        void settle() {
            note("settle");
            up.clear();
            down.clear();
            String before = "";
            for (int round = 0; round < 12; round++) {
                quiet();
                reports.orderRepairs();
                check();
                String now = queries.host(name).generation() + WireFormat.digest(reconciler.observe());
                if (now.equals(before)) {
                    break;
                }
                before = now;
            }
            HostState state = queries.host(name);
            ObservedHost observed = reconciler.observe();
            Map<UUID, ObservedHost.ObservedMdev> there = new HashMap<>();
            Objects.requireNonNull(observed.mdevs()).forEach(mdev -> there.put(mdev.uuid(), mdev));
            Set<UUID> expected = new HashSet<>(state.mdevs().keySet());
            String story = "\n  " + String.join("\n  ", log);
            // One whose guest started just before it was deleted stays until that guest lets go, and is shown as
            // foreign.
            there.values().stream()
                    .filter(mdev -> Objects.requireNonNull(mdev.guest()).identity() != null)
                    .map(ObservedHost.ObservedMdev::uuid)
                    .filter(state.matrix().inventory().foreign()::containsKey)
                    .forEach(expected::add);
            assertThat(there.keySet()).as("mdevs on the host after%s", story).isEqualTo(expected);
            QueueSet all = QueueSet.NONE;
            for (MdevState mdev : state.mdevs().values()) {
                Matrix computed = mdev.mdev().guestMatrix();
                Matrix kernel = Objects.requireNonNull(
                        Objects.requireNonNull(there.get(mdev.uuid())).guestMatrix());
                assertThat(kernel.queues())
                        .as(
                                "%s: the kernel's guest matrix against the computed one %s after%s",
                                mdev.uuid(), mdev, story)
                        .isEqualTo(computed.queues());
                assertThat(mdev.mdev().guest() != null)
                        .as("%s attached after%s", mdev.uuid(), story)
                        .isEqualTo(host.guests().containsValue(mdev.uuid()));
                if (mdev.mdev().guest() != null) {
                    assertThat(host.guestMatrix(mdev.uuid()).queues())
                            .as("%s: what the guest has after%s", mdev.uuid(), story)
                            .isEqualTo(computed.queues());
                    assertThat(host.guestMatrix(mdev.uuid()).controlDomains())
                            .as("%s: control domains after%s", mdev.uuid(), story)
                            .isEqualTo(computed.controlDomains());
                }
                assertThat(mdev.drifted())
                        .as("%s drifted after%s", mdev.uuid(), story)
                        .isFalse();
                assertThat(all.and(mdev.mdev().assigned().queues()))
                        .as("queues in two mdevs after%s", story)
                        .isEqualTo(QueueSet.NONE);
                all = all.or(mdev.mdev().assigned().queues());
            }
        }
    }
}
