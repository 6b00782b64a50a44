package io.apportion.endtoend;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** What a run is told on its command line: {@code name=value}, and what starts with {@code --} for the servers. */
final class RunArguments {

    private final Map<String, String> given;
    private final List<String> server = new ArrayList<>();

    /**
     * @param defaults of all names that there are
     * @throws IllegalArgumentException if another one is given
     */
    RunArguments(String[] arguments, Map<String, String> defaults) {
        given = new TreeMap<>(defaults);
        for (String argument : arguments) {
            if (argument.startsWith("--")) {
                server.add(argument);
                continue;
            }
            String[] parts = argument.split("=", 2);
            if (parts.length != 2 || given.replace(parts[0], parts[1]) == null) {
                throw new IllegalArgumentException(
                        argument + " is none of " + String.join("=, ", given.keySet()) + "=, --option-of-the-server=");
            }
        }
    }

    int number(String name) {
        return Integer.parseInt(given.get(name));
    }

    double seconds(String name) {
        return Double.parseDouble(given.get(name));
    }

    int[] numbers(String name) {
        return split(name).mapToInt(Integer::parseInt).toArray();
    }

    List<String> texts(String name) {
        return split(name).toList();
    }

    private Stream<String> split(String name) {
        return Arrays.stream(given.get(name).split(",")).filter(part -> !part.isEmpty());
    }

    List<String> server() {
        return server;
    }
}
