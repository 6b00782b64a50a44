package io.apportion.server.web;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.util.Arrays;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.springframework.core.MethodParameter;
import org.springframework.web.bind.annotation.ModelAttribute;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.method.HandlerMethod;
import org.springframework.web.servlet.HandlerInterceptor;

/**
 * Refuses query parameters that the handler does not know, or that are there twice: {@code dryrun=true} must not become a
 * change that nobody meant.
 */
final class KnownParameters implements HandlerInterceptor {

    private final Map<HandlerMethod, Map<String, Known>> known = new ConcurrentHashMap<>();

    /**
     * @param repeatable may be there more than once
     * @param text may be empty: for any other type Spring takes that for the default, and {@code dryRun=} for false
     */
    private record Known(boolean repeatable, boolean text) {
        static Known of(Class<?> type) {
            return new Known(type.isArray() || Collection.class.isAssignableFrom(type), type == String.class);
        }
    }

    @Override
    public boolean preHandle(HttpServletRequest request, HttpServletResponse response, Object handler) {
        if (handler instanceof HandlerMethod method
                && method.getBeanType().getName().startsWith("io.apportion.")) {
            Map<String, Known> parameters = known.computeIfAbsent(method, KnownParameters::parametersOf);
            request.getParameterMap().forEach((name, values) -> check(name, values, parameters));
        }
        return true;
    }

    private static void check(String name, String[] values, Map<String, Known> parameters) {
        Known parameter = parameters.get(name);
        if (parameter == null) {
            throw malformed("The parameter " + name + " is unknown here; known are: "
                    + (parameters.isEmpty() ? "none" : String.join(", ", parameters.keySet())) + ".");
        }
        if (values.length > 1 && !parameter.repeatable()) {
            throw malformed("The parameter " + name + " is there " + values.length + " times.");
        }
        if (!parameter.text() && Arrays.asList(values).contains("")) {
            throw malformed("The parameter " + name + " is empty.");
        }
        if (!Arrays.stream(values).allMatch(TextForms::isStorable)) {
            throw malformed("The parameter " + name + " holds NUL, or half of a surrogate pair.");
        }
    }

    private static Map<String, Known> parametersOf(HandlerMethod method) {
        Map<String, Known> names = new TreeMap<>();
        for (MethodParameter parameter : method.getMethodParameters()) {
            RequestParam single = parameter.getParameterAnnotation(RequestParam.class);
            if (single != null) {
                String name = single.name().isEmpty() ? parameter.getParameter().getName() : single.name();
                names.put(name, Known.of(parameter.getParameterType()));
            } else if (parameter.hasParameterAnnotation(ModelAttribute.class)) {
                Arrays.stream(parameter.getParameterType().getRecordComponents())
                        .forEach(component -> names.put(component.getName(), Known.of(component.getType())));
            }
        }
        return names;
    }

    private static ProblemException malformed(String detail) {
        return new ProblemException(ProblemKind.MALFORMED_REQUEST, detail);
    }
}
