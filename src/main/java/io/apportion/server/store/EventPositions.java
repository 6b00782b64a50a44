package io.apportion.server.store;

import org.jspecify.annotations.Nullable;

/** Which positions of events were given, and which of them still mean something, seen from one of them. */
public interface EventPositions {

    /** The greatest whose event was pruned; 0 before the first. */
    long getPruned();

    /** The greatest given; 0 before the first. */
    long getNewest();

    /** Not null: a lost database may have given that position, and this is the newest that the backup had. */
    @Nullable
    Long getKept();
}
