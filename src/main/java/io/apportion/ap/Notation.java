package io.apportion.ap;

import java.util.List;
import java.util.Locale;

/** How numbers are written for people and programs: one canonical form each. */
public final class Notation {

    private Notation() {}

    /** {@code 0x05}. */
    public static String adapter(int adapter) {
        return String.format(Locale.ROOT, "0x%02x", adapter);
    }

    /** {@code 0x0047}. */
    public static String domain(int domain) {
        return String.format(Locale.ROOT, "0x%04x", domain);
    }

    public static List<String> adapters(ApMask adapters) {
        return adapters.numbers().mapToObj(Notation::adapter).toList();
    }

    public static List<String> domains(ApMask domains) {
        return domains.numbers().mapToObj(Notation::domain).toList();
    }

    public static List<String> queues(QueueSet queues) {
        return queues.queues().map(Queue::toString).toList();
    }
}
