package io.apportion.server.matrix;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What Prometheus would have read.
 *
 * @param types by the names that the {@code TYPE} lines give
 */
record Scrape(Map<String, String> types, List<Sample> samples) {

    private static final Pattern TYPE = Pattern.compile("# TYPE (\\w+) (\\w+)");
    private static final Pattern SAMPLE = Pattern.compile("(\\w+)(?:\\{(.*)})? (\\S+)");
    private static final Pattern LABEL = Pattern.compile("(\\w+)=\"((?:[^\"\\\\]|\\\\.)*)\"");
    private static final Pattern PARTS = Pattern.compile("_(bucket|count|sum)$");
    private static final Set<String> TIMERS = Set.of("histogram", "summary");

    /** @param labels their values as they are written, with their escapes */
    record Sample(String name, Map<String, String> labels, double value) {

        /** As PromQL and promtool write it. */
        String series() {
            return name
                    + labels.entrySet().stream()
                            .map(label -> label.getKey() + "=\"" + label.getValue() + '"')
                            .collect(Collectors.joining(",", "{", "}"));
        }

        Sample with(String label, String value) {
            Map<String, String> more = new TreeMap<>(labels);
            more.put(label, value);
            return new Sample(name, more, this.value);
        }
    }

    static Scrape of(String text) {
        Map<String, String> types = new TreeMap<>();
        List<Sample> samples = new ArrayList<>();
        for (String line : text.lines().toList()) {
            Matcher type = TYPE.matcher(line);
            Matcher sample = SAMPLE.matcher(line);
            if (type.matches()) {
                types.put(type.group(1), type.group(2));
            } else if (sample.matches()) {
                Map<String, String> labels = new TreeMap<>();
                if (sample.group(2) != null) {
                    LABEL.matcher(sample.group(2))
                            .results()
                            .forEach(label -> labels.put(label.group(1), label.group(2)));
                }
                samples.add(new Sample(
                        sample.group(1),
                        labels,
                        sample.group(3).equals("+Inf")
                                ? Double.POSITIVE_INFINITY
                                : Double.parseDouble(sample.group(3))));
            } else if (!line.startsWith("#") && !line.isBlank()) {
                throw new IllegalArgumentException("not understood: " + line);
            }
        }
        return new Scrape(types, samples);
    }

    Scrape only(Predicate<Sample> which) {
        return new Scrape(types, samples.stream().filter(which).toList());
    }

    /** Whether it is the gauge that a timer has for its greatest. */
    boolean isGreatest(String name) {
        return name.endsWith("_max") && TIMERS.contains(types.getOrDefault(name.substring(0, name.length() - 4), ""));
    }

    /** The metric that a sample is part of: its own name, or that of the timer whose count, sum, bucket it is. */
    String metric(String sample) {
        Matcher part = PARTS.matcher(sample);
        if (part.find()) {
            String whole = sample.substring(0, part.start());
            if (TIMERS.contains(types.getOrDefault(whole, ""))) {
                return whole;
            }
        }
        return sample;
    }

    /** Whether it only grows. */
    boolean isCounter(String sample) {
        return !types.getOrDefault(metric(sample), "").equals("gauge");
    }

    /** By metric: its type and the names of its labels, but {@code le}. */
    Map<String, String> metrics() {
        Map<String, Set<String>> labels = new HashMap<>();
        for (Sample sample : samples) {
            labels.computeIfAbsent(metric(sample.name()), name -> new TreeSet<>())
                    .addAll(sample.labels().keySet());
        }
        Map<String, String> metrics = new TreeMap<>();
        labels.forEach((name, names) -> {
            names.remove("le");
            metrics.put(name, types.get(name) + " " + String.join(", ", names));
        });
        return metrics;
    }
}
