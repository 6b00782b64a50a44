package io.apportion.server.store;

import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.springframework.data.jpa.repository.Query;
import org.springframework.data.repository.Repository;

public interface Mdevs extends Repository<MdevRow, UUID> {

    Optional<MdevRow> findByUuid(UUID uuid);

    List<MdevRow> findByHostId(long hostId);

    List<MdevRow> findByHostIdIn(Collection<Long> hostIds);

    /** Hosts with drift whose next repair is due, the one before it having been tried. */
    @Query("""
        select h.name from HostRow h
        where h.appliedGeneration = h.generation
          and (h.repairDue <= :now
               or h.id in (select m.hostId from MdevRow m where m.repairDue <= :now))
        """)
    List<String> hostsWithRepairDue(Instant now);
}
