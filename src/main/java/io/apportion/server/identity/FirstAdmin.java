package io.apportion.server.identity;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.SmartInitializingSingleton;

/**
 * Lets the first admin in: when no admin's token is good, a new one is written to a file that only the server's user can
 * read. That is so at the first start, and after the last one was revoked or has expired.
 */
public final class FirstAdmin implements SmartInitializingSingleton {

    private static final Logger LOG = LoggerFactory.getLogger(FirstAdmin.class);

    private final TokenService tokens;
    private final Path file;

    public FirstAdmin(TokenService tokens, IdentitySettings settings) {
        this.tokens = tokens;
        this.file = settings.adminTokenFile().toAbsolutePath();
    }

    /** Before the server takes its first request. */
    @Override
    public void afterSingletonsInstantiated() {
        if (tokens.hasAdmin()) {
            return;
        }
        TokenService.Issued admin = tokens.draft("first-admin", Role.ADMIN, null, null, "server");
        // The file first: a token that is stored and that nobody has would keep everybody out.
        write(admin.secret());
        tokens.store(admin);
        LOG.info("The token of the first admin is in {}", file);
    }

    private void write(String secret) {
        try {
            if (Files.notExists(file.getParent())) {
                Files.createDirectories(file.getParent(), permissions("rwx------"));
            }
            Path draft =
                    Files.createTempFile(file.getParent(), file.getFileName().toString(), "", permissions("rw-------"));
            Files.writeString(draft, secret + "\n");
            Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write the first admin's token to " + file, e);
        }
    }

    private static FileAttribute<?> permissions(String text) {
        return PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(text));
    }
}
