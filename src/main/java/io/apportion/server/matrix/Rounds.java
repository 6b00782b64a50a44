package io.apportion.server.matrix;

import java.time.Duration;
import org.springframework.context.annotation.Configuration;
import org.springframework.scheduling.annotation.SchedulingConfigurer;
import org.springframework.scheduling.config.ScheduledTaskRegistrar;

/** What this room does again and again. */
@Configuration(proxyBeanMethods = false)
class Rounds implements SchedulingConfigurer {

    private final EventNumbering numbering;
    private final Pruning pruning;
    private final DatabaseWatch watch;

    Rounds(EventNumbering numbering, Pruning pruning, DatabaseWatch watch) {
        this.numbering = numbering;
        this.pruning = pruning;
        this.watch = watch;
    }

    @Override
    public void configureTasks(ScheduledTaskRegistrar tasks) {
        // Events are numbered as they are stored; this finds those of a replica that died between the two.
        tasks.addFixedDelayTask(numbering::number, Duration.ofSeconds(1));
        tasks.addFixedDelayTask(pruning::prune, Duration.ofHours(1));
        tasks.addFixedDelayTask(watch::look, Duration.ofSeconds(2));
    }
}
