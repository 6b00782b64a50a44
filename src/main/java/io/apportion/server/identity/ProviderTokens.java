package io.apportion.server.identity;

import java.net.InetAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.security.oauth2.server.resource.autoconfigure.OAuth2ResourceServerProperties;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.security.authentication.AuthenticationServiceException;
import org.springframework.security.authentication.BadCredentialsException;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.core.OAuth2Error;
import org.springframework.security.oauth2.core.OAuth2ErrorCodes;
import org.springframework.security.oauth2.core.OAuth2TokenValidatorResult;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.BadJwtException;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimNames;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtException;
import org.springframework.security.oauth2.jwt.JwtIssuerValidator;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.JwtTypeValidator;
import org.springframework.security.oauth2.jwt.JwtValidationException;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.server.resource.InvalidBearerTokenException;

/**
 * Recognises callers by the JWTs of the site's identity provider: signed by one of the keys that it names, of its issuer,
 * for this server as audience, and not expired.
 */
public final class ProviderTokens {

    private static final String PROPERTIES = "spring.security.oauth2.resourceserver.jwt.";

    /** A forged token must not have the provider asked for its key again and again. */
    private static final Duration BETWEEN_READS = Duration.ofSeconds(30);

    /** Good only with the proof of a key or a certificate, which is not asked for: whoever stole it could show it. */
    private static final OAuth2TokenValidatorResult BOUND = OAuth2TokenValidatorResult.failure(new OAuth2Error(
            OAuth2ErrorCodes.INVALID_TOKEN, "It is bound to a key or a certificate by its claim cnf", null));

    /** Of an actor's name; what is stored has room for 256 characters. */
    private static final int LONGEST_NAME = 200;

    private static final Pattern LABEL = Pattern.compile("([^=\\s]+)=(.*)");

    private final ProviderKeys keys;
    private final JwtDecoder decoder;
    private final JwtSettings settings;

    private ProviderTokens(
            String issuer, List<String> audiences, ProviderKeys keys, JwtSettings settings, Clock clock) {
        this.keys = keys;
        this.settings = settings;
        NimbusJwtDecoder nimbus = NimbusJwtDecoder.withJwkSource(keys.source())
                // All of them are asymmetric; of these, those that fit the key.
                .jwsAlgorithms(algorithms -> algorithms.addAll(Arrays.asList(SignatureAlgorithm.values())))
                .build();
        JwtTimestampValidator times = new JwtTimestampValidator(settings.clockSkew());
        times.setAllowEmptyExpiryClaim(false);
        times.setClock(clock);
        JwtTypeValidator type = new JwtTypeValidator("JWT", "at+jwt", "application/at+jwt");
        type.setAllowEmpty(true);
        nimbus.setJwtValidator(new DelegatingOAuth2TokenValidator<>(List.of(
                times,
                type,
                jwt -> jwt.hasClaim("cnf") ? BOUND : OAuth2TokenValidatorResult.success(),
                new JwtIssuerValidator(issuer),
                new JwtClaimValidator<Collection<String>>(
                        JwtClaimNames.AUD,
                        named -> named != null && named.stream().anyMatch(audiences::contains)))));
        this.decoder = nimbus;
    }

    /**
     * @return empty if no provider is configured
     * @throws IllegalArgumentException if what is configured would let in whom it should not
     */
    public static Optional<ProviderTokens> of(
            OAuth2ResourceServerProperties.Jwt provider, JwtSettings settings, Clock clock) {
        return of(provider, settings, clock, BETWEEN_READS);
    }

    static Optional<ProviderTokens> of(
            OAuth2ResourceServerProperties.Jwt provider, JwtSettings settings, Clock clock, Duration betweenReads) {
        String issuer = provider.getIssuerUri();
        String jwkSetUri = provider.getJwkSetUri();
        if (provider.getPublicKeyLocation() != null) {
            throw new IllegalArgumentException(PROPERTIES + "public-key-location: keys are read from the issuer only");
        }
        if (issuer == null) {
            if (jwkSetUri != null) {
                throw new IllegalArgumentException(PROPERTIES + "issuer-uri is missing: whose tokens to take");
            }
            return Optional.empty();
        }
        if (provider.getAudiences().isEmpty()) {
            throw new IllegalArgumentException(
                    PROPERTIES + "audiences is missing: without it tokens for other services would be taken here");
        }
        requireSafe(issuer);
        if (jwkSetUri != null) {
            requireSafe(jwkSetUri);
        }
        ProviderKeys keys = new ProviderKeys(issuer, jwkSetUri, betweenReads);
        return Optional.of(new ProviderTokens(issuer, List.copyOf(provider.getAudiences()), keys, settings, clock));
    }

    /**
     * Who could change the keys on their way could be anybody.
     *
     * @return the same
     */
    static String requireSafe(String address) {
        URI uri = URI.create(address);
        boolean safe = "https".equals(uri.getScheme()) || ("http".equals(uri.getScheme()) && isLoopback(uri.getHost()));
        if (!safe) {
            throw new IllegalArgumentException(address + " is neither https nor this machine");
        }
        return address;
    }

