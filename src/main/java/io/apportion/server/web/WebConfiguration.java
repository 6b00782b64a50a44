package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import io.apportion.server.identity.TokenService;
import java.beans.PropertyEditorSupport;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import java.util.function.Function;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.convert.converter.Converter;
import org.springframework.core.convert.converter.ConverterFactory;
import org.springframework.format.FormatterRegistry;
import org.springframework.scheduling.annotation.SchedulingConfigurer;
import org.springframework.scheduling.config.ScheduledTaskRegistrar;
import org.springframework.web.bind.WebDataBinder;
import org.springframework.web.bind.annotation.ControllerAdvice;
import org.springframework.web.bind.annotation.InitBinder;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.servlet.config.annotation.InterceptorRegistry;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** How paths and queries are read: as strictly as bodies are. */
@Configuration(proxyBeanMethods = false)
class WebConfiguration implements WebMvcConfigurer, SchedulingConfigurer {

    private final OpenStreams streams;
    private final TokenService tokens;

    WebConfiguration(OpenStreams streams, TokenService tokens) {
        this.streams = streams;
        this.tokens = tokens;
    }

    @Override
    public void addFormatters(FormatterRegistry registry) {
        registry.addConverter(String.class, AdapterNumber.class, AdapterNumber::parse);
        registry.addConverter(String.class, DomainNumber.class, DomainNumber::parse);
        registry.addConverter(String.class, Queue.class, NumberForms::parseQueue);
        registry.addConverter(String.class, ApMask.class, NumberForms::parseMask);
        registry.addConverter(String.class, Instant.class, TextForms::parseInstant);
        registry.addConverterFactory(new Words());
    }

    @Override
    public void addArgumentResolvers(List<HandlerMethodArgumentResolver> resolvers) {
        resolvers.add(new CallerResolver());
        resolvers.add(new StayResolver());
        resolvers.add(new ConditionsResolver());
    }

    @Override
    public void addInterceptors(InterceptorRegistry registry) {
        registry.addInterceptor(new KnownParameters());
        registry.addInterceptor(streams);
    }

    @Override
    public void configureTasks(ScheduledTaskRegistrar tasks) {
        tasks.addFixedDelayTask(streams::look, tokens.pause());
    }

    @SuppressWarnings("rawtypes")
    private static final class Words implements ConverterFactory<String, Enum> {
        @Override
        @SuppressWarnings("unchecked")
        public <E extends Enum> Converter<String, E> getConverter(Class<E> type) {
            return text -> (E) TextForms.parseWord(type, text);
        }
    }

    /**
     * The types that Spring has editors of its own for. Where a converter refuses a text, those would have a second look
     * at it and take {@code dryRun=on} or the UUID {@code 1-1-1-1-1}.
     */
    @ControllerAdvice
    static final class Editors {

        @InitBinder
        void replaceEditors(WebDataBinder binder) {
            binder.registerCustomEditor(UUID.class, new TextEditor(TextForms::parseUuid));
            for (Class<?> type : List.of(boolean.class, Boolean.class)) {
                binder.registerCustomEditor(type, new TextEditor(TextForms::parseBoolean));
            }
            for (Class<?> type : List.of(int.class, Integer.class)) {
                binder.registerCustomEditor(type, new TextEditor(TextForms::parseInteger));
            }
            for (Class<?> type : List.of(long.class, Long.class)) {
                binder.registerCustomEditor(type, new TextEditor(TextForms::parseLong));
            }
        }
    }

    private static final class TextEditor extends PropertyEditorSupport {

        private final Function<String, Object> parse;

        TextEditor(Function<String, Object> parse) {
            this.parse = parse;
        }

        @Override
        public void setAsText(String text) {
            setValue(parse.apply(text));
        }
    }
}
