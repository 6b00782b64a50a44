package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.convert.converter.Converter;
import org.springframework.core.convert.converter.ConverterFactory;
import org.springframework.format.FormatterRegistry;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.servlet.config.annotation.InterceptorRegistry;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** How paths and queries are read: as strictly as bodies are. */
@Configuration(proxyBeanMethods = false)
class WebConfiguration implements WebMvcConfigurer {

    @Override
    public void addFormatters(FormatterRegistry registry) {
        registry.addConverter(String.class, AdapterNumber.class, AdapterNumber::parse);
        registry.addConverter(String.class, DomainNumber.class, DomainNumber::parse);
        registry.addConverter(String.class, Queue.class, NumberForms::parseQueue);
        registry.addConverter(String.class, ApMask.class, NumberForms::parseMask);
        registry.addConverter(String.class, UUID.class, TextForms::parseUuid);
        registry.addConverter(String.class, Boolean.class, TextForms::parseBoolean);
        registry.addConverter(String.class, Integer.class, TextForms::parseInteger);
        registry.addConverter(String.class, Long.class, TextForms::parseLong);
        registry.addConverter(String.class, Instant.class, TextForms::parseInstant);
        registry.addConverterFactory(new Words());
    }

    @Override
    public void addArgumentResolvers(List<HandlerMethodArgumentResolver> resolvers) {
        resolvers.add(new CallerResolver());
        resolvers.add(new ConditionsResolver());
    }

    @Override
    public void addInterceptors(InterceptorRegistry registry) {
        registry.addInterceptor(new KnownParameters());
    }

    @SuppressWarnings("rawtypes")
    private static final class Words implements ConverterFactory<String, Enum> {
        @Override
        @SuppressWarnings("unchecked")
        public <E extends Enum> Converter<String, E> getConverter(Class<E> type) {
            return text -> (E) TextForms.parseWord(type, text);
        }
    }
}
