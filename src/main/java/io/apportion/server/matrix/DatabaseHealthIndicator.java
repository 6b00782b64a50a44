package io.apportion.server.matrix;

import io.apportion.server.store.DatabaseFault;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Component;

/**
 * Whether this replica can read the database, or could if it had less to do: then it is ready. A database that cannot be
 * written still answers those who read; taking all its replicas away would only replace a problem that says why by a
 * proxy's page.
 *
 * <p>However slow the database, the answer comes within a second, as that is how long probes wait; and however many ask,
 * one look is under way.
 */
@Component
class DatabaseHealthIndicator implements HealthIndicator {

    private static final Duration PATIENCE = Duration.ofMillis(800);
    private static final Duration CACHED = Duration.ofSeconds(1);

    /** While others have all connections, a look waits; it is told at once only when none can be made. */
    private static final Duration BUSY = Duration.ofSeconds(10);

    private final JdbcTemplate jdbc;
    private final DatabaseWatch watch;

    // Guarded by this.
    private CompletableFuture<Boolean> look = CompletableFuture.completedFuture(false);
    private long looked = System.nanoTime() - CACHED.toNanos();
    private long read = System.nanoTime() - BUSY.toNanos();

    DatabaseHealthIndicator(JdbcTemplate jdbc, DatabaseWatch watch) {
        this.jdbc = jdbc;
        this.watch = watch;
    }

    @Override
    public Health health() {
        boolean ready;
        try {
            ready = newestLook().get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException slow) {
            ready = readLately();
        } catch (ExecutionException never) {
            throw new IllegalStateException(never);
        } catch (InterruptedException stopping) {
            Thread.currentThread().interrupt();
            ready = false;
        }
        return (ready ? Health.up() : Health.down()).build();
    }

    private synchronized CompletableFuture<Boolean> newestLook() {
        if (look.isDone() && System.nanoTime() - looked >= CACHED.toNanos()) {
            look = CompletableFuture.supplyAsync(this::canRead, Thread::startVirtualThread);
        }
        return look;
    }

    private boolean canRead() {
        boolean can = true;
        try {
            jdbc.queryForObject("select newest from event_positions", Long.class);
        } catch (RuntimeException e) {
            // Taking all replicas away because they have much to do would leave those who ask nobody at all.
            can = DatabaseFault.in(e) == DatabaseFault.CROWDED;
            watch.heed(e);
        }
        synchronized (this) {
            looked = System.nanoTime();
            if (can) {
                read = looked;
            }
        }
        return can;
    }

    private synchronized boolean readLately() {
        return System.nanoTime() - read < BUSY.toNanos();
    }
}
