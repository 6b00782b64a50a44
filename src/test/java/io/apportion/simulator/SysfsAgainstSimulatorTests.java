package io.apportion.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.apportion.agent.HostKernel;
import io.apportion.agent.KernelRefusal;
import io.apportion.agent.sysfs.SysfsKernel;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.ObservedGuest;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/**
 * Two simulated hosts to which the same happens: one is spoken to directly, the other through its files. What is read,
 * what is refused, and what becomes of the guests must be the same.
 */
class SysfsAgainstSimulatorTests {

    private static final int HOSTS = 6;
    private static final int OPERATIONS = 100;

    private static final Logger LOG = (Logger) LoggerFactory.getLogger("io.apportion.agent.sysfs");

    @TempDir
    Path locks;

    @BeforeAll
    static void logLess() {
        LOG.setLevel(Level.OFF);
    }

    @AfterAll
    static void logAsBefore() {
        LOG.setLevel(null);
    }

    @Test
    void readRefuseAndChangeTheSame() throws Exception {
        Map<String, UnaryOperator<SimulatedHostBuilder>> hosts = new LinkedHashMap<>();
        hosts.put("driver overrides", builder -> builder);
        hosts.put("masks", SysfsAgainstSimulatorTests::withFreeAdapters);
        hosts.put("no ap_config", builder -> withFreeAdapters(builder).withoutApConfig());
        hosts.put(
                "no hot plug",
                builder -> withFreeAdapters(builder).withoutApConfig().withoutGuestMatrix());
        Map<Kind, Integer> done = new EnumMap<>(Kind.class);
        Map<String, Integer> refused = new TreeMap<>();
        for (var kind : hosts.entrySet()) {
            for (long seed = 0; seed < HOSTS; seed++) {
                try (var twins = new Twins(kind.getKey(), seed, kind.getValue(), locks)) {
                    twins.run(done, refused);
                }
            }
        }
        // A test that hits nothing would agree with anything.
        assertThat(done).containsOnlyKeys(Kind.values());
        assertThat(refused)
                .containsKeys("EADDRINUSE", "EADDRNOTAVAIL", "EBUSY", "EEXIST", "EINVAL", "ENODEV", "ENOENT", "EPERM");
    }

    private static SimulatedHostBuilder withFreeAdapters(SimulatedHostBuilder builder) {
        return builder.bootMasks(ApMask.ALL.without(1).without(2), ApMask.ALL);
    }

    private enum Kind {
        CREATE(1),
        REMOVE(1),
        CONFIGURE(5),
        ASSIGN(6),
        UNBIND(2),
        BIND(3),
        OVERRIDE(2),
        MASK(1),
        GUEST(3),
        HARDWARE(3),
        BY_HAND(1);

        /** How many times as often as the rarest. */
        private final int weight;

        Kind(int weight) {
            this.weight = weight;
        }

        static Kind any(Random random) {
            List<Kind> weighted = Arrays.stream(values())
                    .flatMap(kind -> Collections.nCopies(kind.weight, kind).stream())
                    .toList();
            return weighted.get(random.nextInt(weighted.size()));
        }
    }

    private interface Write {
        void to(HostKernel kernel) throws KernelRefusal;
    }

    private interface Event {
        void at(SimulatedHost host) throws KernelRefusal;
    }

    private static final class Twins implements AutoCloseable {

        private static final int[] ADAPTERS = {1, 2, 70};
        private static final int[] DOMAINS = {4, 5, 130};

        private final Random random;
        private final SimulatedHost direct;
        private final SimulatedHost behind;
        private final List<GuestCommit> directCommits = new ArrayList<>();
        private final List<GuestCommit> commitsBehind = new ArrayList<>();
        private final SimulatedSysfs files;
        private final SysfsKernel kernel;
        private String story;

        Twins(String name, long seed, UnaryOperator<SimulatedHostBuilder> kind, Path locks) throws Exception {
            random = new Random(seed);
            story = name + ", seed " + seed;
            direct = host(kind);
            behind = host(kind);
            direct.onCommit(directCommits::add);
            behind.onCommit(commitsBehind::add);
            files = new SimulatedSysfs(behind, random.nextBoolean());
            kernel = SysfsKernel.open(files.settings(locks));
        }

