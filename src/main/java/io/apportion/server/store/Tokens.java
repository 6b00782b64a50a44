package io.apportion.server.store;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.springframework.data.domain.Limit;
import org.springframework.data.jpa.repository.JpaRepository;
import org.springframework.data.jpa.repository.Query;

public interface Tokens extends JpaRepository<TokenRow, UUID> {

    Optional<TokenRow> findByHash(byte[] hash);

    /** By id, those after that one alone. */
    List<TokenRow> findByIdGreaterThanOrderById(UUID after, Limit limit);

    /** Of all that are good then. */
    @Query("select t.id from TokenRow t where t.expiresAt is null or t.expiresAt > :now")
    Set<UUID> idsOfValid(Instant now);

    @Query("select count(t) > 0 from TokenRow t where t.role = :role and (t.expiresAt is null or t.expiresAt > :now)")
    boolean existsValid(String role, Instant now);
}
