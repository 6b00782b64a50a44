package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.Change;
import io.apportion.ap.GuestFilter;
import io.apportion.ap.HostMatrix;
import io.apportion.ap.Inventory;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Plan;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.QueueSet;
import io.apportion.ap.Reservation;
import io.apportion.simulator.GuestCommit;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedHostBuilder;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.DesiredHost.DesiredDriver;
import io.apportion.wire.DesiredHost.DesiredMdev;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/**
 * Random changes of users, administrators, guests and hardware, planned as the server plans them and applied on the
 * simulated kernel.
 */
class RandomChangesTests {

    private static final int HOSTS = 240;
    private static final int CHANGES = 100;

    private static final Logger AGENT_LOG = (Logger) LoggerFactory.getLogger("io.apportion.agent");

    @BeforeAll
    static void logLess() {
        AGENT_LOG.setLevel(Level.OFF);
    }

    @AfterAll
    static void logAsBefore() {
        AGENT_LOG.setLevel(null);
    }

    @Test
    void guestsHaveTheComputedQueuesWhenClaimsAreWritten() {
        for (long seed = 0; seed < HOSTS; seed++) {
            new Run(seed, builder -> builder).everyChangeReachesTheGuests();
        }
    }

    @Test
    void guestsHaveTheComputedQueuesWithoutApConfig() {
        for (long seed = 0; seed < HOSTS; seed++) {
            new Run(seed, SimulatedHostBuilder::withoutApConfig).everyChangeReachesTheGuests();
        }
    }

    @Test
    void lateStatesTakeNothingFromGuestsThatTheyMayKeep() {
        for (long seed = 0; seed < HOSTS; seed++) {
            new Run(seed, builder -> builder).statesComeLate();
            new Run(seed, SimulatedHostBuilder::withoutApConfig).statesComeLate();
        }
    }

    @Test
    void whateverElseHappensTheyLoseNothing() {
        for (long seed = 0; seed < HOSTS; seed++) {
            Run run = new Run(seed, builder -> builder);
            run.wide = true;
            run.statesComeLate();
        }
    }

    /** A server's plans, one agent, one host. */
    private static final class Run {

        private static final int[] ADAPTERS = {1, 2, 3, 70};
        private static final int[] DOMAINS = {4, 5, 6, 130};
        private static final long FOREIGN = 9;
        private static final UUID INCARNATION = new UUID(1, 1);

        private final String seed;
        private final Random random;
        private final SimulatedHost host;
        private final AgentMemory memory = AgentMemory.ofThisProcess();
        private Reconciler reconciler;
        private HostMatrix matrix = new HostMatrix(
                GuestFilter.INCREMENTAL, BindingMode.MASKS, Inventory.NEVER_REPORTED, null, Map.of(), Map.of());
        private long generation;
        private boolean late;
        private boolean wide;
        private boolean rebooted;
        private @Nullable DesiredHost applying;
        private Map<UUID, QueueSet> before = Map.of();

        Run(long seed, Function<SimulatedHostBuilder, SimulatedHostBuilder> kind) {
            this.random = new Random(seed);
            this.host = kind.apply(SimulatedHost.builder()
                            .cards(ADAPTERS)
                            .domains(DOMAINS)
                            .allForGuests()
                            .highest(100, 200))
                    .build();
            this.reconciler = new Reconciler(host, memory, Keep.NOTHING);
            this.seed = "seed " + seed + (host.read().features().apConfig() ? "" : " without ap_config");
            host.onCommit(this::judge);
            for (int number = 0; number < 3; number++) {
                plan(new Change.Create(new UUID(0, number + 1), Matrix.EMPTY));
            }
        }

        void everyChangeReachesTheGuests() {
            for (int step = 0; step < CHANGES; step++) {
                for (int more = random.nextInt(3); more >= 0; more--) {
                    change();
                }
                report();
                apply(desired());
                report();
                for (Mdev mdev : matrix.mdevs().values()) {
                    Matrix inGuest = host.guestMatrix(mdev.uuid());
                    if (mdev.guest() != null) {
                        assertThat(inGuest.queues())
                                .as("%s, step %d, queues of %s", seed, step, mdev)
                                .isEqualTo(mdev.guestMatrix().queues());
                        assertThat(inGuest.controlDomains())
                                .as("%s, step %d, control domains of %s", seed, step, mdev)
                                .isEqualTo(mdev.guestMatrix().controlDomains());
                    }
                }
            }
        }

