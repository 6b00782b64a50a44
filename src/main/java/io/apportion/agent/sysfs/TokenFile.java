package io.apportion.agent.sysfs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.Set;
import java.util.regex.Pattern;

/** A bearer token in a file, or a private key: whoever reads it can speak for this host. */
public final class TokenFile {

    private static final Pattern TOKEN = Pattern.compile("[!-~]{1,512}");

    private static final Set<PosixFilePermission> ITS_OWNERS = EnumSet.of(
            PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE, PosixFilePermission.OWNER_EXECUTE);

    private TokenFile() {}

    /** @throws IOException with words for people: there is none, or others than its owner, root or this user, may read it */
    public static String read(Path file) throws IOException {
        try {
            requirePrivate(file);
            String token = Files.readString(file).strip();
            if (!TOKEN.matcher(token).matches()) {
                throw new IOException(file + " has no token, but something else");
            }
            return token;
        } catch (NoSuchFileException missing) {
            throw new IOException(
                    "there is no " + file + "; an admin makes a token with: apportion token create --role agent"
                            + " --name NAME --host NAME",
                    missing);
        }
    }

    /** @throws IOException with words for people: there is none, or others than its owner, root or this user, may read it */
    public static void requirePrivate(Path file) throws IOException {
        if (!ITS_OWNERS.containsAll(Files.getPosixFilePermissions(file))) {
            throw new IOException(file + " is for others' eyes too; as root: chmod 600 " + file);
        }
        int owner = (int) Files.getAttribute(file, "unix:uid");
        int self = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        if (owner != 0 && owner != self) {
            throw new IOException(file + " belongs to another user; as root: chown root " + file);
        }
    }
}
