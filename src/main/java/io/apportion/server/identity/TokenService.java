package io.apportion.server.identity;

import io.apportion.server.store.TokenRow;
import io.apportion.server.store.Tokens;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.data.domain.Limit;
import org.springframework.stereotype.Service;

/**
 * Issues, lists, revokes and recognises tokens.
 *
 * <p>A token is 256 random bits, and its SHA-256 is what is stored. bcrypt and its like make guessing slow, which such a
 * token does not need, and would make every request slow, as each shows its token.
 */
@Service
public class TokenService {

    /** So that people and scanners of leaked secrets know one when they see it. */
    private static final String PREFIX = "apportion_";

    /** 256 bits. */
    private static final Pattern TOKEN = Pattern.compile(PREFIX + "[A-Za-z0-9_-]{43}");

    private static final UUID BEFORE_ALL = new UUID(0, 0);

    private final SecureRandom random = new SecureRandom();
    private final Tokens tokens;
    private final Duration remembered;
    private final Clock clock;

    /**
     * By hash, those that were good when last looked up. Never holds more than there are tokens. Found by hash, and never
     * compared as they are: how long that takes tells nothing of a secret.
     */
    private final Map<String, Known> known = new ConcurrentHashMap<>();

    /** When all that is known was last seen to be good still. */
    private volatile Instant lookedAgain = Instant.EPOCH;

    private final AtomicLong revocations = new AtomicLong();

    private record Known(Token token, Instant readAt) {}

    /** @param secret to be shown once: nobody can find it out again */
    public record Issued(Token token, String secret) {}

    TokenService(Tokens tokens, IdentitySettings settings, Clock clock) {
        this.tokens = tokens;
        this.remembered = settings.rememberTokens();
        this.clock = clock;
    }

    /** One that may do all that its role may. */
    public Issued issue(
            String name, Role role, @Nullable String host, @Nullable Instant expiresAt, String by, boolean dryRun) {
        return issue(name, role, host, Map.of(), expiresAt, by, dryRun);
    }

    /**
     * @param host for agents, and only for them
     * @param scope for operators, and only for them: labels that a host must have to be changed
     * @param by the actor who issues it
     * @param dryRun nothing is stored, and the secret is good for nothing
     */
    public Issued issue(
            String name,
            Role role,
            @Nullable String host,
            Map<String, String> scope,
            @Nullable Instant expiresAt,
            String by,
            boolean dryRun) {
        Issued issued = draft(UUID.randomUUID(), name, role, host, scope, expiresAt, by);
        if (!dryRun) {
            store(issued);
        }
        return issued;
    }

    /** A token of which nobody will know the secret, under an id that is known: something to look at. */
    public void issueForShow(UUID id, String name, Role role, String by) {
        store(draft(id, name, role, null, Map.of(), null, by));
    }

    /** A token that is good once it is stored. */
    Issued draft(String name, Role role, @Nullable String host, @Nullable Instant expiresAt, String by) {
        return draft(UUID.randomUUID(), name, role, host, Map.of(), expiresAt, by);
    }

    /** One for an admin, with a secret that somebody else has made. */
    Issued draftOf(String secret, String name, String by) {
        Instant now = clock.instant().truncatedTo(ChronoUnit.MICROS);
        return new Issued(new Token(UUID.randomUUID(), name, Role.ADMIN, null, Map.of(), now, by, null), secret);
    }

    private Issued draft(
            UUID id,
            String name,
            Role role,
            @Nullable String host,
            Map<String, String> scope,
            @Nullable Instant expiresAt,
            String by) {
        if ((role == Role.AGENT) != (host != null)) {
            throw new IllegalArgumentException("a host is for agents, and only for them");
        }
        if (role != Role.OPERATOR && !scope.isEmpty()) {
            throw new IllegalArgumentException("a scope is for operators, and only for them");
        }
        byte[] bits = new byte[32];
        random.nextBytes(bits);
        String secret = PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(bits);
        Instant now = clock.instant().truncatedTo(ChronoUnit.MICROS);
        return new Issued(new Token(id, name, role, host, Map.copyOf(scope), now, by, expiresAt), secret);
    }

