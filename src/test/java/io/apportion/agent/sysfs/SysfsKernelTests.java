package io.apportion.agent.sysfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.simulator.Card;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedHostBuilder;
import io.apportion.simulator.SimulatedSysfs;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Features;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.AnnotatedElementContext;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.io.TempDirFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** What may go wrong with the files of a host. */
class SysfsKernelTests {

    private static final Logger LOG = (Logger) LoggerFactory.getLogger(SysfsKernel.class);

    private static final UUID FIRST = new UUID(1, 1);
    private static final UUID SECOND = new UUID(2, 2);
    private static final Queue QUEUE = new Queue(5, 0x47);

    @TempDir
    Path locks;

    private SimulatedHost host;
    private SimulatedSysfs files;
    private SysfsKernel kernel;

    private final ListAppender<ILoggingEvent> log = new ListAppender<>();

    @BeforeEach
    void open() throws IOException {
        log.start();
        LOG.setLevel(Level.INFO);
        LOG.addAppender(log);
        use(builder -> builder.cards(4, 5).domains(4, 0x47).allForGuests(), Duration.ofSeconds(20));
    }

    private void use(UnaryOperator<SimulatedHostBuilder> kind, Duration remove) throws IOException {
        host = kind.apply(SimulatedHost.builder()).build();
        files = new SimulatedSysfs(host);
        kernel = SysfsKernel.open(files.settings(locks, remove));
    }

    private void useInstead(UnaryOperator<SimulatedHostBuilder> kind, Duration remove) throws IOException {
        close();
        use(kind, remove);
    }

    @AfterEach
    void close() throws IOException {
        LOG.detachAppender(log);
        LOG.setLevel(null);
        kernel.close();
        files.close();
    }

    private static Matrix matrix(ApMask adapters, ApMask domains) {
        return new Matrix(adapters, domains, ApMask.NONE);
    }

    private ObservedMdev mdev(UUID uuid) {
        return Objects.requireNonNull(kernel.read().mdevs()).stream()
                .filter(mdev -> mdev.uuid().equals(uuid))
                .findFirst()
                .orElseThrow();
    }

    private interface Write {
        void run() throws KernelRefusal;
    }

    private static @Nullable String errno(Write write) {
        KernelRefusal refusal = catchThrowableOfType(KernelRefusal.class, write::run);
        return refusal == null ? null : refusal.errno();
    }

    // Writes.

    private List<Write> everyWrite() {
        return List.of(
                () -> kernel.create(SECOND),
                () -> kernel.remove(FIRST),
                () -> kernel.configure(FIRST, Matrix.EMPTY),
                () -> kernel.assignAdapter(FIRST, 4),
                () -> kernel.unassignAdapter(FIRST, 4),
                () -> kernel.assignDomain(FIRST, 4),
                () -> kernel.unassignDomain(FIRST, 4),
                () -> kernel.assignControlDomain(FIRST, 4),
                () -> kernel.unassignControlDomain(FIRST, 4),
                () -> kernel.unbind(QUEUE),
                () -> kernel.bind(QUEUE, true),
                () -> kernel.override(QUEUE, true),
                () -> kernel.changeApmask(ApMask.of(5), true),
                () -> kernel.changeAqmask(ApMask.of(5), false));
    }

    @ParameterizedTest
    @ValueSource(strings = {"EBUSY", "EADDRINUSE", "EADDRNOTAVAIL", "ENODEV", "EINVAL", "EIO", "EEXIST", "EUSERS"})
    void namesTheErrnoOfEachWrite(String errno) throws KernelRefusal {
        kernel.create(FIRST);
        ObservedHost before = kernel.read();
        files.writes.clear();
        files.refusal = (path, text) -> errno;
        for (Write write : everyWrite()) {
            int tried = files.writes.size();
            KernelRefusal refusal = catchThrowableOfType(KernelRefusal.class, write::run);
            assertThat(refusal.errno()).isEqualTo(errno);
            // One write for one value, never tried again by itself, and people are told which.
            assertThat(files.writes).hasSize(tried + 1);
            assertThat(refusal).hasMessageContaining(files.writes.getLast().split(" ")[0]);
        }
        assertThat(kernel.read()).isEqualTo(before);
        assertThat(locks.resolve("s390apconfig.lock")).doesNotExist();
    }

