package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.apportion.server.identity.Identity;
import io.apportion.server.identity.Role;
import jakarta.servlet.http.MappingMatch;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.mock.web.MockHttpServletMapping;
import org.springframework.mock.web.MockHttpServletRequest;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.core.authority.AuthorityUtils;
import org.springframework.security.web.access.intercept.RequestAuthorizationContext;

class AccessRulesTests {

    private final AccessRules rules = new AccessRules(false);

    /** Spring MVC leaves both away before it looks whose path it is. */
    @ParameterizedTest
    @CsvSource({
        "GET,    /api/v1/tokens,                    VIEWER",
        "POST,   /api/v1/tokens,                    OPERATOR",
        "DELETE, /api/v1/hosts/lpar1,               OPERATOR",
        "GET,    /agent/v1/hosts/lpar1/desired,     ADMIN",
        "PUT,    /agent/v1/hosts/lpar1/observed,    OPERATOR"
    })
    void prefixesGiveNobodyMore(String method, String path, Role role) {
        for (String context : new String[] {"", "/crypto"}) {
            for (String servlet : new String[] {"", "/x"}) {
                MockHttpServletRequest request = new MockHttpServletRequest(method, context + servlet + path);
                request.setContextPath(context);
                if (!servlet.isEmpty()) {
                    request.setServletPath(servlet);
                    request.setPathInfo(path);
                    request.setHttpServletMapping(
                            new MockHttpServletMapping(path, servlet + "/*", "dispatcherServlet", MappingMatch.PATH));
                }
                Identity identity = new Identity("user:jane", role, null, Map.of(), null, null);
                var shown = UsernamePasswordAuthenticationToken.authenticated(
                        identity, null, AuthorityUtils.NO_AUTHORITIES);
                assertThatThrownBy(() -> rules.authorize(() -> shown, new RequestAuthorizationContext(request)))
                        .as(request.getRequestURI())
                        .isInstanceOf(AccessDeniedException.class);
            }
        }
    }
}
