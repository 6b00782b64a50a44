package io.apportion.server.matrix;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Clock;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.context.ApplicationEventPublisher;
import org.springframework.dao.ConcurrencyFailureException;
import org.springframework.dao.DataIntegrityViolationException;
import org.springframework.stereotype.Component;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * Takes matrix locks. See docs/locking.md.
 *
 * <p>First the host's queue in this process, fair and with a time-out, so that at most one connection of this replica ever
 * waits for a host in the database; then, in one transaction, the host's row for update. No call ever holds two.
 */
@Component
class MatrixLocks {

    private static final int TRIES = 4;

    private final ConcurrentHashMap<String, Turn> turns = new ConcurrentHashMap<>();
    private final TransactionTemplate transaction;
    private final Stores stores;
    private final ApplicationEventPublisher publisher;
    private final MatrixSettings settings;
    private final Clock clock;
    private final Timer waited;
    private final Timer held;

    MatrixLocks(
            PlatformTransactionManager transactions,
            Stores stores,
            ApplicationEventPublisher publisher,
            MatrixSettings settings,
            Clock clock,
            MeterRegistry meters) {
        this.transaction = new TransactionTemplate(transactions);
        this.stores = stores;
        this.publisher = publisher;
        this.settings = settings;
        this.clock = clock;
        this.waited = Timer.builder("apportion.matrix.lock.wait")
                .description("From asking for a host's matrix lock to having it, or to giving up")
                .publishPercentileHistogram()
                .register(meters);
        this.held = Timer.builder("apportion.matrix.lock.held")
                .description("From having a host's matrix lock to the end of the transaction")
                .publishPercentileHistogram()
                .register(meters);
    }

    /** One host's queue in this process. Users are counted so that names nobody asks for any more take no memory. */
    private static final class Turn {
        final Semaphore free = new Semaphore(1, true);
        int users;
    }

    /**
     * Runs that work with the host's matrix lock held, in one transaction; what it throws rolls everything back. It may be
     * run again after a conflict in the database, so it must have no effect outside of it.
     *
     * @throws NotDone.Busy if the lock was not free in time
     */
    <T> T withLock(String host, Caller caller, Function<LockedHost, T> work) {
        long asked = System.nanoTime();
        Turn turn = turns.compute(host, (name, present) -> {
            Turn kept = present == null ? new Turn() : present;
            kept.users++;
            return kept;
        });
        try {
            if (!turn.free.tryAcquire(settings.lockTimeout().toNanos(), TimeUnit.NANOSECONDS)) {
                throw givenUp(host, asked);
            }
            try {
                return lockRow(host, caller, work, asked);
            } finally {
                turn.free.release();
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new NotDone.Busy(host, Duration.ofSeconds(1));
        } finally {
            turns.computeIfPresent(host, (name, present) -> --present.users == 0 ? null : present);
        }
    }

    /** What waited in vain waited too. */
    private NotDone.Busy givenUp(String host, long asked) {
        waited.record(System.nanoTime() - asked, TimeUnit.NANOSECONDS);
        return new NotDone.Busy(host, Duration.ofSeconds(1));
    }

    private <T> T lockRow(String host, Caller caller, Function<LockedHost, T> work, long asked) {
        for (int attempt = 1; ; attempt++) {
            boolean[] locked = {false};
            long[] lockedAt = {0};
            AtomicReference<@Nullable LockedHost> used = new AtomicReference<>();
            T result;
            try {
                result = transaction.execute(status -> {
                    LockedHost lockedHost = LockedHost.lock(stores, host, caller, clock);
                    locked[0] = true;
                    lockedAt[0] = System.nanoTime();
                    waited.record(lockedAt[0] - asked, TimeUnit.NANOSECONDS);
                    T done = work.apply(lockedHost);
                    lockedHost.finish();
                    used.set(lockedHost);
                    return done;
                });
            } catch (ConcurrencyFailureException | DataIntegrityViolationException conflict) {
                if (!locked[0]) {
                    throw givenUp(host, asked);
                }
                if (attempt == TRIES) {
                    throw conflict;
                }
                continue;
            } finally {
                if (locked[0]) {
                    held.record(System.nanoTime() - lockedAt[0], TimeUnit.NANOSECONDS);
                }
            }
            // Kept: whatever a listener throws, this is not run again.
            LockedHost stored = used.get();
            if (stored != null) {
                stored.changed().ifPresent(publisher::publishEvent);
            }
            return Objects.requireNonNull(result);
        }
    }
}
