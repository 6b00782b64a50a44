package io.apportion.endtoend;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** A file system of its own, which can be made full, and read-only. Only root can have one; others skip the test. */
final class SmallDisk implements AutoCloseable {

    final Path folder;

    SmallDisk(Path folder, String size) throws IOException, InterruptedException {
        this.folder = folder;
        assumeTrue(
                run("mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", folder.toString()),
                "a file system can be mounted");
    }

    private static boolean run(String... command) throws IOException, InterruptedException {
        return new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start()
                        .waitFor()
                == 0;
    }

    private Path ballast() {
        return folder.resolve("ballast");
    }

    /** To its last block. */
    void fill() throws IOException {
        byte[] block = new byte[4096];
        try (OutputStream out = Files.newOutputStream(ballast())) {
            while (true) {
                out.write(block);
            }
        } catch (IOException full) {
            if (!String.valueOf(full.getMessage()).contains("No space left")) {
                throw full;
            }
        }
    }

    void free() throws IOException {
        Files.delete(ballast());
    }

    /** @return whether it is: not while a file of it is open for writing */
    boolean readOnly(boolean readOnly) throws IOException, InterruptedException {
        return run("mount", "-o", "remount," + (readOnly ? "ro" : "rw"), folder.toString());
    }

    @Override
    public void close() throws IOException {
        try {
            run("umount", "-l", folder.toString());
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
