package io.apportion.server.store;

import jakarta.persistence.Convert;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** A token, without its secret: only the secret's hash is known. */
@Entity
@Table(name = "tokens")
public class TokenRow {

    @Id
    public UUID id = UUID.randomUUID();

    /** SHA-256, 32 bytes. */
    public byte[] hash = {};

    public String name = "";
    public String role = "";

    /** Of an agent's token, its only host. */
    public @Nullable String host;

    /** Of an operator's token: labels that a host must have to be changed; empty: any may be. */
    @Convert(converter = LabelsConverter.class)
    public Map<String, String> scope = Map.of();

    public Instant createdAt = Instant.EPOCH;
    public String createdBy = "";

    /** Null: never. */
    public @Nullable Instant expiresAt;
}
