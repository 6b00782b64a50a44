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

    /** By handler: each parameter's name, and whether it may be there more than once. */
    private final Map<HandlerMethod, Map<String, Boolean>> known = new ConcurrentHashMap<>();

    @Override
    public boolean preHandle(HttpServletRequest request, HttpServletResponse response, Object handler) {
        if (handler instanceof HandlerMethod method
                && method.getBeanType().getName().startsWith("io.apportion.")) {
            Map<String, Boolean> parameters = known.computeIfAbsent(method, KnownParameters::parametersOf);
            request.getParameterMap().forEach((name, values) -> check(name, values, parameters));
        }
        return true;
    }

    private static void check(String name, String[] values, Map<String, Boolean> parameters) {
        Boolean repeatable = parameters.get(name);
        if (repeatable == null) {
            throw malformed("The parameter " + name + " is unknown here; known are: "
                    + (parameters.isEmpty() ? "none" : String.join(", ", parameters.keySet())) + ".");
        }
        if (values.length > 1 && !repeatable) {
            throw malformed("The parameter " + name + " is there " + values.length + " times.");
        }
        if (!Arrays.stream(values).allMatch(TextForms::isStorable)) {
            throw malformed("The parameter " + name + " holds NUL, or half of a surrogate pair.");
        }
    }

    private static Map<String, Boolean> parametersOf(HandlerMethod method) {
        Map<String, Boolean> names = new TreeMap<>();
        for (MethodParameter parameter : method.getMethodParameters()) {
            RequestParam single = parameter.getParameterAnnotation(RequestParam.class);
            if (single != null) {
                String name = single.name().isEmpty() ? parameter.getParameter().getName() : single.name();
                names.put(name, isRepeatable(parameter.getParameterType()));
            } else if (parameter.hasParameterAnnotation(ModelAttribute.class)) {
                Arrays.stream(parameter.getParameterType().getRecordComponents())
                        .forEach(component -> names.put(component.getName(), isRepeatable(component.getType())));
            }
        }
        return names;
    }

    private static boolean isRepeatable(Class<?> type) {
        return type.isArray() || Collection.class.isAssignableFrom(type);
    }

    private static ProblemException malformed(String detail) {
        return new ProblemException(ProblemKind.MALFORMED_REQUEST, detail);
    }
}
