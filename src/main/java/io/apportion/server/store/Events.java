package io.apportion.server.store;

import org.jspecify.annotations.Nullable;
import org.springframework.data.jpa.repository.Query;
import org.springframework.data.repository.Repository;

public interface Events extends Repository<EventRow, Long> {

    /** The greatest position given; 0 before the first. */
    @Query(value = "select newest from event_positions", nativeQuery = true)
    long newest();

    /** Null: there is no event that has a position. */
    @Query("select min(e.position) from EventRow e")
    @Nullable
    Long oldest();

    /** What is known of all positions and of this one. */
    @Query(value = """
        select p.pruned as pruned, p.newest as newest, l.kept as kept
        from event_positions p left join lost_positions l on l.kept < :position and :position < l.resumed
        """, nativeQuery = true)
    EventPositions positions(long position);
}