        private static SimulatedHost host(UnaryOperator<SimulatedHostBuilder> kind) {
            return kind.apply(SimulatedHost.builder()
                            .machineId("8561-T01")
                            .card(1, "CEX8P", "EP11-Coproc", "93AADHZU42")
                            .card(2, "CEX7C", "CCA-Coproc", "93AADHZU43")
                            .card(70, "CEX6A", "Accelerator", "93AADHZU44")
                            .domains(DOMAINS)
                            .controlDomains(4, 5, 6)
                            .highest(100, 200))
                    .build();
        }

        @Override
        public void close() throws IOException {
            kernel.close();
            files.close();
        }

        void run(Map<Kind, Integer> done, Map<String, Integer> refused) throws KernelRefusal {
            compare();
            for (int number = 0; number < 3; number++) {
                UUID mdev = new UUID(number, number);
                write("create " + mdev, k -> k.create(mdev));
            }
            for (int step = 0; step < OPERATIONS; step++) {
                Kind kind = Kind.any(random);
                done.merge(kind, 1, Integer::sum);
                String errno = step(kind);
                if (errno != null) {
                    refused.merge(errno, 1, Integer::sum);
                }
                compare();
            }
        }

        private @Nullable String step(Kind kind) {
            UUID mdev = mdev();
            Queue queue = new Queue(any(ADAPTERS), any(DOMAINS));
            boolean on = random.nextBoolean();
            return switch (kind) {
                case CREATE -> write("create " + mdev, k -> k.create(mdev));
                case REMOVE -> remove(mdev);
                case CONFIGURE -> {
                    Matrix matrix = new Matrix(some(ADAPTERS), some(DOMAINS), some(DOMAINS));
                    yield write("configure " + mdev + " " + matrix, k -> k.configure(mdev, matrix));
                }
                case ASSIGN -> assign(mdev);
                case UNBIND -> write("unbind " + queue, k -> k.unbind(queue));
                case BIND -> write("bind " + queue + on, k -> k.bind(queue, on));
                case OVERRIDE -> write("override " + queue + on, k -> k.override(queue, on));
                case MASK -> {
                    ApMask adapters = some(ADAPTERS);
                    ApMask domains = some(DOMAINS);
                    yield random.nextInt(3) > 0
                            ? write("apmask " + on + adapters, k -> k.changeApmask(adapters, on))
                            : write("aqmask " + on + domains, k -> k.changeAqmask(domains, on));
                }
                case GUEST -> {
                    String name = "vm," + random.nextInt(2);
                    yield on
                            ? happen("open " + name + mdev, host -> host.openGuest(name, mdev))
                            : happen("close " + name, host -> host.closeGuest(name));
                }
                case HARDWARE -> hardware(queue);
                case BY_HAND -> byHand(mdev, queue);
            };
        }

        private @Nullable String assign(UUID mdev) {
            int adapter = random.nextInt(5) == 0 ? random.nextInt(256) : any(ADAPTERS);
            int domain = random.nextInt(5) == 0 ? random.nextInt(256) : any(DOMAINS);
            return switch (random.nextInt(8)) {
                case 0, 1 -> write("assign_adapter " + mdev + adapter, k -> k.assignAdapter(mdev, adapter));
                case 2, 3 -> write("assign_domain " + mdev + domain, k -> k.assignDomain(mdev, domain));
                case 4 -> write("assign_control_domain " + mdev + domain, k -> k.assignControlDomain(mdev, domain));
                case 5 -> write("unassign_adapter " + mdev + adapter, k -> k.unassignAdapter(mdev, adapter));
                case 6 -> write("unassign_domain " + mdev + domain, k -> k.unassignDomain(mdev, domain));
                default ->
                    write("unassign_control_domain " + mdev + domain, k -> k.unassignControlDomain(mdev, domain));
            };
        }

        /** The only write on which the two are not of one mind: what is in use is not tried. */
        private @Nullable String remove(UUID mdev) {
            if (!direct.guests().containsValue(mdev)) {
                return write("remove " + mdev, k -> k.remove(mdev));
            }
            story += "\nremove " + mdev + " in use";
            assertThat(errno(() -> kernel.remove(mdev))).as(story).isEqualTo("EBUSY");
            return "EBUSY";
        }

