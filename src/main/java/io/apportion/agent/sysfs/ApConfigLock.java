package io.apportion.agent.sysfs;

import io.apportion.agent.KernelRefusal;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * The lock of s390-tools: whoever has linked a file of his to that name has it, and the file holds his process number. A
 * file whose process is gone, or that says nothing for two minutes, is nobody's and is taken away. (libap of s390-tools,
 * ap_get_lock; older releases made an empty file.)
 *
 * <p>Not for two threads at once.
 */
final class ApConfigLock {

    private static final Duration SAYS_NOTHING = Duration.ofMinutes(2);
    private static final Duration STEP = Duration.ofMillis(20);

    private final Path file;
    private final Duration patience;
    private final long process = ProcessHandle.current().pid();

    /** Of the holder for whom all patience was spent: he is not waited for again. */
    private @Nullable FileTime spentOn;

    ApConfigLock(Path file, Duration patience) {
        this.file = file;
        this.patience = patience;
    }

    /**
     * @return whether somebody else had it meanwhile
     * @throws KernelRefusal EAGAIN: somebody has it for too long; or what making a file there is refused with
     */
    boolean take() throws KernelRefusal {
        Path own = file.resolveSibling(file.getFileName() + "." + process);
        try {
            Files.deleteIfExists(own);
            Files.writeString(own, process + "\n", StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            try {
                return link(own);
            } finally {
                Files.deleteIfExists(own);
            }
        } catch (NoSuchFileException failure) {
            throw new KernelRefusal("ENOENT", "no lock can be made at " + file);
        } catch (AccessDeniedException failure) {
            throw new KernelRefusal("EACCES", "no lock may be made at " + file);
        } catch (IOException failure) {
            throw new KernelRefusal("EIO", "no lock could be made: " + failure.getMessage());
        }
    }

    private boolean link(Path own) throws IOException, KernelRefusal {
        boolean waited = false;
        long end = System.nanoTime() + patience.toNanos();
        while (true) {
            try {
                Files.createLink(file, own);
                spentOn = null;
                return waited;
            } catch (FileAlreadyExistsException held) {
                waited = true;
                FileTime since = heldSince();
                if (since != null) {
                    if (since.equals(spentOn) || System.nanoTime() - end >= 0) {
                        spentOn = since;
                        throw new KernelRefusal("EAGAIN", file + " is held by " + holder());
                    }
                    pause();
                }
            }
        }
    }

    /** Null when nobody has it any more; then it can be tried again at once. */
    private @Nullable FileTime heldSince() throws IOException {
        try {
            FileTime since = Files.getLastModifiedTime(file);
            String text = Files.readString(file);
            long holder = number(text);
            // Our own number: it was that of a process that is gone, or this one forgot to release it.
            boolean left = holder == process
                    || (holder > 0 && ProcessHandle.of(holder).isEmpty())
                    || (holder <= 0 && since.toInstant().plus(SAYS_NOTHING).isBefore(Instant.now()));
            if (left) {
                takeAway(text, since);
                return null;
            }
            return since;
        } catch (NoSuchFileException released) {
            return null;
        }
    }

    /** Deletes what was judged, and not what somebody alive has put in its place since then. */
    void takeAway(String text, FileTime since) throws IOException {
        Path aside = file.resolveSibling(file.getFileName() + "." + process + ".left");
        Files.move(file, aside, StandardCopyOption.ATOMIC_MOVE);
        try {
            if (!Files.readString(aside).equals(text)
                    || !Files.getLastModifiedTime(aside).equals(since)) {
                Files.createLink(file, aside);
            }
        } catch (FileAlreadyExistsException another) {
            // Somebody has it again; whose this was sees at its release that it was lost.
        } finally {
            Files.deleteIfExists(aside);
        }
    }

    private String holder() throws IOException {
        try {
            String text = Files.readString(file).strip();
            return text.isEmpty() ? "somebody who does not say who" : "process " + text;
        } catch (NoSuchFileException released) {
            return "somebody who released it just now";
        }
    }

    /** As atoi, which s390-tools uses: 0 where there is no number. */
    private static long number(String text) {
        try {
            return Long.parseLong(text.strip());
        } catch (NumberFormatException none) {
            return 0;
        }
    }

    private void pause() throws KernelRefusal {
        try {
            Thread.sleep(STEP);
        } catch (InterruptedException closing) {
            Thread.currentThread().interrupt();
            throw new KernelRefusal("EAGAIN", "stopped while waiting for " + file);
        }
    }

    /** Only what is ours: whoever took it from us believing us dead keeps it. */
    void release() {
        try {
            if (number(Files.readString(file)) == process) {
                Files.delete(file);
            }
        } catch (IOException gone) {
            // It is not ours any more, or nobody can make locks here at all.
        }
    }
}
