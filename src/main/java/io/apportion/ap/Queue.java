package io.apportion.ap;

import java.util.Comparator;
import java.util.HexFormat;

/** An AP queue (APQN): one adapter × one domain, written {@code 04.0047}: two and four hex digits. */
public record Queue(int adapter, int domain) implements Comparable<Queue> {

    private static final Comparator<Queue> ORDER =
            Comparator.comparingInt(Queue::adapter).thenComparingInt(Queue::domain);

    public Queue {
        if (adapter < 0 || adapter > 255 || domain < 0 || domain > 255) {
            throw new IllegalArgumentException("not in 0..255: " + adapter + ", " + domain);
        }
    }

    /** @throws IllegalArgumentException if the text is not {@code aa.dddd} in hex, or the domain is above 0x00ff */
    public static Queue parse(String text) {
        if (text.length() != 7 || text.charAt(2) != '.') {
            throw new IllegalArgumentException("not a queue: " + text);
        }
        return new Queue(HexFormat.fromHexDigits(text, 0, 2), HexFormat.fromHexDigits(text, 3, 7));
    }

    /** Another one for each queue: the record's own has 31 × adapter + domain, so that most of a host's queues collide. */
    @Override
    public int hashCode() {
        return adapter << 8 | domain;
    }

    @Override
    public int compareTo(Queue other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        HexFormat hex = HexFormat.of();
        return hex.toHexDigits((byte) adapter) + "." + hex.toHexDigits((short) domain);
    }
}
