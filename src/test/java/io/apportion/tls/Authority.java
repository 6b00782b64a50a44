package io.apportion.tls;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.security.auth.x500.X500Principal;

/**
 * Signs certificates for servers and agents. The JDK can read certificates and sign, but writes none but with a tool, which
 * takes a second for each; so their DER is written here (RFC 5280).
 */
public final class Authority {

    private static final String ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
    private static final String BASIC_CONSTRAINTS = "2.5.29.19";
    private static final String ALTERNATIVE_NAMES = "2.5.29.17";

    private static final int SEQUENCE = 0x30;
    private static final int OCTETS = 0x04;

    private final String name;
    private final KeyPair keys = newKeys();

    public Authority(String name) {
        this.name = name;
    }

    /** A certificate and its key, as PEM. */
    public record Issued(String certificate, String key) {

        /** Into files of these names with .pem and .key. */
        public void write(Path folder, String name) {
            try {
                Path draft = folder.resolve(name + ".key.new");
                Files.writeString(draft, key);
                Files.setPosixFilePermissions(draft, PosixFilePermissions.fromString("rw-------"));
                Files.move(draft, folder.resolve(name + ".key"), java.nio.file.StandardCopyOption.ATOMIC_MOVE);
                Files.writeString(folder.resolve(name + ".pem"), certificate);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Its own certificate, as PEM. */
    public String certificate() {
        return pem("CERTIFICATE", sign("CN=" + name, keys, Instant.now().plusSeconds(86_400), true, List.of()));
    }

    /**
     * @param subject a distinguished name; empty: none
     * @param dnsNames its alternative names
     */
    public Issued issue(String subject, String... dnsNames) {
        return issue(subject, Instant.now().plusSeconds(86_400), dnsNames);
    }

    public Issued issue(String subject, Instant until, String... dnsNames) {
        KeyPair own = newKeys();
        return new Issued(
                pem("CERTIFICATE", sign(subject, own, until, false, List.of(dnsNames))),
                pem("PRIVATE KEY", own.getPrivate().getEncoded()));
    }

    private byte[] sign(String subject, KeyPair of, Instant until, boolean authority, List<String> dnsNames) {
        byte[] algorithm = der(SEQUENCE, oid(ECDSA_WITH_SHA256));
        List<byte[]> extensions = new ArrayList<>();
        if (authority) {
            extensions.add(extension(BASIC_CONSTRAINTS, der(SEQUENCE, der(0x01, new byte[] {-1}))));
        }
        if (!dnsNames.isEmpty()) {
            byte[][] names = dnsNames.stream()
                    .map(dns -> der(0x82, dns.getBytes(StandardCharsets.US_ASCII)))
                    .toArray(byte[][]::new);
            extensions.add(extension(ALTERNATIVE_NAMES, der(SEQUENCE, names)));
        }
        byte[] content = der(
                SEQUENCE,
                der(0xa0, der(0x02, new byte[] {2})),
                der(
                        0x02,
                        new BigInteger(64, new SecureRandom())
                                .add(BigInteger.ONE)
                                .toByteArray()),
                algorithm,
                new X500Principal("CN=" + name).getEncoded(),
                der(SEQUENCE, time(Instant.now().minusSeconds(86_400)), time(until)),
                new X500Principal(subject).getEncoded(),
                of.getPublic().getEncoded(),
                extensions.isEmpty() ? new byte[0] : der(0xa3, der(SEQUENCE, extensions.toArray(byte[][]::new))));
        try {
            Signature signature = Signature.getInstance("SHA256withECDSA");
            signature.initSign(keys.getPrivate());
            signature.update(content);
            return der(SEQUENCE, content, algorithm, der(0x03, new byte[] {0}, signature.sign()));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static byte[] extension(String oid, byte[] value) {
        return der(SEQUENCE, oid(oid), der(OCTETS, value));
    }

    private static byte[] time(Instant instant) {
        String text = DateTimeFormatter.ofPattern("yyyyMMddHHmmss'Z'")
                .withZone(ZoneOffset.UTC)
                .format(instant);
        return der(0x18, text.getBytes(StandardCharsets.US_ASCII));
    }

    private static byte[] oid(String dotted) {
        String[] parts = dotted.split("\\.");
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(Integer.parseInt(parts[0]) * 40 + Integer.parseInt(parts[1]));
        for (int i = 2; i < parts.length; i++) {
            int part = Integer.parseInt(parts[i]);
            for (int shift = 28; shift > 0; shift -= 7) {
                if (part >> shift != 0) {
                    bytes.write(part >> shift & 0x7f | 0x80);
                }
            }
            bytes.write(part & 0x7f);
        }
        return der(0x06, bytes.toByteArray());
    }

    private static byte[] der(int tag, byte[]... parts) {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            content.writeBytes(part);
        }
        int length = content.size();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(tag);
        if (length < 0x80) {
            bytes.write(length);
        } else if (length < 0x100) {
            bytes.write(0x81);
            bytes.write(length);
        } else {
            bytes.write(0x82);
            bytes.write(length >> 8);
            bytes.write(length);
        }
        bytes.writeBytes(content.toByteArray());
        return bytes.toByteArray();
    }

    private static KeyPair newKeys() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String pem(String what, byte[] der) {
        return "-----BEGIN " + what + "-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der)
                + "\n-----END " + what + "-----\n";
    }
}
