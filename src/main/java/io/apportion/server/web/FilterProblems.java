package io.apportion.server.web;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.stereotype.Component;
import org.springframework.web.filter.OncePerRequestFilter;
import org.springframework.web.servlet.HandlerExceptionResolver;

/** What filters throw becomes a problem as if a controller had thrown it. */
@Component
@Order(Ordered.HIGHEST_PRECEDENCE + 1)
final class FilterProblems extends OncePerRequestFilter {

    private final ObjectProvider<HandlerExceptionResolver> resolver;

    FilterProblems(@Qualifier("handlerExceptionResolver") ObjectProvider<HandlerExceptionResolver> resolver) {
        this.resolver = resolver;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        try {
            chain.doFilter(request, response);
        } catch (RuntimeException | ServletException | IOException e) {
            if (!response.isCommitted()) {
                SafeHeaders.on(response);
            }
            // At DEBUG Spring MVC reads all parameters for its log, and wraps what it meets there.
            Exception met = e instanceof ServletException wrapper && wrapper.getRootCause() instanceof Exception cause
                    ? cause
                    : e;
            if (!answer(request, response, met)) {
                throw e;
            }
        }
    }

    /** @return whether it is answered */
    boolean answer(HttpServletRequest request, HttpServletResponse response, Exception exception) {
        return !response.isCommitted()
                && resolver.getObject().resolveException(request, response, null, exception) != null;
    }
}
