package io.apportion.agent;

import io.apportion.wire.DesiredHost.DesiredDriver;
import io.apportion.wire.ObservedHost.ObjectResult;
import java.util.UUID;

/** Names one object of a desired state: an mdev, the reservation, or the driver of a queue. */
record ObjectKey(String kind, String id) {

    static final ObjectKey RESERVATION = new ObjectKey("reservation", "");

    static ObjectKey mdev(UUID uuid) {
        return new ObjectKey("mdev", uuid.toString());
    }

    static ObjectKey driver(DesiredDriver driver) {
        return new ObjectKey("driver", driver.queue().toString());
    }

    boolean isDriver() {
        return kind.equals("driver");
    }

    static ObjectKey of(ObjectResult result) {
        return new ObjectKey(result.kind(), result.id());
    }
}
