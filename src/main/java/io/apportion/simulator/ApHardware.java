package io.apportion.simulator;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueSet;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The machine below the kernel: what QCI, TAPQ and ZAPQ answer. A change here is not seen by the kernel before its next
 * bus scan.
 */
final class ApHardware {

    /** Response codes of TAPQ and ZAPQ. */
    static final int NORMAL = 0x00;

    static final int NOT_AVAILABLE = 0x01;
    static final int RESET_IN_PROGRESS = 0x02;
    static final int DECONFIGURED = 0x03;
    static final int CHECKSTOPPED = 0x04;
    static final int BUSY = 0x05;
    static final int INVALID_ADDRESS = 0x06;
    static final int STATE_CHANGE_IN_PROGRESS = 0x0a;

    /** Types of cards as TAPQ tells them. */
    static final int CEX4 = 10;

    static final int CEX8 = 14;

    /** Whether adapters and domains may be numbered up to {@link #maxAdapter} and {@link #maxDomain}. */
    final boolean apxa;

    final int maxAdapter;
    final int maxDomain;

    private Matrix configuration;

    private final int[] types = new int[ApMask.BITS];
    private QueueSet absent = QueueSet.NONE;
    private ApMask deconfigured = ApMask.NONE;
    private ApMask checkstopped = ApMask.NONE;
    private final Map<Queue, Integer> testFaults = new HashMap<>();
    private final Map<Queue, Integer> resetFaults = new HashMap<>();
    private final Map<Queue, Integer> resetFaultsOnce = new HashMap<>();

    ApHardware(boolean apxa, int maxAdapter, int maxDomain, Matrix configuration) {
        this.apxa = apxa;
        this.maxAdapter = maxAdapter;
        this.maxDomain = maxDomain;
        this.configuration = configuration;
        Arrays.fill(types, CEX8);
    }

    /** What QCI reports. */
    Matrix configuration() {
        return configuration;
    }

    void configuration(Matrix changed) {
        configuration = changed;
    }

    int type(int adapter) {
        return types[adapter];
    }

    void type(int adapter, int type) {
        types[adapter] = type;
    }

    /** A queue that is in the configuration and yet not there. */
    void absent(Queue queue, boolean isAbsent) {
        absent = isAbsent ? absent.with(queue) : absent.without(queue);
    }

    void deconfigured(int adapter, boolean isDeconfigured) {
        deconfigured = isDeconfigured ? deconfigured.with(adapter) : deconfigured.without(adapter);
    }

    boolean isDeconfigured(int adapter) {
        return deconfigured.has(adapter);
    }

    void checkstopped(int adapter, boolean isCheckstopped) {
        checkstopped = isCheckstopped ? checkstopped.with(adapter) : checkstopped.without(adapter);
    }

    boolean isCheckstopped(int adapter) {
        return checkstopped.has(adapter);
    }

    /** From now on TAPQ answers so; {@link #NORMAL} ends it. */
    void failTests(Queue queue, int responseCode) {
        put(testFaults, queue, lasting(responseCode));
    }

    /** From now on ZAPQ answers so; {@link #NORMAL} ends it. */
    void failResets(Queue queue, int responseCode) {
        put(resetFaults, queue, lasting(responseCode));
    }

    /** The next ZAPQ answers so. */
    void failNextReset(Queue queue, int responseCode) {
        put(resetFaultsOnce, queue, responseCode);
    }

    private static void put(Map<Queue, Integer> faults, Queue queue, int responseCode) {
        if (responseCode == NORMAL) {
            faults.remove(queue);
        } else {
            faults.put(queue, responseCode);
        }
    }

    private static int lasting(int responseCode) {
        if (responseCode == RESET_IN_PROGRESS || responseCode == BUSY || responseCode == STATE_CHANGE_IN_PROGRESS) {
            throw new IllegalArgumentException("a queue that never settles would hang the kernel: " + responseCode);
        }
        return responseCode;
    }

    /** PQAP(TAPQ): the state of a queue. */
    int tapq(Queue queue) {
        if (!present(queue)) {
            return NOT_AVAILABLE;
        }
        @Nullable Integer fault = testFaults.get(queue);
        return fault != null ? fault : cardState(queue.adapter());
    }

    /** PQAP(ZAPQ): resets a queue and erases what is in it. */
    int zapq(Queue queue) {
        if (!present(queue)) {
            return NOT_AVAILABLE;
        }
        @Nullable Integer once = resetFaultsOnce.remove(queue);
        if (once != null) {
            return once;
        }
        @Nullable Integer fault = resetFaults.get(queue);
        return fault != null ? fault : cardState(queue.adapter());
    }

    private boolean present(Queue queue) {
        return configuration.hasQueue(queue.adapter(), queue.domain()) && !absent.has(queue);
    }

    private int cardState(int adapter) {
        if (deconfigured.has(adapter)) {
            return DECONFIGURED;
        }
        return checkstopped.has(adapter) ? CHECKSTOPPED : NORMAL;
    }
}
