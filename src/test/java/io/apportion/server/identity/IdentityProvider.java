package io.apportion.server.identity;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.PlainJWT;
import com.nimbusds.jwt.SignedJWT;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Date;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** The identity provider of a site: says where its keys are, gives them, and signs tokens with them. */
public final class IdentityProvider implements AutoCloseable {

    public static final String AUDIENCE = "apportion";

    private static final RSAKey SOMEBODYS = rsa("other");

    private final HttpServer http;
    private final AtomicInteger asked = new AtomicInteger();
    private volatile RSAKey rsa = rsa("rsa-1");
    private volatile ECKey ec = ec("ec-1");
    private volatile @Nullable String keysAt = "/keys";
    private volatile boolean down;

    public IdentityProvider() {
        this(0);
    }

    /** @param port 0: any */
    public IdentityProvider(int port) {
        try {
            http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        http.createContext(
                "/.well-known/openid-configuration",
                exchange -> answer(
                        exchange,
                        "{\"issuer\":\"" + issuer() + "\""
                                + (keysAt == null ? "" : ",\"jwks_uri\":\"" + issuer() + keysAt + "\"") + "}"));
        http.createContext("/", exchange -> {
            asked.incrementAndGet();
            if (exchange.getRequestURI().getPath().equals(keysAt)) {
                answer(exchange, new JWKSet(java.util.List.<JWK>of(rsa, ec)).toString());
            } else {
                try (exchange) {
                    exchange.sendResponseHeaders(404, -1);
                }
            }
        });
        http.start();
    }

    private void answer(HttpExchange exchange, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        try (exchange) {
            exchange.sendResponseHeaders(down ? 500 : 200, bytes.length);
            exchange.getResponseBody().write(bytes);
        }
    }

    public String issuer() {
        return "http://127.0.0.1:" + http.getAddress().getPort();
    }

    /** How often its keys were asked for. */
    public int asked() {
        return asked.get();
    }

    public void down(boolean isDown) {
        down = isDown;
    }

    /** @param path where its keys are from now on; null: it does not say */
    public void moveKeys(@Nullable String path) {
        keysAt = path;
    }

    /** From now on it signs with another key, and names that alone. */
    public void changeKeys() {
        rsa = rsa("rsa-2");
    }

    /** Claims that are good for a while. */
    public JWTClaimsSet.Builder claims(String subject, Object roles) {
        return new JWTClaimsSet.Builder()
                .issuer(issuer())
                .audience(AUDIENCE)
                .subject(subject)
                .claim("roles", roles)
                .expirationTime(Date.from(Instant.now().plusSeconds(600)));
    }

    public String token(JWTClaimsSet.Builder claims) {
        return signed(header(JWSAlgorithm.RS256, rsa.getKeyID()), rsaSigner(rsa), claims);
    }

    public String tokenBy(JWSAlgorithm algorithm, JWTClaimsSet.Builder claims) {
        try {
            return JWSAlgorithm.Family.EC.contains(algorithm)
                    ? signed(header(algorithm, ec.getKeyID()), new ECDSASigner(ec), claims)
                    : signed(header(algorithm, rsa.getKeyID()), rsaSigner(rsa), claims);
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    public String tokenOfType(String type, JWTClaimsSet.Builder claims) {
        return signed(
                new JWSHeader.Builder(JWSAlgorithm.RS256)
                        .keyID(rsa.getKeyID())
                        .type(new JOSEObjectType(type))
                        .build(),
                rsaSigner(rsa),
                claims);
    }

    /** By somebody else's key under this provider's name for its own, or under another name. */
    public String forged(String keyId, JWTClaimsSet.Builder claims) {
        return signed(header(JWSAlgorithm.RS256, keyId), rsaSigner(SOMEBODYS), claims);
    }

    public String keyId() {
        return rsa.getKeyID();
    }

    /** Signed with HMAC, with the public key as the secret that everybody knows. */
    public String confused(JWTClaimsSet.Builder claims) {
        try {
            return signed(
                    header(JWSAlgorithm.HS256, rsa.getKeyID()),
                    new MACSigner(rsa.toRSAPublicKey().getEncoded()),
                    claims);
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Algorithm none. */
    public String plain(JWTClaimsSet.Builder claims) {
        return new PlainJWT(claims.build()).serialize();
    }

    /** With the header of a signed one and no signature. */
    public String unsigned(JWTClaimsSet.Builder claims) {
        String token = token(claims);
        return token.substring(0, token.lastIndexOf('.') + 1);
    }

    /** Other claims under the signature of the first. */
    public String altered(JWTClaimsSet.Builder claims, JWTClaimsSet.Builder others) {
        String[] one = token(claims).split("\\.");
        String[] other = token(others).split("\\.");
        return one[0] + "." + other[1] + "." + one[2];
    }

    private static JWSHeader header(JWSAlgorithm algorithm, String keyId) {
        return new JWSHeader.Builder(algorithm).keyID(keyId).build();
    }

    private static String signed(JWSHeader header, JWSSigner signer, JWTClaimsSet.Builder claims) {
        try {
            SignedJWT token = new SignedJWT(header, claims.build());
            token.sign(signer);
            return token.serialize();
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    private static JWSSigner rsaSigner(RSAKey key) {
        try {
            return new RSASSASigner(key);
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    private static RSAKey rsa(String id) {
        try {
            return new RSAKeyGenerator(2048).keyID(id).keyUse(KeyUse.SIGNATURE).generate();
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    private static ECKey ec(String id) {
        try {
            return new ECKeyGenerator(Curve.P_256)
                    .keyID(id)
                    .keyUse(KeyUse.SIGNATURE)
                    .generate();
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        http.stop(0);
    }
}
