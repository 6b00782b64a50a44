package io.apportion.ap;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.PrimitiveIterator;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * 256 bits, one for each adapter or domain number. Immutable.
 *
 * <p>Bit 0 is the <em>leftmost</em>: the most significant bit of the first word, the first hex digit's 8. {@code 0x08…}
 * is the number 4, not 3 or 252.
 */
public final class ApMask {

    public static final int BITS = 256;
    public static final int BYTES = BITS / 8;
    public static final int HEX_DIGITS = BITS / 4;

    public static final ApMask NONE = new ApMask(0, 0, 0, 0);
    public static final ApMask ALL = new ApMask(-1, -1, -1, -1);

    private static final long LEFTMOST = Long.MIN_VALUE;

    // Package-private for GuestFilter, which must not allocate for each adapter.
    final long w0;
    final long w1;
    final long w2;
    final long w3;

    private ApMask(long w0, long w1, long w2, long w3) {
        this.w0 = w0;
        this.w1 = w1;
        this.w2 = w2;
        this.w3 = w3;
    }

    static ApMask ofWords(long w0, long w1, long w2, long w3) {
        return (w0 | w1 | w2 | w3) == 0 ? NONE : new ApMask(w0, w1, w2, w3);
    }

    public static ApMask of(int... numbers) {
        long[] words = new long[4];
        for (int number : numbers) {
            words[word(number)] |= LEFTMOST >>> number;
        }
        return ofWords(words[0], words[1], words[2], words[3]);
    }

    public static ApMask of(Iterable<Integer> numbers) {
        long[] words = new long[4];
        for (int number : numbers) {
            words[word(number)] |= LEFTMOST >>> number;
        }
        return ofWords(words[0], words[1], words[2], words[3]);
    }

    /** All numbers from 0 to {@code last}, inclusive; {@code -1} gives the empty mask. */
    public static ApMask upTo(int last) {
        if (last >= BITS) {
            throw new IllegalArgumentException("not in 0..255: " + last);
        }
        int count = last + 1;
        return ofWords(leftmost(count), leftmost(count - 64), leftmost(count - 128), leftmost(count - 192));
    }

    private static long leftmost(int bits) {
        return bits <= 0 ? 0 : -1L << Math.max(0, 64 - bits);
    }

    /** @param bytes exactly 32 bytes, the first one's most significant bit is bit 0 */
    public static ApMask ofBytes(byte[] bytes) {
        if (bytes.length != BYTES) {
            throw new IllegalArgumentException("a mask has 32 bytes, not " + bytes.length);
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        return ofWords(buffer.getLong(), buffer.getLong(), buffer.getLong(), buffer.getLong());
    }

    /**
     * The text form: exactly 64 hex digits of either case, with or without {@code 0x} before them.
     *
     * @throws IllegalArgumentException for anything else; the kernel's short left-aligned forms are refused here
     */
    public static ApMask parse(String text) {
        String digits = text.startsWith("0x") ? text.substring(2) : text;
        if (digits.length() != HEX_DIGITS) {
            throw new IllegalArgumentException("a mask has 64 hex digits, not " + digits.length());
        }
        return ofBytes(HexFormat.of().parseHex(digits));
    }

    /** 32 bytes, bit 0 first. */
    public byte[] toBytes() {
        return ByteBuffer.allocate(BYTES)
                .putLong(w0)
                .putLong(w1)
                .putLong(w2)
                .putLong(w3)
                .array();
    }

    public boolean has(int number) {
        return (wordAt(word(number)) & (LEFTMOST >>> number)) != 0;
    }

    public ApMask with(int number) {
        return has(number) ? this : or(of(number));
    }

    public ApMask without(int number) {
        return has(number) ? minus(of(number)) : this;
    }

    public ApMask and(ApMask other) {
        return ofWords(w0 & other.w0, w1 & other.w1, w2 & other.w2, w3 & other.w3);
    }

    public ApMask or(ApMask other) {
        return ofWords(w0 | other.w0, w1 | other.w1, w2 | other.w2, w3 | other.w3);
    }

    /** The bits of this mask that are not in the other. */
    public ApMask minus(ApMask other) {
        return ofWords(w0 & ~other.w0, w1 & ~other.w1, w2 & ~other.w2, w3 & ~other.w3);
    }

    public ApMask complement() {
        return ALL.minus(this);
    }

    /** Whether every bit of this mask is in the other: four AND-NOTs. */
    public boolean isIn(ApMask other) {
        return ((w0 & ~other.w0) | (w1 & ~other.w1) | (w2 & ~other.w2) | (w3 & ~other.w3)) == 0;
    }

    public boolean intersects(ApMask other) {
        return ((w0 & other.w0) | (w1 & other.w1) | (w2 & other.w2) | (w3 & other.w3)) != 0;
    }

    public boolean isEmpty() {
        return (w0 | w1 | w2 | w3) == 0;
    }

    public int count() {
        return Long.bitCount(w0) + Long.bitCount(w1) + Long.bitCount(w2) + Long.bitCount(w3);
    }

    /** The smallest number set that is at least {@code from}, or -1. */
    public int next(int from) {
        if (from >= BITS) {
            return -1;
        }
        int word = from >>> 6;
        long bits = wordAt(word) & (-1L >>> from);
        while (bits == 0) {
            if (++word == 4) {
                return -1;
            }
            bits = wordAt(word);
        }
        return (word << 6) + Long.numberOfLeadingZeros(bits);
    }

    /** The numbers set, ascending. */
    public IntStream numbers() {
        return IntStream.iterate(next(0), n -> n >= 0, n -> next(n + 1));
    }

    public void forEach(IntConsumer action) {
        for (int n = next(0); n >= 0; n = next(n + 1)) {
            action.accept(n);
        }
    }

    public PrimitiveIterator.OfInt iterator() {
        return numbers().iterator();
    }

    long wordAt(int index) {
        return switch (index) {
            case 0 -> w0;
            case 1 -> w1;
            case 2 -> w2;
            default -> w3;
        };
    }

    private static int word(int number) {
        if (number < 0 || number >= BITS) {
            throw new IllegalArgumentException("not in 0..255: " + number);
        }
        return number >>> 6;
    }

    /** 64 lower-case hex digits without {@code 0x}, as the recordings have it. */
    public String toHex() {
        return HexFormat.of().formatHex(toBytes());
    }

    /** {@code 0x} and 64 lower-case hex digits. */
    @Override
    public String toString() {
        return "0x" + toHex();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ApMask mask && w0 == mask.w0 && w1 == mask.w1 && w2 == mask.w2 && w3 == mask.w3;
    }

    @Override
    public int hashCode() {
        return Long.hashCode(w0 * 31 + w1 + Long.rotateLeft(w2, 17) + Long.rotateLeft(w3, 43));
    }
}
