package io.apportion.agent.sysfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.apportion.agent.AgentMemory.Made;
import io.apportion.agent.AgentMemory.Remembered;
import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.Reservation;
import io.apportion.fuse.FileTree;
import io.apportion.fuse.MountedTree;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.DesiredHost.DesiredDriver;
import io.apportion.wire.DesiredHost.DesiredMdev;
import io.apportion.wire.ObservedHost.ObjectResult;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

class StateFileTests {

    private static final Logger LOG = (Logger) LoggerFactory.getLogger(StateFile.class);

    private static final UUID A = new UUID(0, 0xa);
    private static final Matrix MATRIX = new Matrix(ApMask.of(4, 5), ApMask.of(4, 0x47), ApMask.of(0x47));

    private static final DesiredHost DESIRED = new DesiredHost(
            "lpar1",
            new UUID(1, 1),
            118,
            false,
            BindingMode.MASKS,
            new Reservation(ApMask.ALL.without(4), ApMask.ALL),
            2,
            List.of(new DesiredDriver(Queue.parse("05.0047"), QueueDriver.VFIO_AP, 1)),
            List.of(
                    new DesiredMdev(A, MATRIX, MATRIX, "boot:17:4711", false, 3),
                    new DesiredMdev(new UUID(0, 0xb), Matrix.EMPTY, Matrix.EMPTY, null, true, 0)));

    private static final Remembered REMEMBERED = new Remembered(
            "boot",
            DESIRED,
            new Made(DESIRED, List.of(new ObjectResult("mdev", A.toString(), "EBUSY", "Ø \"held\""))),
            Map.of(A, 3, new UUID(0, 0xb), 0),
            Set.of(A));

    @TempDir
    private Path folder;

    private Path path;
    private StateFile file;

    @BeforeEach
    void open() {
        LOG.setLevel(Level.OFF);
        path = folder.resolve("var/state.json");
        file = new StateFile(path);
    }

    @AfterEach
    void logAsBefore() {
        LOG.setLevel(null);
    }

    @Test
    void knowsAgainWhatItWasTold() {
        assertThat(file.recall()).isEqualTo(Remembered.NOTHING);
        file.remember(REMEMBERED);
        assertThat(new StateFile(path).recall()).isEqualTo(REMEMBERED);
        Remembered unmanaged = new Remembered(
                "boot",
                new DesiredHost(
                        "lpar1", new UUID(1, 1), 119, true, BindingMode.OVERRIDE, null, 0, List.of(), List.of()),
                null,
                Map.of(),
                Set.of());
        file.remember(unmanaged);
        assertThat(new StateFile(path).recall()).isEqualTo(unmanaged);
        file.remember(Remembered.NOTHING);
        assertThat(new StateFile(path).recall()).isEqualTo(Remembered.NOTHING);
        assertThat(names()).containsExactly("state.json");
    }

