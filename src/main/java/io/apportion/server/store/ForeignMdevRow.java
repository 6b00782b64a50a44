package io.apportion.server.store;

import io.apportion.ap.ApMask;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.IdClass;
import jakarta.persistence.Table;
import java.io.Serializable;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** A matrix mdev on a host that Apportion did not make, as the newest report says. */
@Entity
@Table(name = "foreign_mdevs")
@IdClass(ForeignMdevRow.Key.class)
public class ForeignMdevRow {

    /** Host and mdev. */
    public record Key(long hostId, UUID uuid) implements Serializable {}

    @Id
    public long hostId;

    @Id
    public UUID uuid = new UUID(0, 0);

    public ApMask apm = ApMask.NONE;
    public ApMask aqm = ApMask.NONE;
    public ApMask adm = ApMask.NONE;
    public ApMask guestApm = ApMask.NONE;
    public ApMask guestAqm = ApMask.NONE;
    public @Nullable String guestIdentity;
    public @Nullable String guestName;
}