    void store(Issued issued) {
        Token token = issued.token();
        TokenRow row = new TokenRow();
        row.id = token.id();
        row.hash = hash(issued.secret());
        row.name = token.name();
        row.role = token.role().toString();
        row.host = token.host();
        row.scope = token.scope();
        row.createdAt = token.createdAt();
        row.createdBy = token.createdBy();
        row.expiresAt = token.expiresAt();
        tokens.save(row);
    }

    /** @param after by id, only later ones; null: from the first */
    public List<Token> list(@Nullable UUID after, int limit) {
        return tokens.findByIdGreaterThanOrderById(after == null ? BEFORE_ALL : after, Limit.of(limit)).stream()
                .map(TokenService::token)
                .toList();
    }

    public Optional<Token> find(UUID id) {
        return tokens.findById(id).map(TokenService::token);
    }

    /** From one {@link #lookAgain} to the next, so that what is known is never older than it may be. */
    public Duration pause() {
        return remembered.dividedBy(2);
    }

    /**
     * Forgets those known that are good no more, whoever revoked them: one statement, and none if there is nobody to look
     * for.
     *
     * @param others of which the caller wants to know
     * @return those of the others that are good
     */
    public Set<UUID> lookAgain(Set<UUID> others) {
        if (known.isEmpty() && others.isEmpty()) {
            return Set.of();
        }
        Instant now = clock.instant();
        Set<UUID> good = tokens.idsOfValid(now);
        known.values().removeIf(entry -> !good.contains(entry.token().id()));
        lookedAgain = now;
        return others.stream().filter(good::contains).collect(Collectors.toUnmodifiableSet());
    }

    /** It is good for nothing from now on; on other replicas, once they have forgotten it. */
    public void revoke(UUID id) {
        tokens.deleteById(id);
        revocations.incrementAndGet();
        // The others stay: they are let in where an unknown one would not be.
        known.values().removeIf(entry -> entry.token().id().equals(id));
    }

    /** Whether some admin can still get in. */
    boolean hasAdmin() {
        return tokens.existsValid(Role.ADMIN.toString(), clock.instant());
    }

    /** Whether that is meant to be a token of this server's: anything else is somebody else's to judge. */
    public static boolean isToken(String secret) {
        return secret.startsWith(PREFIX);
    }

    /** Whether that has the shape of one of this server's, and room for as many bits. */
    static boolean isWhole(String secret) {
        return TOKEN.matcher(secret).matches();
    }

    /** Whether it was good when it was last looked up: that asks nobody, and does not say that it still is. */
    public boolean isKnown(String secret) {
        return known.containsKey(HexFormat.of().formatHex(hash(secret)));
    }

    /** @return whose token it is; nothing if it is unknown, revoked or expired */
    public Optional<Identity> identify(String secret) {
        byte[] hash = hash(secret);
        String key = HexFormat.of().formatHex(hash);
        Instant now = clock.instant();
        Known entry = known.get(key);
        Instant fresh = now.minus(remembered);
        if (entry == null || (entry.readAt().isBefore(fresh) && lookedAgain.isBefore(fresh))) {
            long before = revocations.get();
            Optional<Token> found = tokens.findByHash(hash).map(TokenService::token);
            if (found.isEmpty()) {
                known.remove(key);
                return Optional.empty();
            }
            entry = new Known(found.get(), now);
            known.put(key, entry);
            if (revocations.get() != before) {
                // It may have been read before its revocation, and put there after.
                known.remove(key);
            }
        }
        return identity(entry.token(), now);
    }

    /**
     * As {@link #identify}, for what is answered without the database: one that is known is not looked up, however long it
     * could not be. Whoever revokes it while this server reaches its database makes it forgotten by {@link #lookAgain}.
     */
    public Optional<Identity> identifyKnown(String secret) {
        Known entry = known.get(HexFormat.of().formatHex(hash(secret)));
        return entry == null ? identify(secret) : identity(entry.token(), clock.instant());
    }

    private static Optional<Identity> identity(Token token, Instant now) {
        boolean expired = token.expiresAt() != null && !now.isBefore(token.expiresAt());
        return expired ? Optional.empty() : Optional.of(token.identity());
    }

    private static Token token(TokenRow row) {
        return new Token(
                row.id, row.name, Role.of(row.role), row.host, row.scope, row.createdAt, row.createdBy, row.expiresAt);
    }

    private static byte[] hash(String secret) {
        return Hashes.sha256(secret.getBytes(StandardCharsets.UTF_8));
    }
}
