package io.apportion.server.store;

import java.util.List;
import java.util.Optional;
import org.springframework.data.repository.Repository;

public interface Commits extends Repository<CommitRow, Long> {

    Optional<CommitRow> findById(long id);

    List<CommitRow> findByIdIn(List<Long> ids);
}
