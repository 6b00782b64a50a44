package io.apportion.server.web;

import io.apportion.server.web.ProblemView.BadNumber;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import org.springframework.core.MethodParameter;
import org.springframework.http.HttpInputMessage;
import org.springframework.http.converter.HttpMessageConverter;
import org.springframework.web.bind.annotation.ControllerAdvice;
import org.springframework.web.context.request.RequestAttributes;
import org.springframework.web.context.request.RequestContextHolder;
import org.springframework.web.servlet.mvc.method.annotation.RequestBodyAdviceAdapter;

/**
 * Gathers the bad numbers of a body, so that all of them are told at once. While there is one, reading goes on with a
 * stand-in, and the body never reaches its controller.
 */
@ControllerAdvice
final class BadNumbers extends RequestBodyAdviceAdapter {

    private static final String ATTRIBUTE = BadNumbers.class.getName();

    private record Found(ProblemKind kind, BadNumber number) {}

    /** @param at the place in the body as a JSON pointer */
    static void add(String at, NumberException bad) {
        RequestAttributes request = RequestContextHolder.getRequestAttributes();
        if (request == null) {
            throw bad;
        }
        List<Found> found = found(request);
        found.add(new Found(bad.kind(), bad.at(at)));
        request.setAttribute(ATTRIBUTE, found, RequestAttributes.SCOPE_REQUEST);
    }

    /** One number of a path or query. */
    static Problem problem(String at, NumberException bad) {
        return problem(List.of(new Found(bad.kind(), bad.at(at))));
    }

    /** @throws ProblemException if the body read had bad numbers */
    static void refuse(RequestAttributes request) {
        List<Found> found = found(request);
        if (!found.isEmpty()) {
            throw new ProblemException(problem(found));
        }
    }

    @Override
    public boolean supports(
            MethodParameter parameter, Type target, Class<? extends HttpMessageConverter<?>> converter) {
        return true;
    }

    @Override
    public Object afterBodyRead(
            Object body,
            HttpInputMessage message,
            MethodParameter parameter,
            Type target,
            Class<? extends HttpMessageConverter<?>> converter) {
        refuse(RequestContextHolder.currentRequestAttributes());
        return body;
    }

    /** The kind is that of the least readable number: the catalogue lists them so. */
    private static Problem problem(List<Found> found) {
        ProblemKind kind =
                found.stream().map(Found::kind).min(Comparator.naturalOrder()).orElseThrow();
        List<BadNumber> numbers = found.stream().map(Found::number).toList();
        return new Problem(
                        kind,
                        numbers.stream()
                                .limit(5)
                                .map(number -> number.at() + ": " + number.detail())
                                .collect(Collectors.joining("; ", "", numbers.size() > 5 ? "; …" : ".")))
                .numbers(numbers);
    }

    @SuppressWarnings("unchecked")
    private static List<Found> found(RequestAttributes request) {
        Object found = request.getAttribute(ATTRIBUTE, RequestAttributes.SCOPE_REQUEST);
        return found == null ? new ArrayList<>() : (List<Found>) found;
    }
}
