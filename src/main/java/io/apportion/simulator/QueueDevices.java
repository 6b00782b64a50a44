package io.apportion.simulator;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The queue devices of the AP bus with their drivers and overrides, and the two masks that say whose a queue is. Bus
 * order is the order in which the devices were made.
 *
 * <p>Beside the devices themselves it keeps one mask of domains for each adapter and question, so that a whole matrix
 * can be judged with a few word operations for each adapter.
 */
final class QueueDevices {

    /** Bits set in both are for the host's own drivers. */
    ApMask apmask;

    ApMask aqmask;

    private final Map<Queue, Device> inBusOrder = new LinkedHashMap<>();
    private final ApMask[] existing = rows();
    private final ApMask[] zcrypt = rows();
    private final ApMask[] vfioAp = rows();
    private final ApMask[] overridden = rows();

    QueueDevices(ApMask apmask, ApMask aqmask) {
        this.apmask = apmask;
        this.aqmask = aqmask;
    }

    static ApMask[] rows() {
        ApMask[] rows = new ApMask[ApMask.BITS];
        Arrays.fill(rows, ApMask.NONE);
        return rows;
    }

    /** One queue device. */
    final class Device {

        final Queue queue;
        private @Nullable ApDriver driver;
        private @Nullable String override;

        private Device(Queue queue) {
            this.queue = queue;
        }

        @Nullable
        ApDriver driver() {
            return driver;
        }

        void driver(@Nullable ApDriver changed) {
            if (driver != null) {
                set(row(driver), queue, false);
            }
            driver = changed;
            if (driver != null) {
                set(row(driver), queue, true);
            }
        }

        /** The name in {@code driver_override}, whether a driver has it or not. */
        @Nullable
        String override() {
            return override;
        }

        void override(@Nullable String name) {
            override = name;
            set(overridden, queue, name != null);
        }

        /** Whether that driver may have this device now. */
        boolean permits(ApDriver candidate) {
            return override != null ? override.equals(candidate.text) : isReserved() == candidate.isDefault;
        }

        /** In both masks. */
        boolean isReserved() {
            return apmask.has(queue.adapter()) && aqmask.has(queue.domain());
        }
    }

    Device add(Queue queue) {
        var device = new Device(queue);
        inBusOrder.put(queue, device);
        set(existing, queue, true);
        return device;
    }

    /** The device must have no driver any more. */
    void remove(Device device) {
        device.override(null);
        inBusOrder.remove(device.queue);
        set(existing, device.queue, false);
    }

    @Nullable
    Device find(Queue queue) {
        return inBusOrder.get(queue);
    }

    /** A view, in bus order. */
    Collection<Device> all() {
        return inBusOrder.values();
    }

    /** Those of one card, in bus order. */
    List<Device> of(int adapter) {
        return existing[adapter].isEmpty()
                ? List.of()
                : inBusOrder.values().stream()
                        .filter(device -> device.queue.adapter() == adapter)
                        .toList();
    }

    /** The domains of that adapter's queue devices. */
    ApMask existing(int adapter) {
        return existing[adapter];
    }

    ApMask drivenBy(ApDriver driver, int adapter) {
        return row(driver)[adapter];
    }

    ApMask overridden(int adapter) {
        return overridden[adapter];
    }

    /**
     * Whether the host's own drivers own any queue of the matrix (ap_apqn_in_matrix_owned_by_def_drv). The masks decide,
     * whether a queue exists or not, except for a device that has an override and a driver: there it is that driver.
     */
    boolean reservesAnyOf(Matrix matrix) {
        for (int a = matrix.adapters().next(0); a >= 0; a = matrix.adapters().next(a + 1)) {
            ApMask decidedByDriver = overridden[a].and(zcrypt[a].or(vfioAp[a]));
            ApMask byMasks = apmask.has(a) ? aqmask : ApMask.NONE;
            ApMask reserved = byMasks.minus(decidedByDriver).or(decidedByDriver.and(zcrypt[a]));
            if (reserved.intersects(matrix.domains())) {
                return true;
            }
        }
        return false;
    }

    private ApMask[] row(ApDriver driver) {
        return switch (driver) {
            case ZCRYPT -> zcrypt;
            case VFIO_AP -> vfioAp;
        };
    }

    private static void set(ApMask[] rows, Queue queue, boolean value) {
        ApMask row = rows[queue.adapter()];
        rows[queue.adapter()] = value ? row.with(queue.domain()) : row.without(queue.domain());
    }
}
