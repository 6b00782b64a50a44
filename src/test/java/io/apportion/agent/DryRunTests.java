package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.apportion.agent.AgentMemory.Remembered;
import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.Reservation;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedHostBuilder;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.DesiredHost.DesiredDriver;
import io.apportion.wire.DesiredHost.DesiredMdev;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.WireFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

class DryRunTests {

    private static final Logger LOG = (Logger) LoggerFactory.getLogger("io.apportion.agent");

    private static final UUID A = new UUID(0, 0xa);
    private static final UUID INCARNATION = new UUID(1, 1);
    private static final int HOSTS = 3000;
    private static final int[] ADAPTERS = {1, 2, 3, 70};
    private static final int[] DOMAINS = {4, 5, 6, 130};

    @BeforeEach
    void logLess() {
        LOG.setLevel(Level.OFF);
    }

    @AfterEach
    void logAsBefore() {
        LOG.setLevel(null);
    }

    /** Every write to it fails the test. */
    private static HostKernel untouchable(HostKernel kernel) {
        JournalledKernel journalled = new JournalledKernel(kernel);
        journalled.refusal = line -> {
            throw new AssertionError("written: " + line);
        };
        return journalled.kernel();
    }

    // What it tells.

    @Test
    void tellsWhatAnAgentWouldSeeAndDo() throws KernelRefusal {
        SimulatedHost host = SimulatedHost.builder()
                .cards(4, 5)
                .domains(4, 0x47)
                .bootMasks(ApMask.of(5), ApMask.ALL)
                .build();
        UUID foreign = new UUID(0, 0xf);
        host.createForeign(foreign, matrix(4, 0x47));
        host.openGuest("vm1", foreign);
        DesiredHost said = desired(7, null, List.of(), List.of(mdev(A, matrix(4, 4), null)));
        DryRun run = DryRun.of(untouchable(host), Remembered.NOTHING, new Keep(ApMask.of(9), ApMask.NONE), said);
        assertThat(run.writes())
                .extracting(Object::toString)
                .containsExactly(
                        "mdev " + A + ": create " + A,
                        "mdev " + A + ": ap_config " + ApMask.of(4) + "," + ApMask.of(4) + "," + ApMask.NONE);
        assertThat(String.join("\n", run.lines("lpar1")))
                .contains(
                        "Host lpar1, kernel 7.2.13",
                        "vfio_ap has guest_matrix and ap_config; who holds an mdev can be seen",
                        "kept: adapters 0x09; domains none",
                        "0x05 ",
                        "vfio_ap: domains 0x0004 0x0047; the host's driver: domains none",
                        "vfio_ap: domains none; the host's driver: domains 0x0004 0x0047",
                        foreign + " foreign, held by vm1 (",
                        "assigned: adapters 0x04; domains 0x0047",
                        "Generation 7 (incarnation " + INCARNATION + "), as the server has it now",
                        "  2. mdev " + A + ": ap_config 0x08");
        JsonNode json = WireFormat.MAPPER.valueToTree(run);
        assertThat(json.at("/desired/from").asString()).isEqualTo("server");
        assertThat(json.at("/writes/0/attribute").asString()).isEqualTo("create");
        assertThat(json.at("/results/0/id").asString()).isEqualTo(A.toString());
        assertThat(json.at("/observed/mdevs/0/uuid").asString()).isEqualTo(foreign.toString());
    }

    @Test
    void tellsWhatWouldNotBeDoneAndWhatWouldBeLeftAlone() throws KernelRefusal {
        SimulatedHost host = SimulatedHost.builder()
                .cards(4, 5)
                .domains(4, 0x47)
                .allForGuests()
                .build();
        host.createForeign(A, matrix(4, 4));
        host.openGuest("vm1", A);
        DesiredHost said = desired(
                7,
                null,
                List.of(new DesiredDriver(Queue.parse("06.0004"), QueueDriver.NONE, 0)),
                List.of(mdev(A, matrix(5, 4), "another")));
        DryRun run = DryRun.of(untouchable(host), Remembered.NOTHING, Keep.NOTHING, said);
        assertThat(run.writes()).isEmpty();
        assertThat(run.leftAlone()).containsExactly(A);
        assertThat(run.lines("lpar1"))
                .contains(
                        "  driver 06.0004: not done, ENODEV: the host has no queue 06.0004",
                        "  mdev " + A
                                + ": left alone, since it is held by another guest than the one this was computed for",
                        "Nothing would be written.");
    }