        /** Each state is applied only after more has happened, and out of turn. */
        void statesComeLate() {
            late = true;
            List<DesiredHost> underWay = new ArrayList<>();
            for (int step = 0; step < CHANGES; step++) {
                change();
                if (random.nextInt(3) > 0) {
                    report();
                }
                underWay.add(desired());
                while (underWay.size() > 3) {
                    apply(underWay.remove(random.nextInt(underWay.size())));
                }
                if (random.nextInt(4) == 0) {
                    reconciler.retry();
                }
            }
            report();
            late = false;
            apply(desired());
            report();
            for (Mdev mdev : matrix.mdevs().values()) {
                if (mdev.guest() != null) {
                    assertThat(host.guestMatrix(mdev.uuid()).queues())
                            .as("%s, in the end, queues of %s", seed, mdev)
                            .isEqualTo(mdev.guestMatrix().queues());
                }
            }
        }

        private void change() {
            try {
                switch (random.nextInt(wide ? 20 : 10)) {
                    case 10, 11 -> toggleMdev();
                    case 12, 13 -> setDriver();
                    case 14 -> reserve();
                    case 15, 16 -> changeForeign();
                    case 17 -> restart();
                    case 18 -> removeByHand();
                    case 0 -> toggleGuest();
                    case 1, 2 -> toggleDriver();
                    case 3 -> toggleHardware();
                    case 4 -> exchangeOrReplace();
                    case 5, 6, 7 -> plan(new Change.Assign(anyMdev(), anyMatrix(1)));
                    default -> plan(new Change.Unassign(anyMdev(), anyMatrix(1)));
                }
            } catch (KernelRefusal refusal) {
                if (!wide) { // with masks, drivers and foreign mdevs the kernel may well refuse what somebody does by
                    // hand
                    throw new AssertionError(seed, refusal);
                }
            }
        }

        private void exchangeOrReplace() {
            UUID one = anyMdev();
            UUID two = anyMdev();
            if (one.equals(two) || !matrix.mdevs().keySet().containsAll(List.of(one, two))) {
                plan(new Change.Replace(one, anyMatrix(3)));
                return;
            }
            Matrix ofOne = Objects.requireNonNull(matrix.mdevs().get(one)).assigned();
            Matrix ofTwo = Objects.requireNonNull(matrix.mdevs().get(two)).assigned();
            plan(new Change.Unassign(one, ofOne));
            plan(new Change.Replace(two, ofOne));
            plan(new Change.Replace(one, ofTwo));
        }

        private void toggleMdev() {
            UUID mdev = anyMdev();
            if (matrix.mdevs().containsKey(mdev)) {
                plan(new Change.Remove(mdev, random.nextBoolean()));
            } else {
                plan(new Change.Create(mdev, anyMatrix(2)));
            }
        }

        private void setDriver() {
            Queue queue = new Queue(ADAPTERS[random.nextInt(ADAPTERS.length)], DOMAINS[random.nextInt(DOMAINS.length)]);
            QueueDriver driver =
                    random.nextInt(3) == 0 ? null : QueueDriver.values()[random.nextInt(QueueDriver.values().length)];
            plan(new Change.SetDriver(queue, driver, random.nextBoolean()));
        }

        private void reserve() {
            plan(new Change.Reserve(
                    random.nextInt(4) == 0 ? null : new Reservation(any(ADAPTERS, 2), any(DOMAINS, 2))));
        }

        private void changeForeign() {
            UUID foreign = new UUID(FOREIGN, random.nextInt(2));
            try {
                if (Objects.requireNonNull(host.read().mdevs()).stream()
                        .noneMatch(now -> now.uuid().equals(foreign))) {
                    host.createForeign(foreign, anyMatrix(1));
                } else if (random.nextBoolean()) {
                    host.edit(foreign, anyMatrix(1));
                } else {
                    host.remove(foreign);
                }
            } catch (KernelRefusal expected) {
                // Somebody has the queue.
            }
        }

        private void restart() {
            if (random.nextBoolean()) {
                host.reboot();
                rebooted = true;
            }
            reconciler = new Reconciler(host, memory, Keep.NOTHING);
            applying = memory.recall().desired();
            reconciler.resume();
            applying = null;
        }

        private void removeByHand() throws KernelRefusal {
            UUID mdev = anyMdev();
            if (random.nextInt(4) == 0
                    && !host.guests().containsValue(mdev)
                    && Objects.requireNonNull(host.read().mdevs()).stream()
                            .anyMatch(now -> now.uuid().equals(mdev))) {
                host.remove(mdev);
            }
        }

