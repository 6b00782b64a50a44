package io.apportion.server.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jwt.JWTClaimsSet;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.security.oauth2.server.resource.autoconfigure.OAuth2ResourceServerProperties;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.security.authentication.AuthenticationServiceException;
import org.springframework.security.authentication.BadCredentialsException;
import org.springframework.security.oauth2.server.resource.InvalidBearerTokenException;

/** Which JWTs are good, and whom they name. */
class ProviderTokensTests {

    private static final JwtSettings DEFAULTS = settings("roles", Map.of(), "sub", null);

    private static IdentityProvider provider;
    private static ProviderTokens tokens;

    @BeforeAll
    static void start() {
        provider = new IdentityProvider();
        tokens = tokens(provider.issuer(), DEFAULTS);
    }

    @AfterAll
    static void stop() {
        provider.close();
    }

    private static JwtSettings settings(String rolesClaim, Map<String, Role> roles, String actorClaim, String scope) {
        return new JwtSettings(rolesClaim, roles, actorClaim, scope, Duration.ofSeconds(30));
    }

    private static ProviderTokens tokens(String issuer, JwtSettings settings) {
        return tokens(issuer, settings, Duration.ofSeconds(30));
    }

    private static ProviderTokens tokens(String issuer, JwtSettings settings, Duration betweenReads) {
        return ProviderTokens.of(
                        properties(issuer, "other", IdentityProvider.AUDIENCE),
                        settings,
                        Clock.systemUTC(),
                        betweenReads)
                .orElseThrow();
    }

    private static OAuth2ResourceServerProperties.Jwt properties(String issuer, String... audiences) {
        OAuth2ResourceServerProperties.Jwt properties = new OAuth2ResourceServerProperties.Jwt();
        properties.setIssuerUri(issuer);
        properties.setAudiences(List.of(audiences));
        return properties;
    }

    private static JWTClaimsSet.Builder jane() {
        return provider.claims("jane", "operator");
    }

    private static Date inSeconds(long seconds) {
        return Date.from(Instant.now().plusSeconds(seconds));
    }

    private static void refused(String token, String because) {
        assertThatThrownBy(() -> tokens.identify(token))
                .isInstanceOf(
                        because.equals("signed") ? BadCredentialsException.class : InvalidBearerTokenException.class)
                .hasMessageContaining(because)
                .hasMessageNotContaining(token);
    }

    // Which are good.

    @Test
    void goodTokenNamesItsSubjectAndIsGoodUntilItExpires() {
        Date end = inSeconds(600);
        Identity identity = tokens.identify(provider.token(jane().expirationTime(end)));
        assertThat(identity.actor()).isEqualTo("user:jane");
        assertThat(identity.role()).isEqualTo(Role.OPERATOR);
        assertThat(identity.scope()).isEmpty();
        assertThat(identity.until()).isEqualTo(end.toInstant().truncatedTo(java.time.temporal.ChronoUnit.SECONDS));
    }

    @ParameterizedTest
    @ValueSource(strings = {"RS256", "RS512", "PS256", "ES256"})
    void anyAsymmetricAlgorithmOfAKeyIsTaken(String algorithm) {
        assertThat(tokens.identify(provider.tokenBy(JWSAlgorithm.parse(algorithm), jane()))
                        .actor())
                .isEqualTo("user:jane");
    }

    @ParameterizedTest
    @ValueSource(strings = {"JWT", "at+jwt", "application/at+jwt"})
    void accessTokensAreTaken(String type) {
        assertThat(tokens.identify(provider.tokenOfType(type, jane())).role()).isEqualTo(Role.OPERATOR);
    }

    @Test
    void tokensOfOtherKindsAreNot() {
        refused(provider.tokenOfType("dpop+jwt", jane()), "typ");
        refused(provider.tokenOfType("logout+jwt", jane()), "typ");
    }

