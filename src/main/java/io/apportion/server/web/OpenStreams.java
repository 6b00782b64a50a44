package io.apportion.server.web;

import io.apportion.server.identity.Identity;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.server.matrix.Stay;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.core.annotation.AnnotatedElementUtils;
import org.springframework.http.MediaType;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.stereotype.Component;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.method.HandlerMethod;
import org.springframework.web.servlet.HandlerInterceptor;

/**
 * Counts the streams that are open, so that nobody holds too many, and ends those of callers whose token was revoked or has
 * expired. Agents' are counted where they are served: one for each host.
 */
@Component
final class OpenStreams implements HandlerInterceptor {

    private static final Logger LOG = LoggerFactory.getLogger(OpenStreams.class);
    private static final String ATTRIBUTE = OpenStreams.class.getName();
    private static final Duration PAUSE = Duration.ofSeconds(5);

    private final WebSettings settings;
    private final TokenService tokens;
    private final Clock clock;
    private final Map<HandlerMethod, Boolean> streaming = new ConcurrentHashMap<>();
    private final Set<Open> open = ConcurrentHashMap.newKeySet();

    OpenStreams(WebSettings settings, TokenService tokens, Clock clock) {
        this.settings = settings;
        this.tokens = tokens;
        this.clock = clock;
    }

    private static final class Open {

        private final Identity identity;
        private final String address;
        private final Stay stay = new Stay();

        Open(Identity identity, String address) {
            this.identity = identity;
            this.address = address;
        }

        boolean isLimited() {
            return identity.role() != Role.AGENT;
        }
    }

    @Override
    public boolean preHandle(HttpServletRequest request, HttpServletResponse response, Object handler) {
        Identity identity = identity();
        if (identity == null
                || !(handler instanceof HandlerMethod method)
                || !streaming.computeIfAbsent(method, OpenStreams::isStreaming)) {
            return true;
        }
        Open stream = new Open(identity, request.getRemoteAddr());
        open.add(stream);
        request.setAttribute(ATTRIBUTE, stream);
        if (stream.isLimited()) {
            check(stream);
        }
        return true;
    }

    /** After it is counted itself: of two that come at once, at most one too many is refused, and never one too few. */
    private void check(Open stream) {
        List<Open> others = open.stream().filter(Open::isLimited).toList();
        long ofCaller = others.stream()
                .filter(other -> other.identity.actor().equals(stream.identity.actor()))
                .count();
        long ofAddress = others.stream()
                .filter(other -> other.address.equals(stream.address))
                .count();
        if (ofCaller > settings.streamsOfCaller() || ofAddress > settings.streamsOfAddress()) {
            open.remove(stream);
            throw new ProblemException(new Problem(
                            ProblemKind.TOO_MANY_STREAMS,
                            ofCaller > settings.streamsOfCaller()
                                    ? stream.identity.actor() + " has " + (ofCaller - 1) + " streams open."
                                    : "From this address " + (ofAddress - 1) + " streams are open.")
                    .retryAfter(PAUSE));
        }
    }

    @Override
    public void afterCompletion(
            HttpServletRequest request, HttpServletResponse response, Object handler, @Nullable Exception failure) {
        if (request.getAttribute(ATTRIBUTE) instanceof Open stream) {
            open.remove(stream);
        }
    }

    /** @return how long the caller may stay; for ever if nobody asked who it is */
    static Stay stay(HttpServletRequest request) {
        return request.getAttribute(ATTRIBUTE) instanceof Open stream ? stream.stay : new Stay();
    }

    /** Ends the streams of those who would not be let in any more. */
    void look() {
        Set<Open> present = new HashSet<>(open);
        endExpired(present);
        Set<UUID> good = tokens.lookAgain(present.stream()
                .map(stream -> stream.identity.token())
                .filter(Objects::nonNull)
                .collect(Collectors.toSet()));
        for (Open stream : present) {
            if (stream.identity.token() != null && !good.contains(stream.identity.token())) {
                end(stream);
            }
        }
    }

    /** Of those nobody has to be asked. */
    private void endExpired(Set<Open> present) {
        Instant now = clock.instant();
        for (Open stream : present) {
            if (stream.identity.until() != null && !now.isBefore(stream.identity.until())) {
                end(stream);
            }
        }
    }

    private static void end(Open stream) {
        if (!stream.stay.isOver()) {
            LOG.info("A stream of {} ends: its token or certificate is not good any more", stream.identity.actor());
            stream.stay.end();
        }
    }

    private static @Nullable Identity identity() {
        Authentication authentication = SecurityContextHolder.getContext().getAuthentication();
        return authentication != null && authentication.getPrincipal() instanceof Identity identity ? identity : null;
    }

    private static boolean isStreaming(HandlerMethod method) {
        RequestMapping mapping = AnnotatedElementUtils.findMergedAnnotation(method.getMethod(), RequestMapping.class);
        return mapping != null && List.of(mapping.produces()).contains(MediaType.TEXT_EVENT_STREAM_VALUE);
    }
}
