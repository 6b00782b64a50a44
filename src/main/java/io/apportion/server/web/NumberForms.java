package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import java.util.regex.Pattern;

/**
 * How numbers are written in requests: adapters and domains as {@code 0x} and hex digits or as plain decimal, queues as
 * {@code 05.0047}, masks as {@code 0x} and 64 hex digits.
 *
 * <p>A decimal with a leading zero is neither: sysfs reads it as octal, lszcrypt prints it as hex.
 */
final class NumberForms {

    private static final Pattern HEX = Pattern.compile("0x0*+([0-9a-fA-F]*+)");
    private static final Pattern DECIMAL = Pattern.compile("0|[1-9][0-9]*+");
    private static final Pattern LEADING_ZERO = Pattern.compile("0[0-9]++");
    private static final Pattern QUEUE = Pattern.compile("[0-9a-fA-F]{2}\\.[0-9a-fA-F]{4}");
    private static final Pattern MASK = Pattern.compile("0x[0-9a-fA-F]{64}");

    private static final int HIGHEST = ApMask.BITS - 1;

    private NumberForms() {}

    /**
     * An adapter or domain.
     *
     * @return 0..255
     * @throws NumberException if the text is no number, ambiguous or above 255
     */
    static int parse(String text) {
        var hex = HEX.matcher(text);
        if (text.length() > 2 && hex.matches()) {
            return inRange(text, hex.group(1), 16);
        }
        if (DECIMAL.matcher(text).matches()) {
            return inRange(text, text, 10);
        }
        if (LEADING_ZERO.matcher(text).matches()) {
            throw new NumberException(
                    ProblemKind.AMBIGUOUS_NUMBER,
                    text,
                    "may be octal, as sysfs reads it, or hex, as lszcrypt prints it");
        }
        throw new NumberException(
                ProblemKind.MALFORMED_NUMBER, text, "is neither 0x with hex digits nor plain decimal");
    }

    /** @throws NumberException if the text is not {@code aa.dddd} in hex, or the domain is above 0x00ff */
    static Queue parseQueue(String text) {
        if (!QUEUE.matcher(text).matches()) {
            throw new NumberException(
                    ProblemKind.MALFORMED_NUMBER, text, "is not a queue: two hex digits, a dot, four hex digits");
        }
        int adapter = Integer.parseInt(text, 0, 2, 16);
        int domain = Integer.parseInt(text, 3, 7, 16);
        if (domain > HIGHEST) {
            throw outOfRange(text);
        }
        return new Queue(adapter, domain);
    }

    /** @throws NumberException if the text is not {@code 0x} and 64 hex digits */
    static ApMask parseMask(String text) {
        if (!MASK.matcher(text).matches()) {
            throw new NumberException(ProblemKind.MALFORMED_NUMBER, text, "is not a mask: 0x and 64 hex digits");
        }
        return ApMask.parse(text);
    }

    static void requireByte(int value) {
        if (value < 0 || value > HIGHEST) {
            throw new IllegalArgumentException("not in 0..255: " + value);
        }
    }

    /** @param digits without leading zeros */
    private static int inRange(String text, String digits, int radix) {
        // By length first: there may be ten thousand digits.
        if (digits.length() > 3) {
            throw outOfRange(text);
        }
        int number = digits.isEmpty() ? 0 : Integer.parseInt(digits, radix);
        if (number > HIGHEST) {
            throw outOfRange(text);
        }
        return number;
    }

    private static NumberException outOfRange(String text) {
        return new NumberException(
                ProblemKind.NUMBER_OUT_OF_RANGE, text, "is above the highest adapter and domain there can be, 255");
    }
}
