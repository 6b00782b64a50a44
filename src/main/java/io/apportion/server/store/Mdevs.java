package io.apportion.server.store;

import io.apportion.ap.Policy;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.UUID;
import org.springframework.data.jpa.repository.Query;
import org.springframework.data.repository.Repository;

public interface Mdevs extends Repository<MdevRow, UUID> {

    List<MdevRow> findByHostId(long hostId);

    List<MdevRow> findByHostIdIn(Collection<Long> hostIds);

    /** Hosts with drift whose next repair is due, the one before it having been tried. */
    @Query("""
        select h.name from HostRow h
        where h.appliedGeneration = h.generation
          and h.policy in :repairing
          and ((h.repairDue <= :now and h.repairTries < 3)
               or h.id in (select m.hostId from MdevRow m where m.repairDue <= :now and m.repairTries < 3))
        """)
    List<String> hostsWithRepairDue(Instant now, Collection<Policy> repairing);
}
