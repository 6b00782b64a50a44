package io.apportion.simulator;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One crypto card of a simulated host.
 *
 * @param adapter 0..255
 * @param type {@code CEX4} to {@code CEX8} and a letter, for example {@code CEX8P}. An older card is never a device
 * @param mode for example {@code EP11-Coproc}
 * @param serial as printed on it
 */
public record Card(int adapter, String type, String mode, String serial) {

    private static final Pattern TYPE = Pattern.compile("CEX([2-8])[A-Z]");

    public Card {
        if (adapter < 0 || adapter > 255) {
            throw new IllegalArgumentException("not in 0..255: " + adapter);
        }
        hardwareType(type);
    }

    /** As TAPQ tells it: 10 is a CEX4. */
    int hardwareType() {
        return hardwareType(type);
    }

    private static int hardwareType(String type) {
        Matcher matcher = TYPE.matcher(type);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("not a type of card: " + type);
        }
        return Integer.parseInt(matcher.group(1)) - 4 + ApHardware.CEX4;
    }
}
