package io.apportion.server.store;

import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import org.hibernate.annotations.DynamicUpdate;

/**
 * When a host's agent was last heard. Apart from the host's row, which is locked for each change.
 *
 * <p>Only what changed is written: {@code lastSeen} is written without a lock, and must not be put back by another's update.
 */
@Entity
@DynamicUpdate
@Table(name = "agents")
public class AgentRow {

    @Id
    public long hostId;

    public Instant lastSeen = Instant.EPOCH;

    /** Told once, by an event. */
    public boolean away;
}
