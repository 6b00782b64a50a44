package io.apportion.server.matrix;

import io.apportion.ap.CommitState;
import java.time.Duration;
import java.util.List;

/**
 * Published after the transaction that changed something of a host: a wake-up, never the truth. Whoever misses it finds
 * everything in the database.
 *
 * @param newGeneration whether there is a newer desired state to push
 * @param events whether events were stored that await their positions
 * @param settled commits that came to an end
 */
public record MatrixChanged(String host, boolean newGeneration, boolean events, List<Settled> settled) {

    /** @param after from stored to settled */
    public record Settled(CommitState state, Duration after) {}
}
