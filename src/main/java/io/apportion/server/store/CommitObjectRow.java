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

    /** That the host is paused, or is so no more. */
    public static final String POLICY = "policy";

    /** Commit and object. */
    public record Key(long commitId, String kind, String object) implements Serializable {}

    @Id
    public long commitId;

    /** {@code mdev}, {@code reservation}, {@code driver} or {@code policy}. */
    @Id
    public String kind = "";

    /** The UUID, or the queue; nothing for those of which a host has one. */
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
