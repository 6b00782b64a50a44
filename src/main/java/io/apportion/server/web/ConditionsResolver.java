package io.apportion.server.web;

import io.apportion.server.matrix.Preconditions;
import jakarta.servlet.http.HttpServletRequest;
import java.time.Duration;
import java.util.Collections;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.core.MethodParameter;
import org.springframework.http.HttpHeaders;
import org.springframework.web.bind.support.WebDataBinderFactory;
import org.springframework.web.context.request.NativeWebRequest;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.method.support.ModelAndViewContainer;

/** Reads {@code If-Match}, {@code If-None-Match} and {@code Prefer} of a changing request. */
final class ConditionsResolver implements HandlerMethodArgumentResolver {

    /** More is taken as this much: a preference is not a demand. */
    static final Duration LONGEST_WAIT = Duration.ofSeconds(60);

    private static final Pattern ENTITY_TAG = Pattern.compile("(W/)?\"([\\x21\\x23-\\x7e]*)\"");
    private static final Pattern LIST_SEPARATOR = Pattern.compile("[ \\t]*(,[ \\t]*)+");
    private static final Pattern WAIT = Pattern.compile(
            "(?:|.*?,)[ \\t]*wait[ \\t]*=[ \\t]*\"?([0-9]{1,9})\"?[ \\t]*(?:[,;].*)?", Pattern.CASE_INSENSITIVE);

    private final CallerResolver callers = new CallerResolver();

    @Override
    public boolean supportsParameter(MethodParameter parameter) {
        return parameter.getParameterType() == Conditions.class;
    }

    @Override
    public Conditions resolveArgument(
            MethodParameter parameter,
            @Nullable ModelAndViewContainer container,
            NativeWebRequest webRequest,
            @Nullable WebDataBinderFactory binders) {
        HttpServletRequest request = Objects.requireNonNull(webRequest.getNativeRequest(HttpServletRequest.class));
        return new Conditions(
                callers.resolveArgument(parameter, container, webRequest, binders),
                new Preconditions(
                        ifMatch(header(request, HttpHeaders.IF_MATCH)),
                        createOnly(header(request, HttpHeaders.IF_NONE_MATCH))),
                patience(header(request, "Prefer")));
    }

    /** All lines of a header are one list. */
    private static @Nullable String header(HttpServletRequest request, String name) {
        return request.getHeader(name) == null ? null : String.join(",", Collections.list(request.getHeaders(name)));
    }

    /** Strong comparison (RFC 9110): a weak tag is never the present one. */
    static @Nullable Set<String> ifMatch(@Nullable String header) {
        if (header == null) {
            return null;
        }
        String list = header.strip();
        if (list.equals("*")) {
            return Set.of("*");
        }
        Set<String> tags = new HashSet<>();
        Matcher tag = ENTITY_TAG.matcher(list);
        Matcher separator = LIST_SEPARATOR.matcher(list);
        int at = 0;
        while (at < list.length()) {
            if (!tag.find(at) || tag.start() != at) {
                throw malformed(HttpHeaders.IF_MATCH, "* or tags in double quotes, separated by commas");
            }
            if (tag.group(1) == null && !tag.group(2).equals("*")) {
                tags.add(tag.group(2));
            }
            at = tag.end();
            if (at < list.length()) {
                if (!separator.find(at) || separator.start() != at) {
                    throw malformed(HttpHeaders.IF_MATCH, "* or tags in double quotes, separated by commas");
                }
                at = separator.end();
            }
        }
        return tags;
    }

    static boolean createOnly(@Nullable String header) {
        if (header == null) {
            return false;
        }
        if (!header.strip().equals("*")) {
            throw malformed(HttpHeaders.IF_NONE_MATCH, "* for a change");
        }
        return true;
    }

    /** What cannot be understood of a preference is ignored (RFC 7240). */
    static Duration patience(@Nullable String prefer) {
        if (prefer == null) {
            return Duration.ZERO;
        }
        Matcher wait = WAIT.matcher(prefer);
        if (!wait.matches()) {
            return Duration.ZERO;
        }
        Duration wanted = Duration.ofSeconds(Long.parseLong(wait.group(1)));
        return wanted.compareTo(LONGEST_WAIT) > 0 ? LONGEST_WAIT : wanted;
    }

    private static ProblemException malformed(String header, String expected) {
        return new ProblemException(
                ProblemKind.MALFORMED_REQUEST, "The header " + header + " is not " + expected + ".");
    }
}
