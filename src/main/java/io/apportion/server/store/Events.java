package io.apportion.server.store;

import java.util.List;
import java.util.Optional;
import org.springframework.data.domain.Limit;
import org.springframework.data.jpa.repository.Query;
import org.springframework.data.repository.Repository;

public interface Events extends Repository<EventRow, Long> {

    @Query("select e.id from EventRow e where e.position is null order by e.id")
    List<Long> unnumbered(Limit limit);

    @Query("select max(e.position) from EventRow e")
    Optional<Long> newestPosition();

    @Query("select min(e.position) from EventRow e")
    Optional<Long> oldestPosition();
}
