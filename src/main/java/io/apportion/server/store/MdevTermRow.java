package io.apportion.server.store;

import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.IdClass;
import jakarta.persistence.Table;
import java.io.Serializable;
import java.util.UUID;

/** A word under which an mdev is found. Read through this entity, written in batches beside it. */
@Entity
@Table(name = "mdev_terms")
@IdClass(MdevTermRow.Key.class)
public class MdevTermRow {

    /** Both columns. */
    public record Key(String term, UUID mdev) implements Serializable {}

    @Id
    public String term = "";

    @Id
    public UUID mdev = new UUID(0, 0);
}
