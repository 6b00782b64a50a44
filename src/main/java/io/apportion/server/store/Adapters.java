package io.apportion.server.store;

import java.util.Collection;
import java.util.List;
import org.springframework.data.repository.Repository;

public interface Adapters extends Repository<AdapterRow, AdapterRow.Key> {

    List<AdapterRow> findByHostId(long hostId);

    List<AdapterRow> findByHostIdIn(Collection<Long> hostIds);
}
