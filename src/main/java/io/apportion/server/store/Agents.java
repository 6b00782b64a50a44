package io.apportion.server.store;

import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import org.springframework.data.jpa.repository.Modifying;
import org.springframework.data.jpa.repository.Query;
import org.springframework.data.repository.Repository;

public interface Agents extends Repository<AgentRow, Long> {

    Optional<AgentRow> findByHostId(long hostId);

    List<AgentRow> findByHostIdIn(Collection<Long> hostIds);

    @Query("select count(a) from AgentRow a join HostRow h on h.id = a.hostId"
            + " where h.name = :host and a.away = false and a.lastSeen >= :since")
    long countConnected(String host, Instant since);

    /** All hosts of which something was heard, in one statement. */
    @Modifying
    @Query("update AgentRow a set a.lastSeen = :now"
            + " where a.hostId in (select h.id from HostRow h where h.name in :hosts)")
    int seen(Collection<String> hosts, Instant now);

    /** Hosts whose agent fell silent before that time, or was heard again after it, and of which that was not yet told. */
    @Query("select h.name from HostRow h join AgentRow a on a.hostId = h.id"
            + " where (a.away = false and a.lastSeen < :since) or (a.away = true and a.lastSeen >= :since)")
    List<String> turned(Instant since);
}
