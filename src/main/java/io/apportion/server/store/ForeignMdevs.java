package io.apportion.server.store;

import java.util.Collection;
import java.util.List;
import org.springframework.data.repository.Repository;

public interface ForeignMdevs extends Repository<ForeignMdevRow, ForeignMdevRow.Key> {

    List<ForeignMdevRow> findByHostId(long hostId);

    List<ForeignMdevRow> findByHostIdIn(Collection<Long> hostIds);
}
