package io.apportion.agent.sysfs;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.NotLinkException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Files that come and go while they are looked at: what is not there is null, what cannot be read is an exception. */
final class HostFiles {

    private HostFiles() {}

    static @Nullable String text(Path file) throws IOException {
        try {
            return Libc.read(file);
        } catch (ErrnoException failure) {
            // ENODEV: it was there when it was opened.
            if (failure.is("ENOENT") || failure.is("ENOTDIR") || failure.is("ENODEV") || failure.is("ENXIO")) {
                return null;
            }
            throw failure;
        }
    }

    static @Nullable List<String> names(Path folder) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            List<String> names = new ArrayList<>();
            for (Path file : files) {
                names.add(file.getFileName().toString());
            }
            return names;
        } catch (NoSuchFileException | NotDirectoryException gone) {
            return null;
        } catch (DirectoryIteratorException failure) {
            throw failure.getCause();
        }
    }

    /** The last name of what the link points to. */
    static @Nullable String link(Path link) throws IOException {
        try {
            Path name = Files.readSymbolicLink(link).getFileName();
            return name == null ? null : name.toString();
        } catch (NoSuchFileException | NotLinkException gone) {
            return null;
        }
    }

    static boolean exists(Path file) {
        return Files.exists(file, LinkOption.NOFOLLOW_LINKS);
    }
}
