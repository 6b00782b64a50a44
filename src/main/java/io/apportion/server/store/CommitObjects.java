package io.apportion.server.store;

import java.util.Collection;
import java.util.List;
import org.springframework.data.jpa.repository.Query;
import org.springframework.data.repository.Repository;

public interface CommitObjects extends Repository<CommitObjectRow, CommitObjectRow.Key> {

    List<CommitObjectRow> findByCommitIdIn(Collection<Long> commitIds);

    /** Those that a report can settle, the newest generation first. */
    @Query("""
        select o from CommitObjectRow o
        where o.hostId = :hostId and o.unsettled = true
        order by o.generation desc
        """)
    List<CommitObjectRow> unsettled(long hostId);
}
