package io.apportion.agent.sysfs;

import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What QEMU's command line says of its guest. Another monitor may say nothing.
 *
 * @param name {@code -name vm17} or {@code -name guest=vm17,debug-threads=on}
 * @param uuid {@code -uuid}
 */
record CommandLine(@Nullable String name, @Nullable UUID uuid) {

    /** @param text as in {@code /proc/PID/cmdline}: a NUL after each word */
    static CommandLine of(String text) {
        List<String> words = Arrays.asList(text.split("\0", -1));
        String name = after("name", words);
        String uuid = after("uuid", words);
        return new CommandLine(name == null ? null : guestName(name), uuid == null ? null : uuid(uuid));
    }

    private static @Nullable String after(String option, List<String> words) {
        for (int i = 0; i + 1 < words.size(); i++) {
            if (words.get(i).equals("-" + option) || words.get(i).equals("--" + option)) {
                return words.get(i + 1);
            }
        }
        return null;
    }

    /** Options after commas, of which the first is the name if it has no key. A comma of the name itself is doubled. */
    private static @Nullable String guestName(String value) {
        String[] options = value.replace(",,", "\0").split(",", -1);
        return Stream.of(options)
                .filter(option -> option.startsWith("guest="))
                .map(option -> option.substring("guest=".length()))
                .findFirst()
                .or(() -> Stream.of(options)
                        .limit(1)
                        .filter(option -> option.indexOf('=') < 0)
                        .findFirst())
                .map(name -> name.replace('\0', ','))
                .filter(name -> !name.isEmpty())
                .orElse(null);
    }

    private static @Nullable UUID uuid(String text) {
        try {
            return UUID.fromString(text);
        } catch (IllegalArgumentException none) {
            return null;
        }
    }
}
