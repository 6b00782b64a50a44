package io.apportion.contract;

import static org.assertj.core.api.Assertions.assertThat;

import jakarta.servlet.FilterChain;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.mock.web.MockHttpServletRequest;
import org.springframework.mock.web.MockHttpServletResponse;

/** An answer that the contract does not have does not get past the filter. */
class ContractFilterTests {

    @AfterEach
    void leaveNothingToTheListener() {
        ContractFilter.VIOLATIONS.clear();
    }

    private static int statusOf(FilterChain chain) throws ServletException, IOException {
        MockHttpServletResponse response = new MockHttpServletResponse();
        new ContractFilter().doFilter(new MockHttpServletRequest("GET", "/api/v1/hosts/lpar1"), response, chain);
        return response.getStatus();
    }

    @Test
    void refusesAnErrorWithoutABody() throws Exception {
        assertThat(statusOf((request, response) -> ((HttpServletResponse) response).setStatus(404)))
                .isEqualTo(ContractFilter.BROKEN);
        assertThat(ContractFilter.VIOLATIONS).hasSize(1);
    }

    @Test
    void leavesToTheContainerWhatItAnswersBecauseOfAnException() throws Exception {
        assertThat(statusOf((request, response) -> {
                    request.setAttribute(RequestDispatcher.ERROR_EXCEPTION, new IOException("framing"));
                    ((HttpServletResponse) response).setStatus(400);
                }))
                .isEqualTo(400);
        assertThat(ContractFilter.VIOLATIONS).isEmpty();
    }
}
