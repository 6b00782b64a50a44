package io.apportion.endtoend;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What {@code /actuator/prometheus} of a server said at one moment. */
final class ServerMetrics {

    private static final Pattern LABEL = Pattern.compile("(\\w+)=\"((?:[^\"\\\\]|\\\\.)*)\"");

    /** By the whole name with its labels, as it was printed. */
    private final Map<String, Double> values = new TreeMap<>();

    static ServerMetrics read(ServerProcess server, HttpClient http) throws IOException, InterruptedException {
        return read(server.management(), server.token(), http);
    }

    static ServerMetrics read(URI management, String token, HttpClient http) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(management.resolve("/actuator/prometheus"))
                .header("Authorization", "Bearer " + token)
                .build();
        ServerMetrics metrics = new ServerMetrics();
        http.send(request, BodyHandlers.ofString())
                .body()
                .lines()
                .filter(line -> !line.startsWith("#"))
                .forEach(line -> {
                    int end = line.lastIndexOf(' ');
                    metrics.values.put(line.substring(0, end), Double.parseDouble(line.substring(end + 1)));
                });
        return metrics;
    }

    /** What was counted between the two moments. */
    ServerMetrics since(ServerMetrics earlier) {
        ServerMetrics between = new ServerMetrics();
        values.forEach((name, value) -> between.values.put(name, value - earlier.values.getOrDefault(name, 0.0)));
        return between;
    }

    /** The sum of all of that name which have these labels. */
    double sum(String name, Map<String, String> labels) {
        return by(name, labels, "").values().stream()
                .mapToDouble(Double::doubleValue)
                .sum();
    }

    /** The sums of all of that name which have these labels, by the value of another label. */
    Map<String, Double> by(String name, Map<String, String> labels, String other) {
        Map<String, Double> sums = new TreeMap<>();
        values.forEach((printed, value) -> {
            int end = printed.indexOf('{');
            if (printed.substring(0, end < 0 ? printed.length() : end).equals(name)) {
                Map<String, String> all = labels(printed);
                if (all.entrySet().containsAll(labels.entrySet())) {
                    sums.merge(all.getOrDefault(other, ""), value, Double::sum);
                }
            }
        });
        return sums;
    }

    private static Map<String, String> labels(String printed) {
        Map<String, String> labels = new HashMap<>();
        for (Matcher label = LABEL.matcher(printed); label.find(); ) {
            labels.put(label.group(1), label.group(2));
        }
        return labels;
    }
}
