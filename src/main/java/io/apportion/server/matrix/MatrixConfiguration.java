package io.apportion.server.matrix;

import java.time.Clock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.scheduling.annotation.EnableScheduling;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;

@Configuration(proxyBeanMethods = false)
@EnableScheduling
@EnableConfigurationProperties(MatrixSettings.class)
class MatrixConfiguration {

    private static final Logger LOG = LoggerFactory.getLogger(MatrixConfiguration.class);

    /** Of every time that is stored; tests set their own. */
    @Bean
    @ConditionalOnMissingBean
    Clock clock() {
        return Clock.systemUTC();
    }

    /**
     * Of all that is done again and again, or after an answer. Its threads are never interrupted: H2 would close its file
     * under everybody else.
     */
    @Bean
    ThreadPoolTaskScheduler taskScheduler(DatabaseWatch watch) {
        ThreadPoolTaskScheduler scheduler = new ThreadPoolTaskScheduler();
        scheduler.setVirtualThreads(true);
        scheduler.setThreadNamePrefix("round-");
        scheduler.setPoolSize(8);
        scheduler.setWaitForTasksToCompleteOnShutdown(true);
        scheduler.setAwaitTerminationSeconds(20);
        scheduler.setErrorHandler(failure -> {
            if (watch.heed(failure) == null) {
                LOG.warn("A round was not done; it comes again", failure);
            }
        });
        return scheduler;
    }
}
