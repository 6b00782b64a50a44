package io.apportion.server.matrix;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.ApplicationEventPublisher;
import org.springframework.context.event.EventListener;
import org.springframework.core.task.TaskRejectedException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;
import org.springframework.stereotype.Component;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.TransactionDefinition;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * Gives events their positions, once they are committed. Whatever number an event got inside its own transaction, another
 * one with a smaller number might still be about to appear behind a reader's back.
 *
 * <p>Whoever numbers holds the one row of {@code event_positions}, in this replica or another: so all events of a step
 * appear at once, and after those of all steps before.
 */
@Component
class EventNumbering {

    private static final Logger LOG = LoggerFactory.getLogger(EventNumbering.class);

    /**
     * By time, except that among the events of a host their count decides: the clocks of two replicas may differ, and a
     * clock may be set back.
     */
    private static final String UNNUMBERED = """
        select id from (
            select id, host_id, ordinal, max(at) over (partition by host_id order by ordinal) as reached
            from events where position is null) unnumbered
        order by reached, host_id, ordinal
        """;

    private final JdbcTemplate jdbc;
    private final TransactionTemplate transaction;
    private final ThreadPoolTaskScheduler scheduler;
    private final ApplicationEventPublisher publisher;
    private final OtherReplicas others;
    private final AtomicBoolean asked = new AtomicBoolean();

    /** Guarded by this. */
    private long told;

    EventNumbering(
            JdbcTemplate jdbc,
            PlatformTransactionManager transactions,
            ThreadPoolTaskScheduler scheduler,
            ApplicationEventPublisher publisher,
            OtherReplicas others) {
        this.jdbc = jdbc;
        this.transaction = new TransactionTemplate(transactions);
        // Each statement shall see what was committed before it, and so what was before the lock was had.
        transaction.setIsolationLevel(TransactionDefinition.ISOLATION_READ_COMMITTED);
        this.scheduler = scheduler;
        this.publisher = publisher;
        this.others = others;
    }

    @EventListener
    void stored(MatrixChanged changed) {
        if (changed.events() && asked.compareAndSet(false, true)) {
            try {
                scheduler.execute(this::number);
            } catch (TaskRejectedException stopping) {
                LOG.debug("Events are left to be numbered at the next start", stopping);
            }
        }
    }

    /** Numbers all events that have no position. Where there are none, it writes nothing and locks nothing. */
    synchronized void number() {
        asked.set(false);
        boolean[] numbered = {false};
        long newest = Objects.requireNonNull(transaction.execute(status -> {
            numbered[0] = Boolean.TRUE.equals(
                    jdbc.queryForObject("select exists (select 1 from events where position is null)", Boolean.class));
            return numbered[0] ? numberAll() : jdbc.queryForObject("select newest from event_positions", Long.class);
        }));
        if (numbered[0]) {
            others.numbered(newest);
        }
        if (newest > told) {
            told = newest;
            publisher.publishEvent(new EventsNumbered(newest));
        }
    }

    private long numberAll() {
        long position = Objects.requireNonNull(
                jdbc.queryForObject("select newest from event_positions for update", Long.class));
        List<Object[]> numbered = new ArrayList<>();
        for (Long id : jdbc.queryForList(UNNUMBERED, Long.class)) {
            numbered.add(new Object[] {++position, id});
        }
        jdbc.batchUpdate("update events set position = ? where id = ?", numbered);
        jdbc.update("update event_positions set newest = ?", position);
        return position;
    }
}
