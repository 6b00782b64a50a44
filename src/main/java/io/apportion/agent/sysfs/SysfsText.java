package io.apportion.agent.sysfs;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/** What the attributes of the AP bus and of vfio_ap say, and what is written to them. */
final class SysfsText {

    /** The kernel cuts an attribute here, without a sign. */
    private static final int CUT = 4095;

    private SysfsText() {}

    /** A mask of the bus. Anything but {@code 0x} and 64 digits is unknown: the kernel says "not supported", for example. */
    static @Nullable ApMask mask(String text) {
        String mask = text.strip();
        try {
            return mask.startsWith("0x") ? ApMask.parse(mask) : null;
        } catch (IllegalArgumentException otherwise) {
            return null;
        }
    }

    /** {@code ap_config}; null where it has not three masks. */
    static @Nullable Matrix configuration(String text) {
        String[] masks = text.strip().split(",", -1);
        if (masks.length != 3) {
            return null;
        }
        ApMask adapters = mask(masks[0]);
        ApMask domains = mask(masks[1]);
        ApMask controlDomains = mask(masks[2]);
        return adapters == null || domains == null || controlDomains == null
                ? null
                : new Matrix(adapters, domains, controlDomains);
    }

    /** All that is written to {@code ap_config}: anything shorter would be taken for something else. */
    static String configuration(Matrix matrix) {
        return matrix.adapters() + "," + matrix.domains() + "," + matrix.controlDomains() + "\n";
    }

    /**
     * {@code matrix} or {@code guest_matrix}.
     *
     * @param adapters those of the lines that are there: of a text that was cut, the last ones may be missing
     * @param domains all of them: a row of 256 is shorter than what is cut
     */
    record Rectangle(ApMask adapters, ApMask domains, boolean cut) {}

    /** Lines {@code 05.0047}, or {@code 05.} or {@code .0047} where one side is empty. */
    static @Nullable Rectangle rectangle(String text) {
        boolean cut = text.length() >= CUT;
        ApMask adapters = ApMask.NONE;
        ApMask domains = ApMask.NONE;
        for (String line : text.lines().toList()) {
            int point = line.indexOf('.');
            if (point < 0) {
                return null;
            }
            try {
                adapters = point == 0 ? adapters : adapters.with(Integer.parseInt(line, 0, point, 16));
                domains = point == line.length() - 1 ? domains : domains.with(number(line.substring(point + 1)));
            } catch (IllegalArgumentException otherwise) {
                return null;
            }
        }
        return new Rectangle(adapters, domains, cut);
    }

    /** {@code control_domains}: a line for each. */
    static @Nullable ApMask controlDomains(String text) {
        try {
            return ApMask.of(text.lines().mapToInt(SysfsText::number).toArray());
        } catch (IllegalArgumentException otherwise) {
            return null;
        }
    }

    private static int number(String hex) {
        return Integer.parseInt(hex, 16);
    }

    /** A list that changes these bits of a mask and no other, for example {@code -0x05,-0x40-0x47}. */
    static String relative(ApMask bits, boolean set) {
        String sign = set ? "+" : "-";
        StringJoiner list = new StringJoiner(",");
        int first = bits.next(0);
        while (first >= 0) {
            int clear = bits.complement().next(first);
            int last = clear < 0 ? ApMask.BITS - 1 : clear - 1;
            list.add(sign + adapter(first) + (last > first ? "-" + adapter(last) : ""));
            first = bits.next(last + 1);
        }
        return list.toString();
    }

    /** Hex with its prefix: without, sysfs takes a number for decimal, and for octal after a zero. */
    static String adapter(int number) {
        return "0x%02x".formatted(number);
    }

    static String domain(int number) {
        return "0x%04x".formatted(number);
    }
}
