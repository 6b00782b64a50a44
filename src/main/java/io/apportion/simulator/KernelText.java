package io.apportion.simulator;

import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * Numbers, masks and lists of queues as the kernel reads and prints them. The readers are as odd as the kernel's: {@code
 * 010} is eight, {@code 5} as a mask is the numbers 1 and 3.
 */
final class KernelText {

    /** sysfs hands out one page less the end of the string. */
    private static final int PAGE = 4095;

    /** Three masks of 66 characters, two commas and a newline: what follows in a write to {@code ap_config} is cut off. */
    private static final int CONFIGURATION_LENGTH = 201;

    private static final HexFormat HEX = HexFormat.of();

    private KernelText() {}

    /**
     * A number of any size (kstrtoul, base 0): an optional {@code +}; hex after {@code 0x}, octal after {@code 0},
     * otherwise decimal; at most one newline at the end.
     *
     * @return all 64 bits, unsigned
     * @throws KernelRefusal ERANGE above 64 bits, whatever follows the digits; EINVAL
     */
    static long parseNumber(String text) throws KernelRefusal {
        var scanner = new Scanner(text);
        scanner.skip('+');
        if (!scanner.number()) {
            throw Errno.EINVAL.at(text);
        }
        if (scanner.overflow) {
            throw Errno.ERANGE.at(text);
        }
        scanner.skip('\n');
        if (!scanner.atEnd()) {
            throw Errno.EINVAL.at(text);
        }
        return scanner.number;
    }

    /**
     * A mask (ap_hex2bitmap): an optional {@code 0x} or {@code x}, up to 64 hex digits aligned left, at most one newline
     * at the end. No digits are the empty mask.
     *
     * @throws KernelRefusal EINVAL
     */
    static ApMask parseMask(String text) throws KernelRefusal {
        var scanner = new Scanner(text);
        if (scanner.at(0) == '0' && scanner.at(1) == 'x') {
            scanner.skip('0');
        }
        scanner.skip('x');
        char[] digits = new char[ApMask.HEX_DIGITS];
        Arrays.fill(digits, '0');
        for (int i = 0; i < digits.length && HexFormat.isHexDigit(scanner.at(0)); i++) {
            digits[i] = scanner.take();
        }
        scanner.skip('\n');
        if (!scanner.atEnd()) {
            throw Errno.EINVAL.at(text);
        }
        return ApMask.parse(new String(digits));
    }

    /**
     * What a write to {@code apmask} or {@code aqmask} makes of the mask there (ap_parse_bitmap_str): a new mask, or,
     * after a {@code +} or {@code -}, a list of numbers and ranges to set and to clear, from left to right.
     *
     * @throws KernelRefusal EINVAL
     */
    static ApMask changeMask(ApMask before, String text) throws KernelRefusal {
        var scanner = new Scanner(text);
        if (scanner.at(0) != '+' && scanner.at(0) != '-') {
            return parseMask(text);
        }
        ApMask mask = before;
        while (!scanner.atEnd()) {
            char sign = scanner.take();
            if (sign != '+' && sign != '-') {
                throw Errno.EINVAL.at(text);
            }
            int first = scanner.maskNumber();
            int last = scanner.skip('-') ? scanner.maskNumber() : first;
            if (first > last) {
                throw Errno.EINVAL.at(text);
            }
            ApMask range = ApMask.upTo(last).minus(ApMask.upTo(first - 1));
            mask = sign == '+' ? mask.or(range) : mask.minus(range);
            while (scanner.skip(',') || scanner.skip('\n')) {
                // Any run of separators, even none, ends a term.
            }
        }
        return mask;
    }

    /**
     * What is written to {@code ap_config}: three masks, each ended by a comma or a newline; the rest is not looked at.
     *
     * @throws KernelRefusal EINVAL
     */
    static Matrix parseConfiguration(String text) throws KernelRefusal {
        String cut = text.substring(0, Math.min(text.length(), CONFIGURATION_LENGTH));
        String[] fields = cut.split("[,\n]", -1);
        if (fields.length < 3) {
            throw Errno.EINVAL.at(text);
        }
        return new Matrix(parseMask(fields[0]), parseMask(fields[1]), parseMask(fields[2]));
    }

    /** One line for {@code ap_config}, newline included. */
    static String configuration(Matrix matrix) {
        return matrix.adapters() + "," + matrix.domains() + "," + matrix.controlDomains() + "\n";
    }

    /**
     * {@code matrix} and {@code guest_matrix}: one line for each queue, or for each adapter or domain while the other
     * side is empty. Cut at the end of the page, without a sign.
     */
    static String queues(Matrix matrix) {
        var lines = new StringBuilder();
        int[] domains = matrix.domains().numbers().toArray();
        int[] adapters = matrix.adapters().numbers().toArray();
        if (adapters.length == 0) {
            for (int domain : domains) {
                lines.append('.').append(HEX.toHexDigits((short) domain)).append('\n');
            }
        }
        for (int adapter : adapters) {
            if (domains.length == 0) {
                lines.append(HEX.toHexDigits((byte) adapter)).append(".\n");
            }
            for (int domain : domains) {
                lines.append(new Queue(adapter, domain)).append('\n');
                if (lines.length() > PAGE) {
                    return lines.substring(0, PAGE);
                }
            }
        }
        return lines.toString();
    }

    /** {@code control_domains}: one line for each. */
    static String domains(ApMask domains) {
        var lines = new StringBuilder();
        domains.forEach(domain -> lines.append(HEX.toHexDigits((short) domain)).append('\n'));
        return lines.toString();
    }

    /** Walks through a string of C: it ends at the first NUL. */
    private static final class Scanner {

        private static final char END = '\0';

        private final String text;
        private int position;

        private long number;
        private boolean overflow;

        Scanner(String text) {
            this.text = text;
        }

        char at(int ahead) {
            return position + ahead < text.length() ? text.charAt(position + ahead) : END;
        }

        boolean atEnd() {
            return at(0) == END;
        }

        char take() {
            return text.charAt(position++);
        }

        boolean skip(char expected) {
            boolean there = at(0) == expected;
            if (there) {
                position++;
            }
            return there;
        }

        /** The digits of one number (_parse_integer); false when there is none. A sum too great wraps. */
        boolean number() {
            int radix = radix();
            int start = position;
            number = 0;
            overflow = false;
            for (int digit = digit(radix); digit >= 0; digit = digit(radix)) {
                overflow |= Long.compareUnsigned(number, Long.divideUnsigned(-1L - digit, radix)) > 0;
                number = number * radix + digit;
                position++;
            }
            return position > start;
        }

        private int radix() {
            if (at(0) != '0') {
                return 10;
            }
            if ((at(1) == 'x' || at(1) == 'X') && HexFormat.isHexDigit(at(2))) {
                position += 2;
                return 16;
            }
            return 8;
        }

        private int digit(int radix) {
            char next = at(0);
            int digit = HexFormat.isHexDigit(next) ? HexFormat.fromHexDigit(next) : -1;
            return digit < radix ? digit : -1;
        }

        /** simple_strtoul, which takes no sign and does not see an overflow. */
        int maskNumber() throws KernelRefusal {
            if (!number() || Long.compareUnsigned(number, ApMask.BITS) >= 0) {
                throw Errno.EINVAL.at(text);
            }
            return (int) number;
        }
    }
}
