package io.apportion.torture;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.wire.WireFormat;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What happened while a site was tortured, in a file of one JSON object a line, each with the name of its kind. */
final class Record implements AutoCloseable {

    private static final JsonMapper JSON = WireFormat.MAPPER;

    /** All mdevs of one host at one moment, in the database or in its kernel. */
    record Sample(String where, String host, List<Held> mdevs) {}

    record Held(UUID mdev, Matrix assigned) {}

    /** @param streamed by the stream of events, which broke now and then; otherwise as listed at the end */
    record Event(
            long id,
            boolean streamed,
            String type,
            String host,
            @Nullable UUID mdev,
            String requestId,
            @Nullable Matrix before,
            @Nullable Matrix after) {}

    /** An mdev at the end: what the service says, and what the simulated kernel of its host has. */
    record End(
            UUID mdev,
            String host,
            long version,
            Matrix assigned,
            Matrix guestMatrix,
            @Nullable Matrix inKernel) {}

    /**
     * @param generation of the host
     * @param applied by its agent
     * @param pending commits
     */
    record HostEnd(String host, long generation, long applied, int pending) {}

    private final BufferedWriter writer;

    Record(Path file) throws IOException {
        writer = Files.newBufferedWriter(file);
    }

    synchronized void add(Object line) {
        try {
            writer.write(line.getClass().getSimpleName() + " " + JSON.writeValueAsString(line));
            writer.newLine();
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    /** Something that was done to the site. For people: it is not judged. */
    synchronized void note(String what) {
        try {
            writer.write("# " + what);
            writer.newLine();
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    @Override
    public void close() throws IOException {
        writer.close();
    }

    static <T> List<T> read(Path file, Class<T> kind) throws IOException {
        List<T> found = new ArrayList<>();
        String prefix = kind.getSimpleName() + " ";
        try (Stream<String> lines = Files.lines(file)) {
            lines.filter(line -> line.startsWith(prefix))
                    .map(line -> JSON.readValue(line.substring(prefix.length()), kind))
                    .forEach(found::add);
        }
        return found;
    }

    /** Of three lists of numbers, as the API has them. */
    static Matrix matrix(JsonNode masks) {
        return new Matrix(
                mask(masks.path("adapters")), mask(masks.path("domains")), mask(masks.path("controlDomains")));
    }

    private static ApMask mask(JsonNode numbers) {
        ApMask mask = ApMask.NONE;
        for (JsonNode number : numbers) {
            mask = mask.with(Integer.decode(number.asString()));
        }
        return mask;
    }
}
