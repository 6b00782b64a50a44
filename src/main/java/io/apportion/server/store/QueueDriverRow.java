package io.apportion.server.store;

import io.apportion.ap.QueueDriver;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.IdClass;
import jakarta.persistence.Table;
import java.io.Serializable;

/** The managed driver of one queue; a queue without a row is unmanaged. */
@Entity
@Table(name = "queue_drivers")
@IdClass(QueueDriverRow.Key.class)
public class QueueDriverRow {

    /** Host and queue. */
    public record Key(long hostId, short adapter, short domain) implements Serializable {}

    @Id
    public long hostId;

    @Id
    public short adapter;

    @Id
    public short domain;

    public QueueDriver driver = QueueDriver.VFIO_AP;

    /** Applied, and the host shows another driver. */
    public boolean drifted;

    /** Counts the repairs that were ordered. */
    public int repair;
}
