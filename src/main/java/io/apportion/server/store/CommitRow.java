package io.apportion.server.store;

import jakarta.persistence.Entity;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.SequenceGenerator;
import jakarta.persistence.Table;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** One generation of a host on its way to its agent. */
@Entity
@Table(name = "commits")
public class CommitRow {

    @Id
    @GeneratedValue(strategy = GenerationType.SEQUENCE, generator = "commits_seq")
    @SequenceGenerator(name = "commits_seq", sequenceName = "commits_seq", allocationSize = 50)
    public @Nullable Long id;

    public long hostId;
    public long generation;
    public Instant storedAt = Instant.EPOCH;
    public String actor = "";
    public String requestId = "";
    public String cause = "";
}