    @Test
    void tellsWhatIsRememberedWhenTheServerSaysNothing() {
        SimulatedHost host =
                SimulatedHost.builder().cards(4).domains(4).allForGuests().build();
        AgentMemory memory = AgentMemory.ofThisProcess();
        assertThat(DryRun.of(untouchable(host), memory.recall(), Keep.NOTHING, null)
                        .lines("lpar1"))
                .endsWith("No desired state is known: nothing would be written.");
        new Reconciler(host, memory, Keep.NOTHING)
                .apply(desired(7, null, List.of(), List.of(mdev(A, matrix(4, 4), null))));
        assertThat(DryRun.of(untouchable(host), memory.recall(), Keep.NOTHING, null)
                        .lines("lpar1"))
                .endsWith("Generation 7 (incarnation " + INCARNATION + "), as remembered", "Nothing would be written.");
        host.reboot();
        DryRun after = DryRun.of(untouchable(host), memory.recall(), Keep.NOTHING, null);
        assertThat(after.writes()).hasSize(2);
        assertThat(Objects.requireNonNull(after.desired()).from()).isEqualTo("memory");
    }

    @Test
    void wouldWriteNothingWhilePaused() {
        SimulatedHost host =
                SimulatedHost.builder().cards(4).domains(4).allForGuests().build();
        DesiredHost paused = new DesiredHost(
                "lpar1",
                INCARNATION,
                7,
                true,
                BindingMode.MASKS,
                null,
                0,
                List.of(),
                List.of(mdev(A, matrix(4, 4), null)));
        DryRun run = DryRun.of(untouchable(host), Remembered.NOTHING, Keep.NOTHING, paused);
        assertThat(run.writes()).isEmpty();
        assertThat(run.lines("lpar1").getLast()).endsWith("paused, nothing would be written.");
    }

    // Whether it is true.

    /** What is written when it is done for real, up to the first write that the kernel refuses. */
    @Test
    void foretellsEachWriteUpToTheFirstRefusal() {
        int writes = 0;
        int refusals = 0;
        for (long seed = 0; seed < HOSTS; seed++) {
            Random random = new Random(seed);
            SimulatedHostBuilder builder =
                    SimulatedHost.builder().cards(ADAPTERS).domains(DOMAINS);
            if (random.nextBoolean()) {
                builder.withoutApConfig();
            }
            if (random.nextInt(4) > 0) {
                builder.allForGuests();
            } else {
                builder.bootMasks(ApMask.of(ADAPTERS[random.nextInt(4)]), ApMask.ALL);
            }
            SimulatedHost host = builder.build();
            AgentMemory memory = AgentMemory.ofThisProcess();
            new Reconciler(host, memory, Keep.NOTHING).apply(random(random, host, 1));
            disturb(random, host);
            DesiredHost next = random(random, host, 2);

            JournalledKernel supposed = new JournalledKernel(new SupposedKernel(untouchable(host)));
            new Reconciler(supposed.kernel(), copy(memory), Keep.NOTHING).apply(next);
            List<String> foretold = supposed.take();

            JournalledKernel real = new JournalledKernel(host);
            List<String> written = new ArrayList<>();
            real.afterWrite = () -> written.add(real.journal.getLast());
            new Reconciler(real.kernel(), copy(memory), Keep.NOTHING).apply(next);
            List<String> tried = real.take();

            int common = 0;
            while (common < written.size() && written.get(common).equals(tried.get(common))) {
                common++;
            }
            boolean refused = common < tried.size();
            int told = Math.min(tried.size(), refused ? common + 1 : common);
            assertThat(foretold.subList(0, Math.min(told, foretold.size())))
                    .as("seed %d, %s", seed, next)
                    .isEqualTo(tried.subList(0, told));
            if (!refused) {
                assertThat(foretold).as("seed %d", seed).hasSameSizeAs(tried);
            }
            writes += told;
            refusals += refused ? 1 : 0;
        }
        assertThat(writes).isGreaterThan(HOSTS * 3);
        assertThat(refusals).as("hosts on which the kernel refused something").isLessThan(HOSTS / 2);
    }