    private static boolean isLoopback(@Nullable String host) {
        try {
            return "localhost".equals(host)
                    || (host != null && InetAddress.ofLiteral(host).isLoopbackAddress());
        } catch (IllegalArgumentException noLiteral) {
            return false;
        }
    }

    /**
     * @throws BadCredentialsException if the provider has not signed it
     * @throws InvalidBearerTokenException if it has, and the token is not good here or any more: nobody's guess
     * @throws AccessDeniedException if it is good, and gives no role
     * @throws AuthenticationServiceException if that cannot be known, as the provider cannot be reached
     */
    public Identity identify(String token) {
        Jwt jwt = decode(token);
        Role role = role(jwt);
        Optional<Map<String, String>> scope = scope(jwt);
        if (role == Role.OPERATOR && scope.isEmpty()) {
            role = Role.VIEWER;
        }
        return new Identity(
                "user:" + name(jwt),
                role,
                null,
                role == Role.OPERATOR ? scope.orElseThrow() : Map.of(),
                null,
                jwt.getExpiresAt());
    }

    private Jwt decode(String token) {
        try {
            return decoder.decode(token);
        } catch (JwtValidationException invalid) {
            throw new InvalidBearerTokenException(
                    invalid.getErrors().stream()
                            .map(OAuth2Error::getDescription)
                            .filter(Objects::nonNull)
                            .collect(Collectors.joining("; ", "The token is not good here: ", ".")),
                    invalid);
        } catch (BadJwtException bad) {
            throw notSigned(bad);
        } catch (JwtException noKeys) {
            if (keys.areKnown()) {
                // They were read a moment ago, and are not read again for each token that names another one.
                throw notSigned(noKeys);
            }
            throw new AuthenticationServiceException(
                    "The identity provider cannot be reached, so it is not known whether the token is good.", noKeys);
        }
    }

    private static BadCredentialsException notSigned(Exception cause) {
        return new BadCredentialsException(
                "The token is neither one of Apportion's nor signed by a key of the identity provider.", cause);
    }

    private Role role(Jwt jwt) {
        return words(claim(jwt, settings.rolesClaim()))
                .map(settings.roles()::get)
                .filter(Objects::nonNull)
                .max(Comparator.naturalOrder())
                .orElseThrow(() -> new AccessDeniedException(
                        "The token's claim " + settings.rolesClaim() + " gives no role here."));
    }

    /** @return empty if the caller may change nothing; an empty map if any host */
    private Optional<Map<String, String>> scope(Jwt jwt) {
        String claim = settings.scopeClaim();
        if (claim == null) {
            return Optional.of(Map.of());
        }
        List<String> terms = words(claim(jwt, claim)).toList();
        if (terms.equals(List.of("*"))) {
            return Optional.of(Map.of());
        }
        Map<String, String> scope = new HashMap<>();
        for (String term : terms) {
            var label = LABEL.matcher(term);
            String other = label.matches() ? scope.put(label.group(1), label.group(2)) : "";
            if (!label.matches() || (other != null && !other.equals(label.group(2)))) {
                throw new InvalidBearerTokenException(
                        "The token's claim " + claim + " is neither * nor terms such as zone=a that one host can fit.");
            }
        }
        return scope.isEmpty() ? Optional.empty() : Optional.of(Map.copyOf(scope));
    }

    private String name(Jwt jwt) {
        String name = claim(jwt, settings.actorClaim()) instanceof String text ? text : "";
        if (name.isBlank()) {
            throw new InvalidBearerTokenException("The token's claim " + settings.actorClaim() + " names nobody.");
        }
        // Two callers must never look like one, so what is cut off or replaced leaves its hash.
        String sane = name.codePoints()
                .map(point -> point > ' ' && point < 0x7f ? point : '?')
                .limit(LONGEST_NAME)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
        return sane.equals(name) && !name.contains("~")
                ? name
                : sane + "~" + HexFormat.of().formatHex(Hashes.sha256(name.getBytes(StandardCharsets.UTF_8)), 0, 8);
    }

    private static @Nullable Object claim(Jwt jwt, String path) {
        Map<String, Object> claims = jwt.getClaims();
        Object whole = claims.get(path);
        if (whole != null) {
            return whole;
        }
        Object step = claims;
        for (String name : path.split("\\.", -1)) {
            step = step instanceof Map<?, ?> map ? map.get(name) : null;
        }
        return step;
    }

    /** Of a text, which may have several, or of a list of texts. */
    private static Stream<String> words(@Nullable Object claim) {
        return switch (claim) {
            case String text -> Stream.of(text.strip().split("\\s+", -1)).filter(word -> !word.isEmpty());
            case Collection<?> list ->
                list.stream().filter(String.class::isInstance).map(String.class::cast);
            case null, default -> Stream.empty();
        };
    }
}
