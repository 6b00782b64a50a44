package io.apportion.server.matrix;

import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** The words under which an mdev is found without reading all of them. */
final class Terms {

    private Terms() {}

    static String adapter(int adapter) {
        return "a:" + adapter;
    }

    static String domain(int domain) {
        return "d:" + domain;
    }

    /** @param label {@code key=value} */
    static String label(String label) {
        return "l:" + label;
    }

    static Set<String> labels(Map<String, String> labels) {
        return labels.entrySet().stream()
                .map(entry -> label(entry.getKey() + "=" + entry.getValue()))
                .collect(Collectors.toSet());
    }
}