        private UUID anyMdev() {
            return new UUID(0, random.nextInt(3) + 1);
        }

        private Matrix anyMatrix(int numbers) {
            return switch (numbers > 1 ? 3 : random.nextInt(4)) {
                case 0 -> new Matrix(any(ADAPTERS, 1), ApMask.NONE, ApMask.NONE);
                case 1 -> new Matrix(ApMask.NONE, any(DOMAINS, 1), ApMask.NONE);
                case 2 -> new Matrix(ApMask.NONE, ApMask.NONE, any(DOMAINS, 1));
                default -> new Matrix(any(ADAPTERS, numbers), any(DOMAINS, numbers), any(DOMAINS, 1));
            };
        }

        private ApMask any(int[] numbers, int count) {
            ApMask mask = ApMask.NONE;
            for (int i = 0; i < count; i++) {
                mask = mask.with(numbers[random.nextInt(numbers.length)]);
            }
            return mask;
        }

        private void toggleGuest() throws KernelRefusal {
            UUID mdev = anyMdev();
            String name = "vm" + mdev.getLeastSignificantBits();
            if (host.guests().containsKey(name)) {
                host.closeGuest(name);
            } else if (Objects.requireNonNull(host.read().mdevs()).stream()
                    .anyMatch(now -> now.uuid().equals(mdev))) {
                host.openGuest(name, mdev);
            }
        }

        private void toggleDriver() throws KernelRefusal {
            Queue queue = new Queue(ADAPTERS[random.nextInt(ADAPTERS.length)], DOMAINS[random.nextInt(DOMAINS.length)]);
            ObservedAdapter card = Objects.requireNonNull(host.read().adapters()).stream()
                    .filter(found -> found.adapter() == queue.adapter())
                    .findFirst()
                    .orElse(null);
            if (card == null || !card.devices().has(queue.domain())) {
                return;
            }
            if (card.bound().has(queue.domain())) {
                host.unbind(queue);
            } else {
                host.bind(queue, true);
            }
        }

        private void toggleHardware() {
            Matrix configuration = Objects.requireNonNull(host.read().hostConfiguration());
            if (random.nextBoolean()) {
                int adapter = ADAPTERS[random.nextInt(ADAPTERS.length)];
                if (configuration.adapters().has(adapter)) {
                    host.removeCard(adapter);
                } else {
                    host.addCard(new io.apportion.simulator.Card(adapter, "CEX8P", "EP11-Coproc", "1"));
                }
            } else {
                int domain = DOMAINS[random.nextInt(DOMAINS.length)];
                if (configuration.domains().has(domain)) {
                    host.removeDomain(domain);
                } else {
                    host.addDomain(domain);
                }
            }
        }

        private void plan(Change change) {
            UUID changed = switch (change) {
                case Change.Assign assign -> assign.mdev();
                case Change.Unassign unassign -> unassign.mdev();
                case Change.Replace replace -> replace.mdev();
                default -> null;
            };
            if (changed != null && !matrix.mdevs().containsKey(changed)) {
                return;
            }
            if (matrix.plan(change) instanceof Plan plan) {
                matrix = plan.after();
            }
        }

        private void report() {
            ObservedHost observed = reconciler.observe();
            Map<UUID, Change.Observe.Seen> seen = new TreeMap<>();
            Map<UUID, Inventory.ForeignMdev> foreign = new TreeMap<>();
            for (ObservedMdev mdev : Objects.requireNonNull(observed.mdevs())) {
                if (!mdev.own()) {
                    foreign.put(
                            mdev.uuid(),
                            new Inventory.ForeignMdev(
                                    Objects.requireNonNull(mdev.assigned()),
                                    Objects.requireNonNull(mdev.guestMatrix()),
                                    null));
                    continue;
                }
                ObservedHost.ObservedGuest guest = Objects.requireNonNull(mdev.guest());
                seen.put(
                        mdev.uuid(),
                        new Change.Observe.Seen(
                                mdev.assigned(),
                                mdev.guestMatrix(),
                                true,
                                guest.identity() == null
                                        ? null
                                        : new io.apportion.ap.Guest(guest.identity(), guest.identity())));
            }
            plan(new Change.Observe(inventory(observed, foreign), rebooted, seen));
            rebooted = false;
        }

