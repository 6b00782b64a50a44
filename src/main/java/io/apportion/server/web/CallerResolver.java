package io.apportion.server.web;

import io.apportion.server.identity.Identity;
import io.apportion.server.identity.Role;
import io.apportion.server.matrix.Caller;
import org.jspecify.annotations.Nullable;
import org.springframework.core.MethodParameter;
import org.springframework.security.authentication.InsufficientAuthenticationException;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.web.bind.support.WebDataBinderFactory;
import org.springframework.web.context.request.NativeWebRequest;
import org.springframework.web.context.request.ServletWebRequest;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.method.support.ModelAndViewContainer;

/** Gives controllers the {@link Caller}. */
final class CallerResolver implements HandlerMethodArgumentResolver {

    @Override
    public boolean supportsParameter(MethodParameter parameter) {
        return parameter.getParameterType() == Caller.class;
    }

    @Override
    public Caller resolveArgument(
            MethodParameter parameter,
            @Nullable ModelAndViewContainer container,
            NativeWebRequest request,
            @Nullable WebDataBinderFactory binders) {
        Identity identity = identity(SecurityContextHolder.getContext().getAuthentication());
        return new Caller(
                identity.actor(),
                identity.role().covers(Role.ADMIN),
                identity.scope(),
                RequestIds.of(((ServletWebRequest) request).getRequest()));
    }

    /** Nobody gets this far without an identity; if that is ever wrong, it ends here. */
    private static Identity identity(@Nullable Authentication authentication) {
        if (authentication != null && authentication.getPrincipal() instanceof Identity identity) {
            return identity;
        }
        throw new InsufficientAuthenticationException("The request has no identity.");
    }
}
