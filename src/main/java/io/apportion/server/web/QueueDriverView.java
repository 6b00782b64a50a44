package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.Inventory;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.server.matrix.HostState;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which driver a queue has and shall have.
 *
 * @param desiredDriver null: unmanaged
 * @param effects only in the answer to a change, as is the commit
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record QueueDriverView(
        @Schema(example = "05.0047") Queue queue,

        @Schema(
                allowableValues = {"vfio_ap", "default", "none", "no device"},
                description = "By the newest report")
        String driver,

        @Schema(
                allowableValues = {"vfio_ap", "default", "none"},
                description = "Absent: unmanaged")
        @Nullable
        String desiredDriver,

        @Schema(description = "Managed and applied, and the host shows another driver")
        boolean drifted,

        @Nullable CommitStateView commit,
        @Nullable List<EffectView> effects) {

    static QueueDriverView of(HostState host, Queue queue) {
        return of(host, queue, null, null);
    }

    static QueueDriverView of(
            HostState host, Queue queue, @Nullable CommitStateView commit, @Nullable List<EffectView> effects) {
        QueueDriver desired = host.matrix().drivers().get(queue);
        return new QueueDriverView(
                queue,
                driver(host.matrix().inventory(), queue),
                desired == null ? null : desired.toString(),
                host.driftedDrivers().contains(queue),
                commit,
                effects);
    }

    static String driver(Inventory inventory, Queue queue) {
        if (inventory.bound().has(queue)) {
            return QueueDriver.VFIO_AP.toString();
        }
        if (inventory.defaultDriver().has(queue)) {
            return QueueDriver.DEFAULT.toString();
        }
        return inventory.devices().has(queue) ? QueueDriver.NONE.toString() : "no device";
    }
}
