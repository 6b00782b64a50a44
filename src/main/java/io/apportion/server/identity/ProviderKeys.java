package io.apportion.server.identity;

import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.source.JWKSetCacheRefreshEvaluator;
import com.nimbusds.jose.jwk.source.JWKSetRetrievalException;
import com.nimbusds.jose.jwk.source.JWKSetSource;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.jwk.source.URLBasedJWKSetSource;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jose.util.ResourceRetriever;
import java.io.IOException;
import java.net.URI;
import java.text.ParseException;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The public keys of the identity provider, read when a token asks for one: the server starts without its provider.
 *
 * <p>They are kept for some minutes, and for some hours while the provider cannot be reached. A key that is not known is
 * looked for at most twice in half a minute, whatever tokens come.
 */
final class ProviderKeys implements JWKSetSource<SecurityContext> {

    private static final Logger LOG = LoggerFactory.getLogger(ProviderKeys.class);

    private static final Duration PATIENCE = Duration.ofSeconds(3);
    private static final int LARGEST = 256 * 1024;
    private static final Duration KEPT = Duration.ofMinutes(5);
    private static final Duration KEPT_IN_NEED = Duration.ofHours(4);

    private final String issuer;
    private final Duration betweenReads;
    private final boolean discovers;
    private final ResourceRetriever http =
            new DefaultResourceRetriever((int) PATIENCE.toMillis(), (int) PATIENCE.toMillis(), LARGEST);

    /** Where the keys are; null: the provider has not been asked yet. */
    private volatile @Nullable JWKSetSource<SecurityContext> found;

    /** Whether the last try to read the keys gave some. */
    private volatile boolean read;

    /**
     * @param issuer asked where its keys are, by OpenID Connect Discovery
     * @param jwkSetUri where the keys are; null: the issuer says
     * @param betweenReads at most two reads in so long
     */
    ProviderKeys(String issuer, @Nullable String jwkSetUri, Duration betweenReads) {
        this.issuer = issuer;
        this.betweenReads = betweenReads;
        this.discovers = jwkSetUri == null;
        this.found = jwkSetUri == null ? null : at(jwkSetUri);
    }

    JWKSource<SecurityContext> source() {
        return JWKSourceBuilder.create(this)
                .cache(KEPT.toMillis(), 2 * PATIENCE.toMillis())
                .refreshAheadCache(false)
                .rateLimited(betweenReads.toMillis())
                .outageTolerant(KEPT_IN_NEED.toMillis())
                .build();
    }

    /** Then a key that is not there is not the provider's. */
    boolean areKnown() {
        return read;
    }

    @Override
    public JWKSet getJWKSet(JWKSetCacheRefreshEvaluator refresh, long now, SecurityContext context)
            throws KeySourceException {
        try {
            JWKSet keys = where().getJWKSet(refresh, now, context);
            if (!read) {
                LOG.info("The identity provider {} gave its keys", issuer);
            }
            read = true;
            return keys;
        } catch (KeySourceException failure) {
            read = false;
            if (discovers) {
                // They may have moved.
                found = null;
            }
            LOG.warn("The identity provider {} gives no keys: {}", issuer, failure.getMessage());
            throw failure;
        }
    }

    private JWKSetSource<SecurityContext> where() throws JWKSetRetrievalException {
        JWKSetSource<SecurityContext> known = found;
        if (known == null) {
            known = at(discover());
            found = known;
        }
        return known;
    }

    private String discover() throws JWKSetRetrievalException {
        String address = (issuer.endsWith("/") ? issuer.substring(0, issuer.length() - 1) : issuer)
                + "/.well-known/openid-configuration";
        try {
            Map<String, Object> said = JSONObjectUtils.parse(
                    http.retrieveResource(URI.create(address).toURL()).getContent());
            if (!issuer.equals(JSONObjectUtils.getString(said, "issuer"))) {
                throw new JWKSetRetrievalException(address + " is of another issuer", null);
            }
            String keys = JSONObjectUtils.getString(said, "jwks_uri");
            if (keys == null) {
                throw new JWKSetRetrievalException(address + " does not say where the keys are", null);
            }
            return ProviderTokens.requireSafe(keys);
        } catch (IOException | ParseException | IllegalArgumentException failure) {
            throw new JWKSetRetrievalException(address + ": " + failure.getMessage(), failure);
        }
    }

    private JWKSetSource<SecurityContext> at(String uri) {
        try {
            return new URLBasedJWKSetSource<>(URI.create(uri).toURL(), http);
        } catch (IOException malformed) {
            throw new IllegalArgumentException(malformed);
        }
    }

    @Override
    public void close() {}
}
