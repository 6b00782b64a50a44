package io.apportion.agent.sysfs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class UeventsTests {

    /** A device of every Linux. Whoever writes to it has the kernel tell that it changed. */
    private static final Path NULL_DEVICE = Path.of("/sys/class/mem/null/uevent");

    @Test
    void hearsTheKernel() throws Exception {
        assertThat(NULL_DEVICE)
                .as("This test needs root, and /sys to be writable")
                .isWritable();
        CountDownLatch heard = new CountDownLatch(1);
        try (var _ =
                new Uevents(Uevents.ROOM, message -> message.contains("/devices/virtual/mem/null"), heard::countDown)) {
            Files.writeString(NULL_DEVICE, "change");
            assertThat(heard.await(1, TimeUnit.MINUTES)).isTrue();
        }
    }

    @Test
    void losesNoneOfABurst() throws Exception {
        assertThat(NULL_DEVICE)
                .as("This test needs root, and /sys to be writable")
                .isWritable();
        int many = 5000;
        CountDownLatch heard = new CountDownLatch(many);
        try (var _ =
                new Uevents(Uevents.ROOM, message -> message.contains("/devices/virtual/mem/null"), heard::countDown)) {
            for (int number = 0; number < many; number++) {
                Files.writeString(NULL_DEVICE, "change");
            }
            assertThat(heard.await(1, TimeUnit.MINUTES)).isTrue();
        }
    }

    @Test
    void saysThatAnythingMayHaveChangedWhenSomeWereLost() throws Exception {
        assertThat(NULL_DEVICE)
                .as("This test needs root, and /sys to be writable")
                .isWritable();
        CountDownLatch first = new CountDownLatch(1);
        CountDownLatch room = new CountDownLatch(1);
        CountDownLatch calls = new CountDownLatch(2);
        Predicate<String> onlyTheFirst = message -> {
            boolean isFirst = first.getCount() > 0 && message.contains("/devices/virtual/mem/null");
            if (isFirst) {
                first.countDown();
                try {
                    room.await();
                } catch (InterruptedException closing) {
                    Thread.currentThread().interrupt();
                }
            }
            return isFirst;
        };
        try (var _ = new Uevents(1, onlyTheFirst, calls::countDown)) {
            Files.writeString(NULL_DEVICE, "change");
            assertThat(first.await(1, TimeUnit.MINUTES)).isTrue();
            for (int number = 0; number < 1000; number++) {
                Files.writeString(NULL_DEVICE, "change");
            }
            room.countDown();
            // One for the first message; the other for those that there was no room for.
            assertThat(calls.await(1, TimeUnit.MINUTES)).isTrue();
        }
    }

    @Test
    void knowsWhatMatters() throws IOException {
        Set<String> mattering = new TreeSet<>();
        Set<String> others = new TreeSet<>();
        var transcript = Objects.requireNonNull(getClass().getResourceAsStream("/kernel/transcript.jsonl.gz"));
        try (var reader =
                new BufferedReader(new InputStreamReader(new GZIPInputStream(transcript), StandardCharsets.UTF_8))) {
            for (String line : reader.lines().toList()) {
                JsonNode uevents = JsonMapper.shared().readTree(line).get("uevents");
                if (uevents == null) {
                    continue;
                }
                for (JsonNode uevent : uevents) {
                    StringBuilder message = new StringBuilder(uevent.get("ev").asString());
                    String subsystem = "";
                    for (JsonNode word : uevent.get("env")) {
                        message.append('\0').append(word.asString());
                        if (word.asString().startsWith("SUBSYSTEM=")) {
                            subsystem = word.asString().substring("SUBSYSTEM=".length());
                        }
                    }
                    (Uevents.concernsCrypto(message.toString()) ? mattering : others).add(subsystem);
                }
            }
        }
        // misc: /dev/kvm, of each virtual machine that begins or ends
        assertThat(mattering).containsExactly("ap", "matrix", "mdev", "misc", "vfio", "vfio-dev");
        assertThat(others).doesNotContainAnyElementsOf(mattering);
        assertThat(Uevents.concernsCrypto("add@/devices/virtual/net/veth0\0SUBSYSTEM=net"))
                .isFalse();
    }
}
