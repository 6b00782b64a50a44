package io.apportion.agent.sysfs;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.wire.ObservedHost.ObservedGuest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real processes with real files open, in the real /proc. */
class HoldersTests {

    @TempDir
    Path folder;

    private Path device;
    private Holders holders;

    @BeforeEach
    void makeDevices() throws IOException {
        device = folder.resolve("vfio/3");
        Files.createDirectories(folder.resolve("vfio/devices"));
        Files.createFile(device);
        Files.createFile(folder.resolve("vfio/devices/vfio3"));
        Files.createFile(folder.resolve("kvm"));
        holders = new Holders(
                new SysfsSettings(
                        folder,
                        Path.of("/proc"),
                        folder,
                        folder,
                        folder,
                        folder,
                        folder,
                        new SysfsSettings.Timings(
                                Duration.ZERO, Duration.ZERO, Duration.ZERO, Duration.ZERO, Duration.ofHours(1))),
                "boot");
    }

    /** As far as that can be told here: a container may hide its first process even from root. */
    private @Nullable ObservedGuest nobody() {
        return holders.seesAll() ? ObservedGuest.NONE : null;
    }

    private @Nullable ObservedGuest holder(Path... nodes) throws IOException {
        holders.look(false);
        return holders.holder(List.of(nodes));
    }

    @Test
    void findsWhoeverHasTheGroupOpen() throws Exception {
        assertThat(holder(device)).isEqualTo(nobody());
        String uuid = "62177883-f1bb-47f0-914d-32a22e3a8804";
        try (var guest = new Guest(device, "-name", "guest=vm17,debug-threads=on", "-uuid", uuid)) {
            ObservedGuest found = holder(device);
            assertThat(found).isEqualTo(new ObservedGuest(guest.identity(), "vm17", UUID.fromString(uuid)));
            assertThat(holder(folder.resolve("vfio/4"))).isEqualTo(nobody());
        }
        assertThat(holder(device)).isEqualTo(nobody());
    }

    @Test
    void findsWhoeverHasTheMdevsOwnFileOpen() throws Exception {
        Path own = folder.resolve("vfio/devices/vfio3");
        try (var guest = new Guest(own, "-smp", "2")) {
            assertThat(holder(device, own)).isEqualTo(new ObservedGuest(guest.identity(), null, null));
        }
    }

    @Test
    void namesAnotherAttachDifferently() throws Exception {
        String first;
        try (var _ = new Guest(device, "-name", "vm17")) {
            first = holder(device).identity();
        }
        try (var _ = new Guest(device, "-name", "vm17")) {
            assertThat(holder(device).identity()).isNotEqualTo(first).isNotNull();
        }
    }

    @Test
    void knowsADeviceThatIsBeingRemoved() throws Exception {
        try (var guest = new Guest(device, "-name", "vm17")) {
            Files.delete(device);
            assertThat(holder(device)).isEqualTo(new ObservedGuest(guest.identity(), "vm17", null));
        }
    }

    @Test
    void takesNoOtherFileForTheDevice() throws Exception {
        Path elsewhere = Files.createDirectories(folder.resolve("home/vfio")).resolve("3");
        Files.createFile(elsewhere);
        try (var _ = new Guest(elsewhere, "-name", "vm17")) {
            assertThat(holder(device)).isEqualTo(nobody());
        }
    }

    /** A shell with that file open until it is closed. */
    private static final class Guest implements AutoCloseable {

        private final Process process;

        Guest(Path file, String... arguments) throws IOException {
            List<String> command =
                    new ArrayList<>(List.of("sh", "-c", "exec 7<\"$0\"; echo open; read end", file.toString()));
            command.addAll(List.of(arguments));
            process = new ProcessBuilder(command).start();
            process.inputReader().readLine();
        }

        String identity() throws IOException {
            String stat = Files.readString(Path.of("/proc/" + process.pid() + "/stat"));
            return "boot:" + process.pid() + ":" + stat.split(" ")[21];
        }

        @Override
        public void close() {
            process.destroyForcibly().onExit().join();
        }
    }
}