    private static AgentMemory copy(AgentMemory memory) {
        AgentMemory copy = AgentMemory.ofThisProcess();
        copy.remember(memory.recall());
        return copy;
    }

    private static void disturb(Random random, SimulatedHost host) {
        for (ObservedHost.ObservedMdev mdev : Objects.requireNonNull(host.read().mdevs())) {
            if (random.nextBoolean()) {
                try {
                    host.openGuest("vm" + mdev.uuid(), mdev.uuid());
                } catch (KernelRefusal refusal) {
                    throw new IllegalStateException(refusal);
                }
            }
        }
        for (int a : ADAPTERS) {
            for (int d : DOMAINS) {
                if (random.nextInt(8) == 0) {
                    try {
                        host.unbind(new Queue(a, d));
                    } catch (KernelRefusal hasNoDriver) {
                        // as it was
                    }
                }
            }
        }
    }

    /** No two of its mdevs share an adapter. */
    private static DesiredHost random(Random random, SimulatedHost host, long generation) {
        List<Integer> owners = random.ints(4, 0, 4).boxed().toList();
        List<DesiredMdev> mdevs = new ArrayList<>();
        for (int number = 0; number < 3; number++) {
            UUID uuid = new UUID(0, number + 1);
            int owner = number;
            ApMask adapters = ApMask.of(java.util.stream.IntStream.range(0, 4)
                    .filter(i -> owners.get(i) == owner)
                    .map(i -> ADAPTERS[i])
                    .toArray());
            ApMask domains = ApMask.of(random.ints(3, 0, 4).map(i -> DOMAINS[i]).toArray());
            Matrix matrix = new Matrix(adapters, domains, ApMask.NONE);
            ObservedHost.ObservedGuest guest = host.guestOf(uuid);
            String identity = guest == null ? null : guest.identity();
            if (random.nextInt(5) > 0) {
                boolean removing = random.nextInt(8) == 0;
                mdevs.add(new DesiredMdev(
                        uuid,
                        removing ? Matrix.EMPTY : matrix,
                        removing ? Matrix.EMPTY : matrix,
                        identity,
                        removing,
                        0));
            }
        }
        List<DesiredDriver> drivers = new ArrayList<>();
        for (int i = random.nextInt(3); i > 0; i--) {
            Queue queue = new Queue(ADAPTERS[random.nextInt(4)], DOMAINS[random.nextInt(4)]);
            if (drivers.stream().noneMatch(driver -> driver.queue().equals(queue))) {
                drivers.add(new DesiredDriver(queue, QueueDriver.values()[random.nextInt(3)], 0));
            }
        }
        Reservation reservation = random.nextInt(3) > 0
                ? null
                : new Reservation(ApMask.of(ADAPTERS[random.nextInt(4)]), ApMask.of(DOMAINS[random.nextInt(4)]));
        return desired(generation, reservation, drivers, mdevs);
    }

    // Shorthand.

    private static DesiredHost desired(
            long generation, @Nullable Reservation reservation, List<DesiredDriver> drivers, List<DesiredMdev> mdevs) {
        return new DesiredHost(
                "lpar1", INCARNATION, generation, false, BindingMode.MASKS, reservation, 0, drivers, mdevs);
    }

    private static DesiredMdev mdev(UUID uuid, Matrix matrix, @Nullable String guest) {
        return new DesiredMdev(uuid, matrix, matrix, guest, false, 0);
    }

    private static Matrix matrix(int adapter, int domain) {
        return new Matrix(ApMask.of(adapter), ApMask.of(domain), ApMask.NONE);
    }
}
