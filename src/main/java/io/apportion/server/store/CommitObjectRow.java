package io.apportion.server.store;

import io.apportion.ap.CommitState;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.IdClass;
import jakarta.persistence.Table;
import java.io.Serializable;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** One object that a commit touches, and what has become of it on the host. */
@Entity
@Table(name = "commit_objects")
@IdClass(CommitObjectRow.Key.class)
public class CommitObjectRow {

    public static final String MDEV = "mdev";
    public static final String RESERVATION = "reservation";
    public static final String DRIVER = "driver";

    /** Commit and object. */
    public record Key(long commitId, String kind, String object) implements Serializable {}

    @Id
    public long commitId;

    /** {@code mdev}, {@code reservation} or {@code driver}. */
    @Id
    public String kind = "";

    /** The UUID, nothing, or the queue. */
    @Id
    public String object = "";

    public long hostId;
    public long generation;
    public CommitState state = CommitState.PENDING;
    public @Nullable String errno;
    public @Nullable String words;
    public @Nullable Instant settledAt;

    /** Pending, or failed and still the newest of its object: a later report can settle it. */
    public boolean unsettled = true;
}
