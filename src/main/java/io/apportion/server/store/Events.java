package io.apportion.server.store;

import org.springframework.data.jpa.repository.Query;
import org.springframework.data.repository.Repository;

public interface Events extends Repository<EventRow, Long> {

    /** The greatest position given; 0 before the first. */
    @Query(value = "select newest from event_positions", nativeQuery = true)
    long newest();

    /** The greatest position whose event was pruned; 0 before the first. */
    @Query(value = "select pruned from event_positions", nativeQuery = true)
    long pruned();
}
