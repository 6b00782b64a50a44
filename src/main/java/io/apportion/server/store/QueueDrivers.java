package io.apportion.server.store;

import java.util.Collection;
import java.util.List;
import org.springframework.data.repository.Repository;

public interface QueueDrivers extends Repository<QueueDriverRow, QueueDriverRow.Key> {

    List<QueueDriverRow> findByHostId(long hostId);

    List<QueueDriverRow> findByHostIdIn(Collection<Long> hostIds);
}
