package io.apportion.demo;

import io.apportion.wire.WireFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;

/** Keeps one simulated machine over restarts of the demo: one JSON file, replaced whole. */
final class MachineFile {

    private final Path file;

    MachineFile(Path folder, String host) {
        this.file = folder.resolve(host + ".json");
    }

    Optional<Machine> read() {
        try {
            return Files.exists(file)
                    ? Optional.of(WireFormat.MAPPER.readValue(Files.readString(file), Machine.class))
                    : Optional.empty();
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
    }

    void write(Machine machine) {
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            Path next = file.resolveSibling(file.getFileName() + ".next");
            Files.writeString(next, WireFormat.MAPPER.writeValueAsString(machine));
            Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException full) {
            throw new UncheckedIOException(full);
        }
    }
}
