package io.apportion.server.store;

import io.apportion.ap.ApMask;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.IdClass;
import jakarta.persistence.Table;
import java.io.Serializable;
import org.jspecify.annotations.Nullable;

/** One card of a host as the newest report says, its queues as masks of domains. */
@Entity
@Table(name = "adapters")
@IdClass(AdapterRow.Key.class)
public class AdapterRow {

    /** Host and number. */
    public record Key(long hostId, short adapter) implements Serializable {}

    @Id
    public long hostId;

    @Id
    public short adapter;

    public @Nullable String type;
    public @Nullable String mode;
    public @Nullable String serial;
    public boolean online;
    public boolean configured;
    public boolean checkstopped;
    public ApMask devices = ApMask.NONE;
    public ApMask bound = ApMask.NONE;
    public ApMask defaultDriver = ApMask.NONE;
    public ApMask overridden = ApMask.NONE;
    public ApMask impaired = ApMask.NONE;
}
