package io.apportion.server.matrix;

/**
 * Published after another replica changed something of a host: a wake-up, never the truth, and may be lost.
 *
 * @param newGeneration whether there is a newer desired state to push
 * @param settled whether commits came to an end
 */
public record ChangedElsewhere(String host, boolean newGeneration, boolean settled) {}
