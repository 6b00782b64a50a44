package io.apportion.agent.sysfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Real system calls on real files. */
class LibcTests {

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4095, 4096, 4097, 100_000})
    void readsToTheEnd(int length) throws IOException {
        String text = "ä5.0047\n".repeat(length / 8 + 1).substring(0, length);
        Path file = Files.writeString(folder.resolve("attribute"), text);
        assertThat(Libc.read(file)).isEqualTo(text);
    }

    @Test
    void readsFilesThatSayTheyAreEmpty() throws IOException {
        assertThat(Libc.read(Path.of("/proc/self/cmdline"))).contains("java");
    }

    @Test
    void writesIntoWhatIsThere() throws IOException {
        Path file = Files.writeString(folder.resolve("attribute"), "before");
        Libc.write(file, "-5\n");
        assertThat(file).hasContent("-5\nore"); // as in sysfs, nothing is cut off first
    }

    @Test
    void makesNoFile() {
        Path file = folder.resolve("none");
        assertThat(errno(() -> Libc.write(file, "1"))).isEqualTo("ENOENT");
        assertThat(file).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource({
        "/dev/full, x, ENOSPC",
        "/proc/self/oom_score_adj, much, EINVAL",
        "/proc/self, x, EISDIR",
        "/proc/version/none, x, ENOTDIR",
        "/proc/none, x, ENOENT",
        "/proc/self/oom_score_adj, 99999999999999999999, ERANGE"
    })
    void tellsWhyAWriteIsRefused(Path file, String text, String errno) {
        assertThat(errno(() -> Libc.write(file, text))).isEqualTo(errno);
    }

    @ParameterizedTest
    @CsvSource({"/proc/self, EISDIR", "/proc/self/mem, EIO", "/proc/none, ENOENT", "/proc/version/none, ENOTDIR"})
    void tellsWhyAReadIsRefused(Path file, String errno) {
        assertThat(errno(() -> Libc.read(file))).isEqualTo(errno);
    }

    @Test
    void leavesNoFileOpen() throws IOException {
        Path file = Files.writeString(folder.resolve("attribute"), "1");
        for (int round = 0; round < 100; round++) {
            Libc.read(file);
            Libc.write(file, "1");
            errno(() -> Libc.write(Path.of("/dev/full"), "1"));
            errno(() -> Libc.read(Path.of("/proc/self/mem")));
        }
        try (var open = Files.list(Path.of("/proc/self/fd"))) {
            assertThat(open.filter(
                            descriptor -> isLinkTo(descriptor, file) || isLinkTo(descriptor, Path.of("/dev/full"))))
                    .isEmpty();
        }
    }

    private static boolean isLinkTo(Path link, Path target) {
        try {
            return Files.readSymbolicLink(link).equals(target);
        } catch (IOException closed) {
            return false;
        }
    }

    @Test
    void namesErrorsAsTheKernelDoes() throws IOException {
        Map<Integer, String> recorded = new TreeMap<>();
        var transcript = Objects.requireNonNull(getClass().getResourceAsStream("/kernel/transcript.jsonl.gz"));
        try (var reader =
                new BufferedReader(new InputStreamReader(new GZIPInputStream(transcript), StandardCharsets.UTF_8))) {
            for (String line : reader.lines().toList()) {
                JsonNode operation = JsonMapper.shared().readTree(line);
                if (operation.has("errno")) {
                    recorded.put(
                            operation.get("errno").asInt(), operation.get("err").asString());
                }
            }
        }
        assertThat(recorded).hasSize(9).containsEntry(98, "EADDRINUSE");
        recorded.forEach((number, name) -> assertThat(ErrorNames.of(number)).isEqualTo(name));
        assertThat(ErrorNames.of(133)).isEqualTo("EHWPOISON");
        assertThat(ErrorNames.of(524)).isEqualTo("errno-524");
    }

    private interface Call {
        void run() throws ErrnoException;
    }

    private static String errno(Call call) {
        ErrnoException failure = catchThrowableOfType(ErrnoException.class, call::run);
        return failure == null ? "" : failure.errno();
    }
}