    @Test
    void expiredTokenIsNot() {
        refused(provider.token(jane().expirationTime(inSeconds(-31))), "expired");
        assertThat(tokens.identify(provider.token(jane().expirationTime(inSeconds(-5))))
                        .actor())
                .as("within the clock's skew")
                .isEqualTo("user:jane");
    }

    @Test
    void tokenThatNeverExpiresIsNot() {
        refused(provider.token(jane().expirationTime(null)), "exp is required");
    }

    @Test
    void tokenOfTheFutureIsNot() {
        refused(provider.token(jane().notBeforeTime(inSeconds(120))), "before");
    }

    @Test
    void tokenForAnotherAudienceIsNot() {
        refused(provider.token(jane().audience("payroll")), "aud");
        refused(provider.token(jane().audience((String) null)), "aud");
        assertThat(tokens.identify(provider.token(jane().audience(List.of("payroll", "apportion"))))
                        .actor())
                .isEqualTo("user:jane");
    }

    @Test
    void tokenOfAnotherIssuerIsNot() {
        refused(provider.token(jane().issuer("https://evil.example")), "iss");
        refused(provider.token(jane().issuer(provider.issuer() + "/")), "iss");
        refused(provider.token(jane().issuer(null)), "iss");
    }

    /** They are good only with a proof that is not asked for: whoever stole one could show it. */
    @Test
    void tokensThatAreBoundToAKeyOrACertificateAreNot() {
        refused(provider.token(jane().claim("cnf", Map.of("jkt", "x"))), "cnf");
        refused(provider.token(jane().claim("cnf", Map.of("x5t#S256", "x"))), "cnf");
    }

    @Test
    void unsignedTokensAreNot() {
        refused(provider.plain(jane()), "signed");
        refused(provider.unsigned(jane()), "signed");
        refused(provider.altered(jane(), provider.claims("jane", "admin")), "signed");
        refused(provider.forged(provider.keyId(), jane()), "signed");
        refused(provider.forged("nobody", jane()), "signed");
    }

