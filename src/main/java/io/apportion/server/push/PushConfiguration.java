package io.apportion.server.push;

import io.apportion.server.matrix.ReportService;
import java.time.Duration;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.converter.HttpMessageConverters;
import org.springframework.scheduling.annotation.SchedulingConfigurer;
import org.springframework.scheduling.config.ScheduledTaskRegistrar;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** How agents' bodies are read, and what is done for agents again and again. */
@Configuration(proxyBeanMethods = false)
class PushConfiguration implements WebMvcConfigurer, SchedulingConfigurer {

    private static final Duration EVERY_SECOND = Duration.ofSeconds(1);

    private final PushSettings settings;
    private final DesiredStreams streams;
    private final Presence presence;
    private final ReportService reports;

    PushConfiguration(PushSettings settings, DesiredStreams streams, Presence presence, ReportService reports) {
        this.settings = settings;
        this.streams = streams;
        this.presence = presence;
        this.reports = reports;
    }

    @Override
    public void configureMessageConverters(HttpMessageConverters.ServerBuilder converters) {
        converters.addCustomConverter(new WireBodies(settings.largestBody()));
    }

    @Override
    public void configureTasks(ScheduledTaskRegistrar tasks) {
        tasks.addFixedDelayTask(streams::catchUp, settings.lookEvery());
        tasks.addFixedDelayTask(presence::store, settings.heardEvery());
        tasks.addFixedDelayTask(reports::tellSilent, EVERY_SECOND);
        tasks.addFixedDelayTask(reports::orderRepairs, EVERY_SECOND);
    }
}