    @Test
    void writesUnderTheLockOfS390Tools() throws KernelRefusal {
        kernel.create(FIRST);
        List<String> held = new ArrayList<>();
        files.refusal = (path, text) -> {
            try {
                held.add(Files.readString(locks.resolve("s390apconfig.lock")));
            } catch (IOException none) {
                held.add("nobody");
            }
            return "EIO";
        };
        everyWrite().forEach(SysfsKernelTests::errno);
        assertThat(held).hasSize(14).containsOnly(ProcessHandle.current().pid() + "\n");
        assertThat(locks.resolve("s390apconfig.lock")).doesNotExist();
    }

    @Test
    void leavesOneLineInTheLogForEachChange() throws KernelRefusal {
        kernel.create(FIRST);
        kernel.assignDomain(FIRST, 0x47);
        kernel.changeApmask(ApMask.of(10, 11), true);
        errno(() -> kernel.create(FIRST));
        kernel.read();
        assertThat(log.list.stream()
                        .filter(event -> event.getLevel().isGreaterOrEqual(Level.INFO))
                        .map(event -> event.getFormattedMessage().replaceAll(" to /\\S*/sys/", " to ")))
                .containsExactly(
                        "write \"" + FIRST
                                + "\" to devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create",
                        "write \"0x0047\" to devices/vfio_ap/matrix/" + FIRST + "/assign_domain",
                        "write \"+0x0a-0x0b\" to bus/ap/apmask");
    }

    @Test
    void writesNoEmptyMask() throws KernelRefusal {
        kernel.changeApmask(ApMask.NONE, true);
        kernel.changeAqmask(ApMask.NONE, false);
        assertThat(files.writes).isEmpty();
    }

    @Test
    void writesNothingWhenOpenedToRead() throws IOException {
        try (SysfsKernel looking = SysfsKernel.openToRead(files.settings(locks))) {
            assertThat(looking.read()).isEqualTo(kernel.read());
            assertThatExceptionOfType(IllegalStateException.class).isThrownBy(() -> looking.create(FIRST));
            assertThatExceptionOfType(IllegalStateException.class)
                    .isThrownBy(() -> looking.changeApmask(ApMask.of(5), true));
        }
        assertThat(files.writes).isEmpty();
    }