    /** Whoever takes HS256 where RS256 is meant takes the public key, which all know, for a secret. */
    @Test
    void tokenSignedWithThePublicKeyIsNot() {
        refused(provider.confused(jane()), "signed");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "a.b", "a.b.c", "....", "eyJhbGciOiJub25lIn0.e30.", "e30.e30.e30", "a.b.c.d.e"})
    void whatIsNoTokenIsNot(String text) {
        refusedWithoutFault(text);
    }

    private static void refusedWithoutFault(String text) {
        assertThatThrownBy(() -> tokens.identify(text)).isInstanceOf(BadCredentialsException.class);
    }

    // Roles.

    @Test
    void highestOfSeveralRolesCounts() {
        assertThat(tokens.identify(provider.token(provider.claims("jane", List.of("x", "viewer", "admin", "operator"))))
                        .role())
                .isEqualTo(Role.ADMIN);
        assertThat(tokens.identify(provider.token(provider.claims("jane", "openid viewer")))
                        .role())
                .isEqualTo(Role.VIEWER);
    }

    @Test
    void tokenWithoutARoleGetsInAndMayNothing() {
        for (Object roles : new Object[] {null, "", "agent", "Admin", List.of(), List.of(7), Map.of("admin", true)}) {
            assertThatThrownBy(() -> tokens.identify(provider.token(provider.claims("jane", roles))))
                    .as(String.valueOf(roles))
                    .isInstanceOf(AccessDeniedException.class);
        }
    }

    @Test
    void rolesAreNamedAsTheSiteNamesThem() {
        ProviderTokens mapped = tokens(
                provider.issuer(),
                settings("realm_access.roles", Map.of("crypto-ops", Role.OPERATOR), "preferred_username", null));
        Identity identity = mapped.identify(provider.token(provider.claims("7f3", "admin")
                .claim("realm_access", Map.of("roles", List.of("crypto-ops", "admin")))
                .claim("preferred_username", "jane")));
        assertThat(identity.actor()).isEqualTo("user:jane");
        assertThat(identity.role()).isEqualTo(Role.OPERATOR);
    }

    @Test
    void claimWithADotInItsNameIsFoundWhole() {
        ProviderTokens named = tokens(provider.issuer(), settings("https://a.example/roles", Map.of(), "sub", null));
        assertThat(named.identify(provider.token(jane().claim("https://a.example/roles", List.of("viewer"))))
                        .role())
                .isEqualTo(Role.VIEWER);
    }

    @Test
    void noTokenIsAnAgents() {
        assertThatThrownBy(() -> settings("roles", Map.of("kvm", Role.AGENT), "sub", null))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("agents");
    }

    // Scope.

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "zone=a           | OPERATOR | {zone=a}",
                "zone=a rack=7    | OPERATOR | {rack=7, zone=a}",
                "zone=a zone=a    | OPERATOR | {zone=a}",
                "zone=            | OPERATOR | {zone=}",
                "url=a=b          | OPERATOR | {url=a=b}",
                "*                | OPERATOR | {}",
                "''               | VIEWER   | {}",
            })
    void scopeLimitsOperators(String claim, Role role, String scope) {
        ProviderTokens limited = tokens(provider.issuer(), settings("roles", Map.of(), "sub", "hosts"));
        Identity identity = limited.identify(provider.token(jane().claim("hosts", claim)));
        assertThat(identity.role()).isEqualTo(role);
        assertThat(new java.util.TreeMap<>(identity.scope())).hasToString(scope);
    }

    @Test
    void operatorWithoutTheScopeThatIsAskedForIsAViewer() {
        ProviderTokens limited = tokens(provider.issuer(), settings("roles", Map.of(), "sub", "hosts"));
        assertThat(limited.identify(provider.token(jane())).role()).isEqualTo(Role.VIEWER);
        assertThat(limited.identify(provider.token(provider.claims("jane", "admin")))
                        .role())
                .isEqualTo(Role.ADMIN);
    }

    @ParameterizedTest
    @ValueSource(strings = {"zone", "=a", "* zone=a", "zone=a zone=b"})
    void scopeThatNoHostCanFitIsRefused(String claim) {
        ProviderTokens limited = tokens(provider.issuer(), settings("roles", Map.of(), "sub", "hosts"));
        assertThatThrownBy(() -> limited.identify(provider.token(jane().claim("hosts", claim))))
                .isInstanceOf(InvalidBearerTokenException.class)
                .hasMessageContaining("hosts");
    }

    // Names.

    @Test
    void tokenThatNamesNobodyIsRefused() {
        refused(provider.token(provider.claims(null, "viewer")), "names nobody");
        refused(provider.token(provider.claims(" ", "viewer")), "names nobody");
    }

    @Test
    void namesAreFitToBeStoredAndNeverMadeAlike() {
        String longName = "x".repeat(5000);
        String one = actor(longName + "1");
        String other = actor(longName + "2");
        assertThat(one).startsWith("user:xxx").hasSizeLessThan(256).isNotEqualTo(other);
        assertThat(actor("a\nb")).matches("user:a\\?b~[0-9a-f]{16}").isNotEqualTo(actor("a\tb"));
        assertThat(actor("auth0|5f7c")).isEqualTo("user:auth0|5f7c");
        String replaced = actor("j\u00f6e");
        assertThat(actor(replaced.substring("user:".length()))).isNotEqualTo(replaced);
    }

    private static String actor(String subject) {
        return tokens.identify(provider.token(provider.claims(subject, "viewer")))
                .actor();
    }

    // The provider.

    @Test
    @ExtendWith(OutputCaptureExtension.class)
    void providerThatIsAwayIsSaidToBeSoAndFoundWhenItIsBack(CapturedOutput log) {
        try (IdentityProvider other = new IdentityProvider()) {
            other.down(true);
            ProviderTokens its = tokens(other.issuer(), DEFAULTS, Duration.ofMillis(1));
            String token = other.token(other.claims("jane", "viewer"));
            assertThatThrownBy(() -> its.identify(token)).isInstanceOf(AuthenticationServiceException.class);
            assertThat(log)
                    .contains("The identity provider " + other.issuer() + " gives no keys")
                    .doesNotContain(token);
            other.down(false);
            assertThat(its.identify(token).actor()).isEqualTo("user:jane");
            other.down(true);
            assertThat(its.identify(token).actor()).as("its keys are known").isEqualTo("user:jane");
        }
    }

    @Test
    void newKeyIsLookedFor() {
        try (IdentityProvider other = new IdentityProvider()) {
            ProviderTokens its = tokens(other.issuer(), DEFAULTS, Duration.ofMillis(1));
            String before = other.token(other.claims("jane", "viewer"));
            assertThat(its.identify(before).actor()).isEqualTo("user:jane");
            other.changeKeys();
            assertThat(its.identify(other.token(other.claims("jane", "viewer"))).actor())
                    .isEqualTo("user:jane");
            assertThatThrownBy(() -> its.identify(before))
                    .as("its key is not named any more")
                    .isInstanceOf(BadCredentialsException.class);
        }
    }

    @Test
    void keysAreLookedForWhereTheyHaveMoved() {
        try (IdentityProvider other = new IdentityProvider()) {
            ProviderTokens its = tokens(other.issuer(), DEFAULTS, Duration.ofMillis(1));
            its.identify(other.token(other.claims("jane", "viewer")));
            other.moveKeys("/moved");
            other.changeKeys();
            String token = other.token(other.claims("jane", "viewer"));
            // The first look finds out that they have moved, the next one where to.
            await().atMost(Duration.ofMinutes(1))
                    .ignoreExceptions()
                    .until(() -> its.identify(token).actor().equals("user:jane"));
        }
    }

    @Test
    void providerThatDoesNotSayWhereItsKeysAreIsAsGoodAsAway() {
        try (IdentityProvider other = new IdentityProvider()) {
            other.moveKeys(null);
            ProviderTokens its = tokens(other.issuer(), DEFAULTS, Duration.ofMillis(1));
            String token = other.token(other.claims("jane", "viewer"));
            assertThatThrownBy(() -> its.identify(token)).isInstanceOf(AuthenticationServiceException.class);
        }
    }

    @Test
    void forgedTokensDoNotHaveTheProviderAskedAgainAndAgain() {
        try (IdentityProvider other = new IdentityProvider()) {
            ProviderTokens its = tokens(other.issuer(), DEFAULTS);
            its.identify(other.token(other.claims("jane", "viewer")));
            for (int i = 0; i < 20; i++) {
                String forged = other.forged("key-" + i, other.claims("jane", "admin"));
                assertThatThrownBy(() -> its.identify(forged)).isInstanceOf(BadCredentialsException.class);
            }
            assertThat(other.asked()).isLessThanOrEqualTo(2);
        }
    }

    // Configuration.

    @Test
    void nobodysTokensAreTakenWhereNoProviderIsNamed() {
        assertThat(ProviderTokens.of(new OAuth2ResourceServerProperties.Jwt(), DEFAULTS, Clock.systemUTC()))
                .isEmpty();
    }

    @Test
    void whatWouldLetInTooManyIsRefused() {
        OAuth2ResourceServerProperties.Jwt anyIssuer = new OAuth2ResourceServerProperties.Jwt();
        anyIssuer.setJwkSetUri("https://idp.example/keys");
        for (var wrong : Map.of(
                        properties("https://idp.example"),
                        "audiences is missing",
                        properties("http://idp.example", "x"),
                        "neither https",
                        properties("http://localhost.evil.example", "x"),
                        "neither https",
                        anyIssuer,
                        "issuer-uri is missing")
                .entrySet()) {
            assertThatThrownBy(() -> ProviderTokens.of(wrong.getKey(), DEFAULTS, Clock.systemUTC()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(wrong.getValue());
        }
    }

    @Test
    void clocksDifferByMinutesAtMost() {
        assertThatThrownBy(() -> new JwtSettings("roles", Map.of(), "sub", null, Duration.ofHours(1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("clock-skew");
    }
}
