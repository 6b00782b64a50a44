package io.apportion.server.store;

import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.GuestFilter;
import io.apportion.ap.Policy;
import jakarta.persistence.Column;
import jakarta.persistence.Convert;
import jakarta.persistence.Entity;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A host: its settings, its number of desired state, and what its newest report says of the whole.
 *
 * <p>Locking this row for update is the matrix lock of the host.
 */
@Entity
@Table(name = "hosts")
public class HostRow {

    @Id
    @GeneratedValue(strategy = GenerationType.IDENTITY)
    public @Nullable Long id;

    public String name = "";
    public String description = "";

    @Convert(converter = LabelsConverter.class)
    public Map<String, String> labels = Map.of();

    public GuestFilter filter = GuestFilter.INCREMENTAL;
    public Policy policy = Policy.REPAIR;

    /** Null: as the host shows. */
    public @Nullable BindingMode bindingMode;

    /** Both null: the reservation is unmanaged. */
    public @Nullable ApMask managedApmask;

    public @Nullable ApMask managedAqmask;

    public UUID incarnation = UUID.randomUUID();
    public long generation;

    /** How many events of this host there were. */
    public long events;

    /** Of the settings, the reservation and the managed drivers: the host's tag. */
    public long version = 1;

    public Instant createdAt = Instant.EPOCH;

    public boolean reported;
    public boolean hotPlug = true;
    public boolean apConfig;
    public boolean seesGuests;
    public @Nullable String kernelRelease;
    public short maxAdapter = 255;
    public short maxDomain = 255;
    public ApMask apm = ApMask.NONE;
    public ApMask aqm = ApMask.NONE;
    public ApMask adm = ApMask.NONE;
    public @Nullable ApMask apmask;
    public @Nullable ApMask aqmask;
    public ApMask keepAdapters = ApMask.NONE;
    public ApMask keepDomains = ApMask.NONE;

    /** Who has claimed this host's name. */
    public @Nullable String machineId;

    public @Nullable String agentInstance;
    public @Nullable String bootId;

    /** The number of the agent instance that may report; reports of a smaller one are ignored. */
    public long session;

    /** Of the last report taken in this session. */
    public long sequence;

    @Column(length = 64)
    public @Nullable String digest;

    /** Of mdevctl, as JSON; null: not known. Not written with the rest of the row, which changes far more often. */
    @Column(updatable = false)
    public @Nullable String definitions;

    public @Nullable Long appliedGeneration;
    public @Nullable Instant reportedAt;

    /** The managed reservation or drivers were applied, and the host shows others. */
    public boolean drifted;

    /** The reservation at least; the drivers each have it in their own row. */
    public boolean reservationDrifted;

    /** How often repairs of the masks were ordered; pushed, so that the agent writes them again. */
    public int reservationRepair;

    /** Of that drift: 0 when there is none. */
    public short repairTries;

    public @Nullable Instant repairDue;
}