    @Test
    void isForItsOwnerAlone() throws IOException {
        file.remember(REMEMBERED);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                .isEqualTo("rw-------");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path.getParent())))
                .isEqualTo("rwx------");
    }

    @Test
    void keepsAsideWhatIsTornWhereverItIsTorn() throws IOException {
        file.remember(REMEMBERED);
        byte[] whole = Files.readAllBytes(path);
        for (int length = 0; length < whole.length; length++) {
            byte[] torn = new byte[length];
            System.arraycopy(whole, 0, torn, 0, length);
            isKeptAside(torn);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\0\0\0\0",
                "null",
                "[]",
                "{}",
                "\"state\"",
                "{\"format\":1}",
                "{\"format\":1,\"remembered\":null}",
                "{\"remembered\":{\"own\":{},\"created\":[]}}",
                "{\"format\":\"1\",\"remembered\":{\"own\":{\"x\":0},\"created\":[]}}",
                "{\"format\":1,\"remembered\":{\"own\":{\"00000000-0000-0000-0000-00000000000a\":null},\"created\":[]}}",
                "{\"format\":1,\"remembered\":{\"own\":{},\"created\":[]}}{}",
                // Of a newer agent: what else it says may mean anything.
                "{\"format\":2,\"remembered\":{\"own\":{},\"created\":[]}}",
                "{\"format\":2147483648}"
            })
    void keepsAsideWhatItDoesNotUnderstand(String content) throws IOException {
        Files.createDirectories(path.getParent());
        isKeptAside(content.getBytes(StandardCharsets.UTF_8));
    }

    private void isKeptAside(byte[] content) throws IOException {
        Files.write(path, content);
        assertThatThrownBy(() -> StateFile.read(path)).isInstanceOf(IOException.class);
        assertThat(path).as("to look changes nothing").hasBinaryContent(content);
        assertThat(file.recall()).isEqualTo(Remembered.NOTHING);
        assertThat(path).doesNotExist();
        Path aside = path.resolveSibling(names().getFirst());
        assertThat(aside).hasBinaryContent(content);
        Files.delete(aside);
    }

    @Test
    void saysThatItIsOfANewerAgent() throws IOException {
        Files.createDirectories(path.getParent());
        Files.writeString(path, "{\"format\":7,\"remembered\":{}}");
        assertThatThrownBy(() -> StateFile.read(path))
                .hasMessage(path + " is not understood: it is of a newer agent: format 7, and this one knows only 1");
    }

    /** A start without what it says would take all mdevs for foreign, and forget them with the next thing remembered. */
    @Test
    void putsNothingAsideThatItCouldNotRead() throws IOException {
        AtomicBoolean broken = new AtomicBoolean(true);
        byte[] torn = "{\"format\":1,".getBytes(StandardCharsets.UTF_8);
        FileTree disk = new FileTree() {
            @Override
            public List<String> names(String folder) {
                return List.of("state.json");
            }

            @Override
            public @Nullable Node at(String name) {
                return switch (name) {
                    case "" -> new Folder(names(name));
                    case "state.json" ->
                        new Attribute(
                                () -> {
                                    if (broken.get()) {
                                        throw new Refusal("EIO");
                                    }
                                    return new String(torn, StandardCharsets.UTF_8);
                                },
                                null);
                    default -> null;
                };
            }
        };
        try (MountedTree mounted = new MountedTree(disk)) {
            Path there = mounted.root().resolve("state.json");
            assertThatThrownBy(new StateFile(there)::recall)
                    .isInstanceOf(UncheckedIOException.class)
                    .hasMessageStartingWith(there + " cannot be read: ");
            broken.set(false);
            assertThatThrownBy(new StateFile(there)::recall)
                    .as("read now, not understood, and not to be moved: nobody writes over it")
                    .hasMessageContaining("cannot be put aside");
        }
        Files.createDirectories(path);
        assertThatThrownBy(file::recall).hasMessageContaining("cannot be read");
        assertThat(names()).containsExactly("state.json");
    }

    @Test
    void neverWritesOverWhatWasKeptAside() throws IOException {
        StateFile stopped = new StateFile(path, Clock.fixed(Instant.parse("2026-11-22T10:00:00Z"), ZoneOffset.UTC));
        Files.createDirectories(path.getParent());
        Files.writeString(path, "first");
        stopped.recall();
        Files.writeString(path, "second");
        assertThatThrownBy(stopped::recall).isInstanceOf(UncheckedIOException.class);
        assertThat(path).hasContent("second");
        assertThat(path.resolveSibling("state.json.aside-2026-11-22T10-00-00Z")).hasContent("first");
    }

    @Test
    void whatWasBeingWrittenAtItsDeathIsNothing() throws IOException {
        file.remember(REMEMBERED);
        Files.writeString(path.resolveSibling("state.json.next"), "{\"format\":1,\"remem");
        StateFile after = new StateFile(path);
        assertThat(after.recall()).isEqualTo(REMEMBERED);
        after.remember(Remembered.NOTHING);
        assertThat(after.recall()).isEqualTo(Remembered.NOTHING);
        assertThat(names()).containsExactly("state.json");
    }

    @Test
    void staysAsItIsWhereNothingCanBeStored() throws IOException {
        file.remember(REMEMBERED);
        // A folder that is not empty, in the way: root may write wherever it likes.
        Files.createDirectories(path.resolveSibling("state.json.next").resolve("x"));
        assertThatThrownBy(() -> file.remember(Remembered.NOTHING))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining(path.toString());
        assertThat(file.recall()).isEqualTo(REMEMBERED);
    }

    private List<String> names() {
        try (Stream<Path> files = Files.list(path.getParent())) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }
}
