package io.apportion.agent;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.pem.PemSslStore;
import org.springframework.boot.ssl.pem.PemSslStoreBundle;
import org.springframework.boot.ssl.pem.PemSslStoreDetails;

/**
 * Whom the agent trusts, and the certificate by which the server knows it: PEM files, which may be renewed while it runs.
 */
final class TlsFiles {

    private static final Logger LOG = LoggerFactory.getLogger(TlsFiles.class);

    private final @Nullable Path trusted;
    private final @Nullable Path certificate;
    private final @Nullable Path key;

    private final PrivateFile keyRule;

    // Guarded by this.
    private @Nullable Contents read;
    private @Nullable SSLContext context;
    private @Nullable String complaint;

    /** Looks who may read a file. */
    interface PrivateFile {

        /** @throws IOException with words for people, if others than its owner may */
        void require(Path file) throws IOException;
    }

    private record Contents(
            @Nullable String trusted,
            @Nullable String certificate,
            @Nullable String key) {

        SSLContext context() {
            PemSslStore own =
                    PemSslStore.load(certificate == null ? null : new PemSslStoreDetails(null, certificate, key));
            PemSslStore others = PemSslStore.load(trusted == null ? null : PemSslStoreDetails.forCertificates(trusted));
            if (own != null) {
                requirePair(
                        Objects.requireNonNull(own.certificates()).getFirst().getPublicKey(),
                        Objects.requireNonNull(own.privateKey()));
            }
            return SslBundle.of(new PemSslStoreBundle(own, others)).createSslContext();
        }

        /** Java would find out only when it is too late: it shows the certificate, and cannot prove that it is its own. */
        private static void requirePair(PublicKey open, PrivateKey secret) {
            String algorithm = open.getAlgorithm();
            try {
                Signature signature = Signature.getInstance(
                        switch (algorithm) {
                            case "RSA" -> "SHA256withRSA";
                            case "EC" -> "SHA256withECDSA";
                            default -> algorithm;
                        });
                byte[] something = {1};
                signature.initSign(secret);
                signature.update(something);
                byte[] signed = signature.sign();
                signature.initVerify(open);
                signature.update(something);
                if (!signature.verify(signed)) {
                    throw new IllegalArgumentException("the key is of another certificate");
                }
            } catch (GeneralSecurityException otherKind) {
                throw new IllegalArgumentException("the key is of another certificate", otherKind);
            }
        }

        /** Without the key. */
        @Override
        public String toString() {
            return "Contents[]";
        }
    }

    /**
     * @param trusted who signs the server's certificate; null: those whom the Java runtime trusts
     * @param certificate the agent's own, and those between it and its authority; null: it has none
     * @param key of the certificate
     * @param keyRule asked again for each key that comes
     */
    TlsFiles(@Nullable Path trusted, @Nullable Path certificate, @Nullable Path key, PrivateFile keyRule) {
        this.trusted = trusted;
        this.certificate = certificate;
        this.key = key;
        this.keyRule = keyRule;
    }

    /**
     * @return the same as last time as long as the files have not changed
     * @throws IOException with words for people, if there never was anything good in them. Where there was, that stays,
     *     with a word in the log: whoever renews several files does it one by one
     */
    synchronized SSLContext newest() throws IOException {
        try {
            Contents present = new Contents(text(trusted), text(certificate), text(key));
            if (context == null || !present.equals(read)) {
                if (key != null) {
                    keyRule.require(key);
                }
                SSLContext made = present.context();
                if (context != null) {
                    LOG.info("the certificates were renewed");
                }
                context = made;
                read = present;
            }
            complaint = null;
            return context;
        } catch (IOException | IllegalStateException | IllegalArgumentException failure) {
            // What went wrong with the contents is not said in the library's words, which quote them.
            String words = failure instanceof IOException
                    ? "certificates cannot be read: " + Complaint.words(failure)
                    : files() + " do not hold certificates, and a key that fits, as PEM";
            SSLContext before = context;
            if (before == null) {
                throw new IOException(words);
            }
            if (!words.equals(complaint)) {
                LOG.warn("{}; going on with those there were", words);
            }
            complaint = words;
            return before;
        }
    }

    private String files() {
        return Stream.of(trusted, certificate, key)
                .filter(Objects::nonNull)
                .map(Path::toString)
                .collect(Collectors.joining(", "));
    }

    private static @Nullable String text(@Nullable Path file) throws IOException {
        if (file == null) {
            return null;
        }
        String text = Files.readString(file);
        if (!text.contains("-----BEGIN ")) {
            // Anything else would be taken for the name of another file.
            throw new IllegalArgumentException("no PEM");
        }
        return text;
    }
}