        private static Inventory inventory(ObservedHost observed, Map<UUID, Inventory.ForeignMdev> foreign) {
            List<ObservedAdapter> cards = Objects.requireNonNull(observed.adapters());
            return new Inventory(
                    true,
                    observed.features().guestMatrix(),
                    observed.features().guests(),
                    observed.maxAdapter(),
                    observed.maxDomain(),
                    Objects.requireNonNull(observed.hostConfiguration()),
                    Objects.requireNonNull(observed.masks()),
                    Inventory.Keep.NOTHING,
                    queues(cards, ObservedAdapter::devices),
                    queues(cards, ObservedAdapter::bound),
                    queues(cards, ObservedAdapter::defaultDriver),
                    queues(cards, ObservedAdapter::overridden),
                    queues(cards, ObservedAdapter::impaired),
                    foreign);
        }

        private static QueueSet queues(List<ObservedAdapter> cards, Function<ObservedAdapter, ApMask> domains) {
            QueueSet queues = QueueSet.NONE;
            for (ObservedAdapter card : cards) {
                queues = queues.withRow(card.adapter(), domains.apply(card));
            }
            return queues;
        }

        private DesiredHost desired() {
            return new DesiredHost(
                    "lpar1",
                    INCARNATION,
                    ++generation,
                    false,
                    BindingMode.MASKS,
                    matrix.managedReservation(),
                    0,
                    matrix.drivers().entrySet().stream()
                            .map(entry -> new DesiredDriver(entry.getKey(), entry.getValue(), 0))
                            .sorted(Comparator.comparing(DesiredDriver::queue))
                            .toList(),
                    matrix.mdevs().values().stream()
                            .map(mdev -> new DesiredMdev(
                                    mdev.uuid(),
                                    matrix.claim(mdev),
                                    mdev.guestMatrix(),
                                    mdev.guest() == null ? null : mdev.guest().identity(),
                                    mdev.removing(),
                                    0))
                            .toList());
        }

        private void apply(DesiredHost desired) {
            before = new HashMap<>();
            desired.mdevs()
                    .forEach(mdev -> before.put(
                            mdev.uuid(), host.guestMatrix(mdev.uuid()).queues()));
            Map<String, UUID> guests = host.guests();
            Map<UUID, Matrix> foreign = foreign();
            applying = desired;
            reconciler.apply(desired);
            applying = null;
            assertThat(host.guests())
                    .as("%s, generation %d: removed under a guest", seed, desired.generation())
                    .isEqualTo(guests);
            assertThat(foreign())
                    .as("%s, generation %d: foreign mdevs", seed, desired.generation())
                    .isEqualTo(foreign);
        }

        private Map<UUID, Matrix> foreign() {
            Map<UUID, Matrix> foreign = new HashMap<>();
            for (ObservedMdev mdev : Objects.requireNonNull(host.read().mdevs())) {
                if (mdev.uuid().getMostSignificantBits() == FOREIGN) {
                    foreign.put(mdev.uuid(), Objects.requireNonNull(mdev.assigned()));
                }
            }
            return foreign;
        }

        /** Only what the agent does is judged, not what happens to the host. */
        private void judge(GuestCommit commit) {
            if (applying == null) {
                return;
            }
            DesiredMdev desired = applying.mdevs().stream()
                    .filter(mdev -> mdev.uuid().equals(commit.mdev()))
                    .findFirst()
                    .orElseThrow();
            QueueSet lost = commit.before().queues().minus(commit.after().queues());
            assertThat(lost.and(desired.guestMatrix().queues()))
                    .as("%s, generation %d: lost though desired, by %s", seed, applying.generation(), commit)
                    .isEqualTo(QueueSet.NONE);
            String guest = Objects.requireNonNull(host.guestOf(commit.mdev())).identity();
            if (!Objects.equals(guest, desired.attach())) {
                assertThat(lost)
                        .as("%s, generation %d: lost by another guest, by %s", seed, applying.generation(), commit)
                        .isEqualTo(QueueSet.NONE);
            }
            // Of a claim the kernel also gives what was bound since it was computed.
            Matrix given = late ? desired.claim() : desired.guestMatrix();
            QueueSet known = given.queues().or(Objects.requireNonNull(before.get(commit.mdev())));
            assertThat(commit.after().queues().minus(known))
                    .as("%s, generation %d: given for a moment, by %s", seed, applying.generation(), commit)
                    .isEqualTo(QueueSet.NONE);
        }
    }
}
