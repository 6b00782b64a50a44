package io.apportion.packaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** A unit file of {@code packaging/systemd}. */
public final class UnitFile {

    private final List<String> lines;

    private UnitFile(List<String> lines) {
        this.lines = lines;
    }

    public static UnitFile read(String name) throws IOException {
        return new UnitFile(Files.readString(Path.of("packaging/systemd", name))
                .replace("\\\n", " ")
                .lines()
                .filter(line -> !line.startsWith("#"))
                .toList());
    }

    /** The names of all that it sets. */
    public List<String> directives() {
        return lines.stream()
                .filter(line -> line.contains("="))
                .map(line -> line.substring(0, line.indexOf('=')))
                .distinct()
                .toList();
    }

    /** All words that it gives for that directive. */
    public List<String> all(String directive) {
        return lines.stream()
                .filter(line -> line.startsWith(directive + "="))
                .flatMap(
                        line -> Stream.of(line.substring(directive.length() + 1).split("\\s+")))
                .toList();
    }

    public String one(String directive) {
        List<String> words = all(directive);
        assertThat(words).as(directive).hasSize(1);
        return words.getFirst();
    }
}
