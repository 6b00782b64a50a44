package io.apportion.server.store;

import jakarta.persistence.Entity;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.SequenceGenerator;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** Something that happened. {@code detail}, {@code beforeState} and {@code afterState} are JSON. */
@Entity
@Table(name = "events")
public class EventRow {

    @Id
    @GeneratedValue(strategy = GenerationType.SEQUENCE, generator = "events_seq")
    @SequenceGenerator(name = "events_seq", sequenceName = "events_seq", allocationSize = 50)
    public @Nullable Long id;

    /** Null until numbered: the order of commits, which ids do not follow. */
    public @Nullable Long position;

    public Instant at = Instant.EPOCH;
    public String type = "";
    public String host = "";
    public long hostId;

    /** Counts the events of a host under its matrix lock: among them, the order of commits. */
    public long ordinal;

    public @Nullable UUID mdev;
    public @Nullable String guest;
    public String actor = "";
    public String requestId = "";
    public @Nullable String cause;

    public @Nullable String detail;

    public @Nullable String beforeState;

    public @Nullable String afterState;
}