    @Test
    void isTheOnlyOneOfItsHost() throws IOException {
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> SysfsKernel.open(files.settings(locks)))
                .withMessageContaining("Another agent");
        kernel.close();
        kernel = SysfsKernel.open(files.settings(locks));
    }

    // An mdev that somebody has.

    @Test
    void neverRemovesAnMdevInUse() throws KernelRefusal {
        kernel.create(FIRST);
        host.openGuest("vm17", FIRST);
        files.writes.clear();
        assertThat(errno(() -> kernel.remove(FIRST))).isEqualTo("EBUSY");
        assertThat(files.writes).isEmpty();
        host.closeGuest("vm17");
        kernel.remove(FIRST);
        assertThat(kernel.read().mdevs()).isEmpty();
    }

    @Test
    void doesNotHangWithARemoval() throws Exception {
        useInstead(builder -> builder.cards(4, 5).domains(4, 0x47).allForGuests(), Duration.ofMillis(300));
        kernel.create(FIRST);
        kernel.create(SECOND);
        kernel.configure(FIRST, matrix(ApMask.of(4), ApMask.of(4)));
        files.refusal = (path, text) -> {
            if (path.endsWith("remove")) { // between the look and the write
                try {
                    host.openGuest("vm17", FIRST);
                } catch (KernelRefusal alreadyOpen) {
                    throw new IllegalStateException(alreadyOpen);
                }
            }
            return null;
        };
        assertThat(errno(() -> kernel.remove(FIRST))).isEqualTo("ETIMEDOUT");
        assertThat(locks.resolve("s390apconfig.lock")).doesNotExist();
        files.refusal = (path, text) -> null;

        // It is left alone, and everything else is not.
        int written = files.writes.size();
        assertThat(errno(() -> kernel.assignAdapter(FIRST, 5))).isEqualTo("EBUSY");
        assertThat(errno(() -> kernel.remove(FIRST))).isEqualTo("EBUSY");
        assertThat(files.writes).hasSize(written);
        kernel.configure(SECOND, matrix(ApMask.of(5), ApMask.of(4)));
        assertThat(mdev(SECOND).assigned()).isEqualTo(matrix(ApMask.of(5), ApMask.of(4)));

        // As on a real host: the folder stays, and says nothing but who has it.
        ObservedMdev leaving = mdev(FIRST);
        assertThat(leaving.assigned()).isNull();
        assertThat(leaving.guestMatrix()).isNull();
        assertThat(Objects.requireNonNull(leaving.guest()).name()).isEqualTo("vm17");

        host.closeGuest("vm17");
        await().until(() -> Objects.requireNonNull(kernel.read().mdevs()).size() == 1);
        await().until(() -> errno(() -> kernel.create(FIRST)) == null);
    }

    @Test
    void claimsNothingOfGuestsWhereAProcessIsHidden() throws KernelRefusal {
        kernel.create(FIRST);
        kernel.create(SECOND);
        kernel.configure(FIRST, matrix(ApMask.of(4), ApMask.of(4)));
        kernel.configure(SECOND, matrix(ApMask.of(5), ApMask.of(4)));
        host.openGuest("vm17", FIRST);
        files.hidesAProcess = true;

        assertThat(kernel.read().features()).isEqualTo(new Features(true, true, false));
        assertThat(Objects.requireNonNull(mdev(FIRST).guest()).name()).isEqualTo("vm17");
        assertThat(mdev(SECOND).guest()).isNull();
        assertThat(kernel.guestOf(SECOND)).isNull();
        // Then the kernel's own word is all there is.
        assertThat(errno(() -> kernel.remove(FIRST))).isEqualTo("EBUSY");
        kernel.remove(SECOND);
    }

    @Test
    void looksForWhoeverTheKernelSaysIsThere() throws KernelRefusal {
        kernel.create(FIRST);
        kernel.configure(FIRST, matrix(ApMask.of(4), ApMask.of(4)));
        host.openGuest("vm17", FIRST);
        files.hidesGuests = true;
        assertThat(mdev(FIRST).guest()).isNull();
        assertThat(errno(() -> kernel.remove(FIRST))).isEqualTo("EBUSY");
        files.hidesGuests = false;
        assertThat(Objects.requireNonNull(mdev(FIRST).guest()).name()).isEqualTo("vm17");
    }

    /** A guest that opens the mdev while the agent waits for the lock is seen before the write. */
    @Test
    void looksWhoHasAnMdevAfterItHasTheLock() throws Exception {
        kernel.create(FIRST);
        files.writes.clear();
        Process other = new ProcessBuilder("cat").start();
        try {
            Files.writeString(locks.resolve("s390apconfig.lock"), other.pid() + "\n");
            var removal =
                    CompletableFuture.supplyAsync(() -> Objects.requireNonNull(errno(() -> kernel.remove(FIRST))));
            Path wanted =
                    locks.resolve("s390apconfig.lock." + ProcessHandle.current().pid());
            await().until(() -> Files.exists(wanted));
            host.openGuest("vm17", FIRST);
            other.destroyForcibly().onExit().join();
            assertThat(removal.get(1, TimeUnit.MINUTES)).isEqualTo("EBUSY");
            assertThat(files.writes).isEmpty();
        } finally {
            other.destroyForcibly();
        }
    }

    @Test
    void waitsForNobodyWhileOthersAreKeptOut() throws Exception {
        Path lock = locks.resolve("s390apconfig.lock");
        try (var alone = kernel.exclude()) {
            assertThat(alone.waited()).isFalse();
            assertThat(lock).exists();
            kernel.create(FIRST);
            kernel.configure(FIRST, matrix(ApMask.of(4), ApMask.of(4)));
            assertThat(lock).exists();
        }
        assertThat(lock).doesNotExist();
        Files.writeString(lock, "4194305\n"); // nobody's: above the highest number of a process
        try (var alone = kernel.exclude()) {
            assertThat(alone.waited()).isTrue();
        }
        assertThat(lock).doesNotExist();
    }

    @Test
    void leavesNoLineThatCallsARefusedChangeMade() throws KernelRefusal {
        kernel.create(FIRST);
        LOG.setLevel(Level.DEBUG);
        files.refusal = (path, text) -> "EADDRINUSE";
        log.list.clear();
        errno(() -> kernel.assignDomain(FIRST, 0x47));
        assertThat(log.list)
                .extracting(
                        ILoggingEvent::getLevel,
                        event -> event.getFormattedMessage().replaceAll(" to /\\S*/sys/", " to "))
                .containsExactly(tuple(
                        Level.DEBUG,
                        "write \"0x0047\" to devices/vfio_ap/matrix/" + FIRST + "/assign_domain: EADDRINUSE"));
    }

    // Reading.

    @Test
    void readsAGuestMatrixOfWhichTheKernelCutTheEnd() throws Exception {
        int[] numbers = IntStream.range(0, 24).toArray();
        useInstead(builder -> builder.cards(numbers).domains(numbers).allForGuests(), Duration.ofSeconds(20));
        Matrix matrix = matrix(ApMask.of(numbers), ApMask.of(numbers));
        kernel.create(FIRST);
        kernel.configure(FIRST, matrix);
        assertThat(mdev(FIRST).assigned()).isEqualTo(matrix);
        // Without a guest nothing tells the rest.
        assertThat(mdev(FIRST).guestMatrix()).isNull();

        host.openGuest("vm17", FIRST);
        assertThat(mdev(FIRST).guestMatrix()).isEqualTo(matrix);
        host.unbind(new Queue(23, 3));
        Matrix less = matrix(ApMask.of(numbers).without(23), ApMask.of(numbers));
        assertThat(host.guestMatrix(FIRST)).isEqualTo(less);
        assertThat(mdev(FIRST).guestMatrix()).isEqualTo(less);
        assertThat(mdev(FIRST).assigned()).isEqualTo(matrix);
    }

    @Test
    void doesNotGuessAMatrixOfWhichTheKernelCutTheEnd() throws Exception {
        int[] numbers = IntStream.range(0, 24).toArray();
        useInstead(
                builder ->
                        builder.cards(numbers).domains(numbers).allForGuests().withoutApConfig(),
                Duration.ofSeconds(20));
        kernel.create(FIRST);
        host.edit(FIRST, matrix(ApMask.of(numbers), ApMask.of(numbers)));
        assertThat(mdev(FIRST).assigned()).isNull();
        kernel.unassignDomain(FIRST, 3);
        kernel.unassignDomain(FIRST, 4);
        kernel.unassignDomain(FIRST, 5);
        assertThat(mdev(FIRST).assigned())
                .isEqualTo(matrix(ApMask.of(numbers), ApMask.of(numbers).minus(ApMask.of(3, 4, 5))));
    }

    /** A card goes away just before any one of the files that are read. */
    @Test
    void survivesACardThatVanishesMeanwhile() throws Exception {
        kernel.create(FIRST);
        kernel.configure(FIRST, matrix(ApMask.of(4, 5), ApMask.of(4)));
        host.openGuest("vm17", FIRST);
        List<String> paths = new ArrayList<>();
        files.readFailure = path -> {
            paths.add(path);
            return null;
        };
        ObservedHost whole = kernel.read();
        assertThat(paths).hasSizeGreaterThan(30);
        paths.removeIf(path -> path.startsWith("proc/"));
        for (String path : Set.copyOf(paths)) {
            AtomicReference<@Nullable Boolean> gone = new AtomicReference<>();
            files.readFailure = next -> {
                if (next.equals(path) && gone.compareAndSet(null, true)) {
                    host.removeCard(5);
                    return next.contains("card05") ? "ENODEV" : null;
                }
                return null;
            };
            ObservedHost read = kernel.read();
            assertThat(gone).as(path).hasValue(true);
            List<ObservedAdapter> adapters = Objects.requireNonNull(read.adapters());
            assertThat(adapters.getFirst())
                    .as(path)
                    .isEqualTo(Objects.requireNonNull(whole.adapters()).getFirst());
            for (ObservedAdapter adapter : adapters.subList(1, adapters.size())) {
                assertThat(adapter.adapter()).as(path).isEqualTo(5);
                assertThat(adapter.bound().isIn(adapter.devices())).as(path).isTrue();
            }
            if (path.contains("card05")) {
                assertThat(adapters).as(path).hasSize(1);
            }
            ObservedMdev mdev = Objects.requireNonNull(read.mdevs()).getFirst();
            assertThat(mdev.assigned()).as(path).isEqualTo(matrix(ApMask.of(4, 5), ApMask.of(4)));
            assertThat(Objects.requireNonNull(mdev.guest()).name()).isEqualTo("vm17");

            files.readFailure = any -> null;
            assertThat(kernel.read().adapters()).as(path).hasSize(1);
            host.addCard(new Card(5, "CEX8P", "EP11-Coproc", "93AADH05"));
            assertThat(kernel.read()).as(path).isEqualTo(whole);
        }
    }

    /** What cannot be read is unknown, and only that. */
    @Test
    void saysOnlyOfWhatItCannotReadThatItIsUnknown() throws KernelRefusal {
        kernel.create(FIRST);
        kernel.configure(FIRST, matrix(ApMask.of(4), ApMask.of(4)));
        ObservedHost whole = kernel.read();
        Set<String> paths = new HashSet<>();
        files.readFailure = path -> {
            paths.add(path);
            return null;
        };
        kernel.read();
        for (String path : paths) {
            files.readFailure = next -> next.equals(path) ? "EIO" : null;
            ObservedHost read = kernel.read();
            String file = path.substring(path.lastIndexOf('/') + 1);
            boolean card = path.contains("/card0") && !file.equals("status");
            boolean mdev = path.contains(FIRST.toString());
            boolean mdevs = file.equals("features");
            assertThat(read.adapters()).as(path).isEqualTo(card ? null : whole.adapters());
            assertThat(read.masks()).as(path).isEqualTo(file.matches("a[pq]mask") ? null : whole.masks());
            assertThat(read.hostConfiguration())
                    .as(path)
                    .isEqualTo(file.matches("ap_(adapter|.*domain)_mask") ? null : whole.hostConfiguration());
            assertThat(read.features()).as(path).isEqualTo(whole.features());
            if (mdevs) {
                assertThat(read.mdevs()).as(path).isNull();
            } else if (mdev) {
                ObservedMdev unknown = Objects.requireNonNull(read.mdevs()).getFirst();
                assertThat(unknown.assigned()).as(path).isNull();
                assertThat(unknown.guestMatrix()).as(path).isNull();
            } else if (!file.equals("status")) {
                assertThat(read.mdevs()).as(path).isEqualTo(whole.mdevs());
            }
        }
        files.readFailure = path -> null;
        assertThat(kernel.read()).isEqualTo(whole);
    }

    @Test
    void findsNothingWhereThereIsNothing(@TempDir Path empty) throws IOException {
        SysfsSettings real = files.settings(locks);
        try (SysfsKernel nothing = SysfsKernel.openToRead(new SysfsSettings(
                empty,
                real.proc(),
                real.dev(),
                real.machineId(),
                real.definitions(),
                real.apLock(),
                real.agentLock(),
                SysfsSettings.Timings.DEFAULT))) {
            ObservedHost read = nothing.read();
            assertThat(read.adapters()).isNull();
            assertThat(read.mdevs()).isNull();
            assertThat(read.masks()).isNull();
            assertThat(read.hostConfiguration()).isNull();

            // Cards, but no vfio_ap.
            Files.createDirectories(empty.resolve("bus/ap/devices"));
            read = nothing.read();
            assertThat(read.adapters()).isEmpty();
            assertThat(read.mdevs()).isEmpty();
            assertThat(read.features()).isEqualTo(new Features(false, false, true));
        }
    }

    /** A folder in memory, where there is one: 65792 files on a slow disk take their time. */
    static final class InMemory implements TempDirFactory {
        @Override
        public Path createTempDirectory(AnnotatedElementContext element, ExtensionContext context) throws IOException {
            Path memory = Path.of("/dev/shm");
            return Files.isWritable(memory)
                    ? Files.createTempDirectory(memory, "host")
                    : Files.createTempDirectory("host");
        }
    }

    /**
     * 65536 queues, all of vfio_ap. One folder serves as every list of them, and there are no attributes: it is their number
     * that counts.
     */
    @Test
    void readsTheLargestHost(@TempDir(factory = InMemory.class) Path sys) throws IOException {
        Path devices = Files.createDirectories(sys.resolve("bus/ap/devices"));
        Path cards = Files.createDirectories(sys.resolve("devices/ap"));
        Files.createSymbolicLink(
                Files.createDirectories(sys.resolve("bus/ap/drivers")).resolve("vfio_ap"), devices);
        for (int adapter = 0; adapter < 256; adapter++) {
            String card = "card%02x".formatted(adapter);
            Files.createFile(devices.resolve(card));
            Files.createSymbolicLink(cards.resolve(card), devices);
            for (int domain = 0; domain < 256; domain++) {
                Files.createFile(devices.resolve(new Queue(adapter, domain).toString()));
            }
        }
        SysfsSettings real = files.settings(locks);
        try (SysfsKernel large = SysfsKernel.openToRead(new SysfsSettings(
                sys,
                real.proc(),
                real.dev(),
                real.machineId(),
                real.definitions(),
                real.apLock(),
                real.agentLock(),
                SysfsSettings.Timings.DEFAULT))) {
            List<ObservedAdapter> adapters = Objects.requireNonNull(large.read().adapters());
            assertThat(adapters).hasSize(256).allSatisfy(adapter -> {
                assertThat(adapter.devices()).isEqualTo(ApMask.ALL);
                assertThat(adapter.bound()).isEqualTo(ApMask.ALL);
                assertThat(adapter.defaultDriver()).isEqualTo(ApMask.NONE);
            });
            assertThat(adapters.stream().map(ObservedAdapter::adapter))
                    .isSorted()
                    .startsWith(0, 1)
                    .endsWith(255);
        }
    }

    @Test
    void readsQueuesBetweenTwoDrivers() throws Exception {
        // Listed by one driver, and moved to the other before that one is listed: in both lists, or in none.
        for (boolean toVfioAp : List.of(true, false)) {
            useInstead(builder -> builder.cards(4).domains(4, 0x47), Duration.ofSeconds(20));
            if (!toVfioAp) {
                host.writeApmask("0x00");
            }
            List<String> listed = new ArrayList<>();
            files.beforeListing = path -> {
                if (path.endsWith("drivers/vfio_ap") || path.endsWith("drivers/cex4queue")) {
                    listed.add(path);
                    if (listed.size() == 2) {
                        try {
                            host.writeApmask(toVfioAp ? "-4" : "+4");
                        } catch (KernelRefusal refusal) {
                            throw new IllegalStateException(refusal);
                        }
                    }
                }
            };
            ObservedAdapter card =
                    Objects.requireNonNull(kernel.read().adapters()).getFirst();
            assertThat(listed).hasSize(2);
            assertThat(card.bound()).isEqualTo(toVfioAp ? ApMask.of(4, 0x47) : ApMask.NONE);
            assertThat(card.defaultDriver()).isEqualTo(toVfioAp ? ApMask.NONE : ApMask.of(4, 0x47));
        }
    }

    // The host itself.

    @Test
    void knowsTheMachineAndTheBoot(@TempDir Path proc) throws IOException {
        assertThat(kernel.bootId()).isEqualTo(host.bootId());
        assertThat(kernel.machineId()).isEqualTo(host.machineId());

        Files.createDirectories(proc.resolve("sys/kernel/random"));
        Files.writeString(proc.resolve("sys/kernel/random/boot_id"), "boot\n");
        Files.writeString(proc.resolve("sys/kernel/osrelease"), "7.2.13\n");
        Files.writeString(proc.resolve("sysinfo"), """
            Manufacturer:         IBM
            Type:                 8561
            LIC Identifier:       1a2b3c4d5e6f7081
            Model:                703              T01
            Sequence Code:        000000000004F4D8
            Plant:                51
            CPUs Total:           190

            LPAR Number:          12
            LPAR Characteristics: Shared
            LPAR Name:            LPAR12
            """);
        SysfsSettings real = files.settings(locks);
        try (SysfsKernel onZ = SysfsKernel.openToRead(new SysfsSettings(
                real.sys(),
                proc,
                real.dev(),
                real.machineId(),
                real.definitions(),
                real.apLock(),
                real.agentLock(),
                SysfsSettings.Timings.DEFAULT))) {
            assertThat(onZ.machineId()).isEqualTo(host.machineId() + "@8561-000000000004F4D8-12");
        }
    }

    @Test
    void waitsForTheBusToBindEverything() throws Exception {
        List<String> asked = new ArrayList<>();
        files.bindingsComplete = () -> asked.size() >= 3 ? "1\n" : "0\n";
        files.readFailure = path -> {
            asked.add(path);
            return null;
        };
        kernel.awaitBindings(Duration.ofMinutes(1));
        assertThat(asked).hasSize(3).containsOnly("sys/bus/ap/bindings_complete_count");
        // Not for ever; and not where no bus would tell.
        files.bindingsComplete = () -> "0\n";
        kernel.awaitBindings(Duration.ZERO);
        files.readFailure = path -> "ENOENT";
        kernel.awaitBindings(Duration.ofDays(1));
    }
}
