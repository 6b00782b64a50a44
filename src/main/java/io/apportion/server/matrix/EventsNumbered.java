package io.apportion.server.matrix;

/**
 * Published after events got their positions, by this replica or another one: a wake-up, never the truth.
 *
 * @param newest the greatest position given
 */
public record EventsNumbered(long newest) {}
