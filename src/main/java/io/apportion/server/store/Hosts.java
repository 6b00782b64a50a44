package io.apportion.server.store;

import jakarta.persistence.LockModeType;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import org.springframework.data.domain.Limit;
import org.springframework.data.jpa.repository.Lock;
import org.springframework.data.jpa.repository.Query;
import org.springframework.data.repository.Repository;

public interface Hosts extends Repository<HostRow, Long> {

    Optional<HostRow> findByName(String name);

    /** Takes the matrix lock of that host until the transaction ends. */
    @Lock(LockModeType.PESSIMISTIC_WRITE)
    @Query("select h from HostRow h where h.name = :name")
    Optional<HostRow> lockByName(String name);

    List<HostRow> findByNameGreaterThanOrderByName(String after, Limit limit);

    List<HostRow> findByIdIn(Collection<Long> ids);

    @Query("select h.name from HostRow h where h.id = (select m.hostId from MdevRow m where m.uuid = :mdev)")
    Optional<String> nameOfHostOf(java.util.UUID mdev);
}