        private @Nullable String hardware(Queue queue) {
            int adapter = queue.adapter();
            int domain = queue.domain();
            return switch (random.nextInt(11)) {
                case 0 -> happen("remove card " + adapter, host -> host.removeCard(adapter));
                case 1, 2 ->
                    happen("add card " + adapter, host -> host.addCard(new Card(adapter, "CEX8P", "EP11-Coproc", "X")));
                case 3 -> happen("remove domain " + domain, host -> host.removeDomain(domain));
                case 4, 5 -> happen("add domain " + domain, host -> host.addDomain(domain));
                case 6 -> happen("deconfigure " + adapter, host -> host.deconfigureCard(adapter));
                case 7 -> happen("configure " + adapter, host -> host.configureCard(adapter));
                case 8 ->
                    happen("break and repair " + adapter, host -> {
                        if (host.read().adapters().stream()
                                .anyMatch(card -> card.adapter() == adapter && card.checkstopped())) {
                            host.repairCard(adapter);
                        } else {
                            host.breakCard(adapter);
                        }
                    });
                case 9 -> happen("remove queue " + queue, host -> host.removeQueue(queue));
                default -> happen("restore queue " + queue, host -> host.restoreQueue(queue));
            };
        }

        private @Nullable String byHand(UUID mdev, Queue queue) {
            Matrix matrix = new Matrix(some(ADAPTERS), some(DOMAINS), some(DOMAINS));
            return switch (random.nextInt(4)) {
                case 0 -> happen("edit " + mdev + matrix, host -> host.edit(mdev, matrix));
                case 1 -> happen("override " + queue, host -> host.override(queue, "nosuchdriver\n"));
                case 2 -> happen("clear override " + queue, host -> host.override(queue, "\n"));
                default ->
                    happen(
                            "apmask",
                            host -> host.writeApmask(ApMask.ALL.without(1).toString()));
            };
        }

        /** Through the port on both sides. */
        private @Nullable String write(String what, Write write) {
            story += "\n" + what;
            int before = files.writes.size();
            String expected = errno(() -> write.to(direct));
            assertThat(errno(() -> write.to(kernel))).as(story).isEqualTo(expected);
            assertThat(files.writes.subList(before, files.writes.size()))
                    .as("%s: more than one write", story)
                    .hasSizeLessThan(2);
            return expected;
        }

        /** To both hosts alike, without the agent. */
        private @Nullable String happen(String what, Event event) {
            story += "\n" + what;
            String expected = errno(() -> event.at(direct));
            assertThat(errno(() -> event.at(behind))).as(story).isEqualTo(expected);
            return expected;
        }

        private interface Try {
            void run() throws KernelRefusal;
        }

        private static @Nullable String errno(Try tried) {
            try {
                tried.run();
                return null;
            } catch (KernelRefusal refusal) {
                return refusal.errno();
            }
        }

        private void compare() throws KernelRefusal {
            ObservedHost expected = direct.read();
            ObservedHost read = kernel.read();
            assertThat(read).as(story).usingRecursiveComparison().isEqualTo(ofBoot(expected));
            UUID mdev = mdev();
            assertThat(kernel.guestOf(mdev)).as(story).isEqualTo(ofBoot(direct.guestOf(mdev)));
            assertThat(commitsBehind).as(story).isEqualTo(directCommits);
        }

        /** As it would be in the other host's boot, with mdevs in the order of their names. */
        private ObservedHost ofBoot(ObservedHost host) {
            List<ObservedMdev> mdevs = Objects.requireNonNull(host.mdevs()).stream()
                    .map(mdev -> new ObservedMdev(
                            mdev.uuid(), mdev.own(), mdev.assigned(), mdev.guestMatrix(), ofBoot(mdev.guest())))
                    .sorted(Comparator.comparing(ObservedMdev::uuid))
                    .toList();
            return new ObservedHost(
                    host.kernelRelease(),
                    host.features(),
                    host.maxAdapter(),
                    host.maxDomain(),
                    host.hostConfiguration(),
                    host.masks(),
                    host.keep(),
                    host.adapters(),
                    mdevs,
                    host.definitions(),
                    host.applied());
        }

        private @Nullable ObservedGuest ofBoot(@Nullable ObservedGuest guest) {
            return guest == null || guest.identity() == null
                    ? guest
                    : new ObservedGuest(guest.identity().replace(direct.bootId(), behind.bootId()), guest.name(), null);
        }

        private UUID mdev() {
            int number = random.nextInt(3);
            return new UUID(number, number);
        }

        private int any(int[] numbers) {
            return numbers[random.nextInt(numbers.length)];
        }

        private ApMask some(int[] numbers) {
            ApMask mask = ApMask.NONE;
            for (int number : numbers) {
                mask = random.nextBoolean() ? mask.with(number) : mask;
            }
            return mask;
        }
    }
}
