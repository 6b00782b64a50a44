package io.apportion.server.identity;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.dao.DataIntegrityViolationException;

/**
 * Lets the first admin in: when no admin's token is good, a new one is written to a file that only the server's user can
 * read. That is so at the first start, and after the last one was revoked or has expired. Where a token was given, that one
 * is taken instead: of several replicas that start at once each would make one, and its file may be gone with it.
 */
public final class FirstAdmin implements SmartInitializingSingleton {

    private static final Logger LOG = LoggerFactory.getLogger(FirstAdmin.class);

    private final TokenService tokens;
    private final Path file;
    private final @Nullable Path given;

    public FirstAdmin(TokenService tokens, IdentitySettings settings) {
        this.tokens = tokens;
        this.file = settings.adminTokenFile().toAbsolutePath();
        this.given = settings.firstAdminTokenFile();
    }

    /** Before the server takes its first request. */
    @Override
    public void afterSingletonsInstantiated() {
        if (tokens.hasAdmin()) {
            return;
        }
        if (given != null) {
            take(given);
            return;
        }
        TokenService.Issued admin = tokens.draft("first-admin", Role.ADMIN, null, null, "server");
        // The file first: a token that is stored and that nobody has would keep everybody out.
        write(admin.secret());
        tokens.store(admin);
        LOG.info("The token of the first admin is in {}", file);
    }

    private void take(Path given) {
        String secret = read(given);
        try {
            tokens.store(tokens.draftOf(secret, "first-admin", "server"));
            // Who revoked it has to take the file away too, and may not know.
            LOG.warn("No admin's token was good: the one in {} is an admin's now, and again if it was revoked", given);
        } catch (DataIntegrityViolationException known) {
            // Another replica was faster; or it is somebody else's, or has expired, and lets no admin in.
            if (!tokens.hasAdmin()) {
                throw new IllegalStateException(
                        "the token in " + given + " is known, and no admin's any more: put a new one there", known);
            }
        }
    }

    private static String read(Path given) {
        try {
            String secret = Files.readString(given).strip();
            if (TokenService.isWhole(secret)) {
                return secret;
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read the first admin's token from " + given, e);
        }
        throw new IllegalStateException(given + " has no token: apportion_ and 43 random characters of A-Z a-z 0-9 - _,"
                + " such as printf 'apportion_%s' \"$(openssl rand 32 | basenc --base64url | tr -d =)\" makes");
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
