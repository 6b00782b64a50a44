package io.apportion.contract;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.core.Ordered;

/** In every server that runs with the tests on its class path, in this process or in one of its own. */
@AutoConfiguration
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
public class ContractAutoConfiguration {

    /** Before all others: what they answer is held to the contract too. */
    @Bean
    FilterRegistrationBean<ContractFilter> contractFilter() {
        FilterRegistrationBean<ContractFilter> filter = new FilterRegistrationBean<>(new ContractFilter());
        filter.setOrder(Ordered.HIGHEST_PRECEDENCE);
        return filter;
    }
}
