package io.apportion.agent.sysfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.apportion.agent.KernelRefusal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ApConfigLockTests {

    private static final long OWN = ProcessHandle.current().pid();

    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void name() {
        file = folder.resolve("s390apconfig.lock");
    }

    private ApConfigLock lock(Duration patience) {
        return new ApConfigLock(file, patience);
    }

    @Test
    void saysWhoHasIt() throws KernelRefusal {
        ApConfigLock lock = lock(Duration.ZERO);
        lock.take();
        assertThat(file).hasContent(OWN + "\n");
        lock.release();
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void isTakenFromTheDead() throws Exception {
        Process dead = new ProcessBuilder("true").start();
        dead.waitFor();
        Files.writeString(file, dead.pid() + "\n");
        lock(Duration.ZERO).take();
        assertThat(file).hasContent(OWN + "\n");
    }

    /** Between the look at the dead one's and its end, somebody alive has taken it. */
    @Test
    void isNotTakenFromWhoeverTookItFromTheDead() throws Exception {
        Files.writeString(file, "1\n");
        lock(Duration.ZERO).takeAway("99999999\n", Files.getLastModifiedTime(file));
        assertThat(file).hasContent("1\n");
        lock(Duration.ZERO).takeAway("1\n", FileTime.from(Instant.EPOCH));
        assertThat(file).hasContent("1\n");
        lock(Duration.ZERO).takeAway("1\n", Files.getLastModifiedTime(file));
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void isTakenFromAnEarlierLifeOfThisNumber() throws Exception {
        Files.writeString(file, OWN + "\n");
        lock(Duration.ZERO).take();
        assertThat(file).hasContent(OWN + "\n");
    }

    @Test
    void isTakenFromWhoeverSaysNothingForTwoMinutes() throws Exception {
        Files.createFile(file);
        assertThatExceptionOfType(KernelRefusal.class)
                .isThrownBy(() -> lock(Duration.ZERO).take());
        Files.setLastModifiedTime(file, FileTime.from(Instant.now().minusSeconds(121)));
        lock(Duration.ZERO).take();
        assertThat(file).hasContent(OWN + "\n");
    }

    @Test
    void isLeftToTheLiving() throws Exception {
        try (var living = new Living()) {
            Files.writeString(file, living.pid() + "\n");
            ApConfigLock lock = lock(Duration.ofMillis(1));
            KernelRefusal refusal = catchThrowableOfType(KernelRefusal.class, lock::take);
            assertThat(refusal.errno()).isEqualTo("EAGAIN");
            assertThat(refusal).hasMessageContaining("process " + living.pid());
            assertThat(file).hasContent(living.pid() + "\n");

            // Nobody waits twice for the same; a release without having it takes it from nobody.
            lock.release();
            assertThatExceptionOfType(KernelRefusal.class).isThrownBy(lock::take);
            assertThat(file).hasContent(living.pid() + "\n");
            assertThat(folder).isDirectoryContaining(found -> found.equals(file));
        }
        lock(Duration.ZERO).take();
        assertThat(file).hasContent(OWN + "\n");
    }

    @Test
    void isWaitedFor() throws Exception {
        try (var living = new Living()) {
            Files.writeString(file, living.pid() + "\n");
            var taken = CompletableFuture.runAsync(() -> {
                try {
                    lock(Duration.ofMinutes(1)).take();
                } catch (KernelRefusal refusal) {
                    throw new IllegalStateException(refusal);
                }
            });
            assertThat(taken).isNotDone();
            Files.delete(file);
            taken.get(1, TimeUnit.MINUTES);
            assertThat(file).hasContent(OWN + "\n");
        }
    }

    @Test
    void cannotBeMadeWithoutItsFolder() {
        KernelRefusal refusal = catchThrowableOfType(
                KernelRefusal.class, new ApConfigLock(folder.resolve("none/lock"), Duration.ZERO)::take);
        assertThat(refusal.errno()).isEqualTo("ENOENT");
    }

    /** Lives until it is closed. */
    private static final class Living implements AutoCloseable {

        private final Process process;

        Living() throws IOException {
            process = new ProcessBuilder("cat").start();
        }

        long pid() {
            return process.pid();
        }

        @Override
        public void close() {
            process.destroyForcibly().onExit().join();
        }
    }
}
