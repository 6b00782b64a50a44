package io.apportion.server.store;

import io.apportion.ap.ApMask;
import io.apportion.ap.CommitState;
import jakarta.persistence.Convert;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** An mdev: what is assigned, what its guest has by the rules, and what the host's newest report shows of it. */
@Entity
@Table(name = "mdevs")
public class MdevRow {

    @Id
    public UUID uuid = new UUID(0, 0);

    public long hostId;

    @Convert(converter = LabelsConverter.class)
    public Map<String, String> labels = Map.of();

    /** Of the desired part alone: labels and assigned matrix. */
    public long version = 1;

    public long born;

    public ApMask apm = ApMask.NONE;
    public ApMask aqm = ApMask.NONE;
    public ApMask adm = ApMask.NONE;
    public ApMask guestApm = ApMask.NONE;
    public ApMask guestAqm = ApMask.NONE;
    public ApMask guestAdm = ApMask.NONE;

    public @Nullable String guestIdentity;

    /** Null while no guest is attached. */
    public @Nullable String guestName;

    public @Nullable Instant guestSince;
    public boolean removing;
    public ApMask heldApm = ApMask.NONE;
    public ApMask heldAqm = ApMask.NONE;
    public ApMask kernelFiltered = ApMask.NONE;

    public boolean filtered;
    public boolean drifted;
    public boolean impaired;
    public boolean atNextStartLess;

    /** Of an attached guest; 0 while there is none. */
    public int guestQueues;

    public int guestQueuesImpaired;

    /** What left the guest matrix of the attached guest by what a report told, and is assigned still; null: nothing. */
    public @Nullable ApMask lostApm;

    public @Nullable ApMask lostAqm;

    /** How many queues the guest lacks by that. */
    public int guestQueuesLost;

    /** Whether the newest report shows this mdev on the host; the fields below are what it shows. */
    public boolean seen;

    public @Nullable ApMask seenApm;
    public @Nullable ApMask seenAqm;
    public @Nullable ApMask seenAdm;
    public @Nullable ApMask seenGuestApm;
    public @Nullable ApMask seenGuestAqm;

    /** How often repairs of drift were ordered in the life of this mdev; pushed, so that the agent writes again. */
    public int repair;

    /** Of the present drift: 0 when there is none. */
    public short repairTries;

    public @Nullable Instant repairDue;

    /** The newest commit that touches this mdev. */
    public @Nullable Long commitId;

    public @Nullable Long commitGeneration;

    /** Of this mdev in that commit: the same word as its row there, kept here so that lists need no join. */
    public @Nullable CommitState commitState;
}
