package io.apportion.server.web;

import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Labels of hosts and mdevs: at most 32, each a short key without {@code =} and a short printable value. */
final class Labels {

    static final int MOST = 32;
    static final int LONGEST_VALUE = 128;

    private static final Pattern KEY = Pattern.compile("[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?");

    private Labels() {}

    /**
     * @return the same
     * @throws ProblemException if they cannot be
     */
    static @Nullable Map<String, String> checked(@Nullable Map<String, String> labels) {
        return checked("/labels", labels);
    }

    /** @param at where in the body they are */
    static @Nullable Map<String, String> checked(String at, @Nullable Map<String, String> labels) {
        if (labels == null) {
            return null;
        }
        if (labels.size() > MOST) {
            throw malformed(at + " has " + labels.size() + " labels; there can be " + MOST + ".");
        }
        labels.forEach((key, value) -> {
            if (!KEY.matcher(key).matches()) {
                throw malformed(
                        "A key in " + at + " is not 1 to 63 letters, digits, dots, slashes, dashes or underscores"
                                + " that begin and end with a letter or digit.");
            }
            if (value.length() > LONGEST_VALUE || value.chars().anyMatch(Character::isISOControl)) {
                throw malformed(at + "/" + key + " is longer than " + LONGEST_VALUE
                        + " characters or holds a control character.");
            }
        });
        return labels;
    }

    /**
     * A filter {@code key=value}.
     *
     * @throws ProblemException if it is none
     */
    static @Nullable String checkedFilter(@Nullable String filter) {
        if (filter != null && filter.indexOf('=') < 1) {
            throw malformed("The parameter label is not key=value.");
        }
        return filter;
    }

    /** @param filter {@code key=value}, null: any labels will do */
    static boolean match(Map<String, String> labels, @Nullable String filter) {
        if (filter == null) {
            return true;
        }
        int equals = filter.indexOf('=');
        return filter.substring(equals + 1).equals(labels.get(filter.substring(0, equals)));
    }

    private static ProblemException malformed(String detail) {
        return new ProblemException(ProblemKind.MALFORMED_REQUEST, detail);
    }
}
