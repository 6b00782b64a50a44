package io.apportion.agent.sysfs;

import io.apportion.agent.AgentMemory;
import io.apportion.wire.WireFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.temporal.ChronoUnit;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * What the agent knows, in one file of JSON that is replaced whole: after the death of the process or of the machine at any
 * moment, it holds what was remembered last, or what is just being remembered.
 *
 * <p>A file that cannot be understood is never written over. It is put aside, and the agent goes on as one that knows
 * nothing: every mdev is foreign, and none is touched, until the server says which are Apportion's. One that merely cannot
 * be read is no such file: an agent that started without what it says would forget what is its own.
 */
public final class StateFile implements AgentMemory {

    private static final Logger LOG = LoggerFactory.getLogger(StateFile.class);

    /** Of what is written here. One more when an older agent would take the file for something else. */
    private static final int FORMAT = 1;

    private static final FileAttribute<?> OWNERS_FILE = permissions("rw-------");
    private static final FileAttribute<?> OWNERS_FOLDER = permissions("rwx------");

    private final Path file;
    private final Clock clock;

    /** The file was read, and says nothing that can be used. */
    static final class NotUnderstood extends IOException {
        private static final long serialVersionUID = 1L;

        NotUnderstood(String words) {
            super(words);
        }
    }

    private record Content(int format, Remembered remembered) {}

    public StateFile(Path file) {
        this(file, Clock.systemUTC());
    }

    /** @param clock names what is put aside */
    StateFile(Path file, Clock clock) {
        this.file = file.toAbsolutePath();
        this.clock = clock;
    }

    /**
     * To look only: the file stays as it is.
     *
     * @throws IOException with words for people, where it is there and cannot be read or understood
     */
    public static Remembered read(Path file) throws IOException {
        byte[] json;
        try {
            json = Files.readAllBytes(file);
        } catch (NoSuchFileException nothingYet) {
            return Remembered.NOTHING;
        } catch (IOException failure) {
            throw new IOException(file + " cannot be read: " + failure.getMessage(), failure);
        }
        try {
            return understood(json);
        } catch (JacksonException malformed) {
            throw new NotUnderstood(
                    file + " is not understood: it is no state of an agent (" + malformed.getOriginalMessage() + ")");
        } catch (NotUnderstood content) {
            throw new NotUnderstood(file + " is not understood: " + content.getMessage());
        }
    }

    private static Remembered understood(byte[] json) throws NotUnderstood {
        JsonNode tree = WireFormat.MAPPER.readTree(json);
        int format = tree.path("format").asInt(0);
        if (format > FORMAT) {
            throw new NotUnderstood("it is of a newer agent: format " + format + ", and this one knows only " + FORMAT);
        }
        Content content = WireFormat.MAPPER.treeToValue(tree, Content.class);
        if (content == null) {
            throw new NotUnderstood("it is empty");
        }
        return content.remembered();
    }

    /** @throws UncheckedIOException where it cannot be read, or is not understood and cannot be put aside */
    @Override
    public Remembered recall() {
        try {
            return read(file);
        } catch (NotUnderstood content) {
            Path aside = putAside();
            LOG.error(
                    "{}. It is kept as {}; until the server answers, this agent takes all mdevs for foreign",
                    content.getMessage(),
                    aside);
            return Remembered.NOTHING;
        } catch (IOException failure) {
            throw new UncheckedIOException(failure.getMessage(), failure);
        }
    }

    private Path putAside() {
        String now = clock.instant().truncatedTo(ChronoUnit.MILLIS).toString().replace(':', '-');
        Path aside = file.resolveSibling(file.getFileName() + ".aside-" + now);
        try {
            return Files.move(file, aside);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + " is not understood, and cannot be put aside", failure);
        }
    }

    /** @throws UncheckedIOException where it cannot be stored; then the file is as it was */
    @Override
    public void remember(Remembered remembered) {
        byte[] json = WireFormat.MAPPER.writeValueAsBytes(new Content(FORMAT, remembered));
        Path folder = file.getParent();
        Path next = file.resolveSibling(file.getFileName() + ".next");
        try {
            Files.createDirectories(folder, OWNERS_FOLDER);
            Files.deleteIfExists(next);
            store(next, json);
            Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
            try (FileChannel names = FileChannel.open(folder, StandardOpenOption.READ)) {
                names.force(true);
            }
        } catch (IOException failure) {
            throw new UncheckedIOException("the state of this agent cannot be stored in " + file, failure);
        }
    }

    private static void store(Path file, byte[] bytes) throws IOException {
        try (FileChannel channel =
                FileChannel.open(file, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), OWNERS_FILE)) {
            ByteBuffer left = ByteBuffer.wrap(bytes);
            while (left.hasRemaining()) {
                channel.write(left);
            }
            channel.force(true);
        }
    }

    private static FileAttribute<?> permissions(String text) {
        return PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(text));
    }
}
