package io.apportion.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Messages as releases have sent them, in {@code src/test/resources/wire}. A server and an agent one release apart speak to
 * each other while a site is brought to the next: what an earlier one sent is understood, and a later one may say more.
 */
class VersionTests {

    private static final Path MESSAGES = Path.of("src/test/resources/wire");

    static Stream<Arguments> messages() throws IOException {
        try (Stream<Path> files = Files.walk(MESSAGES)) {
            return files.filter(Files::isRegularFile).sorted().toList().stream()
                    .map(file -> Arguments.of(MESSAGES.relativize(file).toString(), type(file)));
        }
    }

    private static Class<?> type(Path file) {
        return switch (file.getFileName().toString()) {
            case "hello.json" -> Report.Hello.class;
            case "session.json" -> Report.Session.class;
            case "report.json" -> Report.class;
            case "answer.json" -> Report.Answer.class;
            case "heartbeat.json" -> Report.Heartbeat.class;
            case "heartbeat-answer.json" -> Report.HeartbeatAnswer.class;
            case "desired.json" -> DesiredHost.class;
            default -> throw new IllegalArgumentException("no record for " + file);
        };
    }

    @ParameterizedTest
    @MethodSource("messages")
    void understandsAllOfWhatAnEarlierReleaseSaid(String file, Class<?> type) throws IOException {
        JsonNode said = read(file);

        JsonNode understood = WireFormat.MAPPER.valueToTree(WireFormat.MAPPER.treeToValue(said, type));

        requireSaid(understood, said, file);
    }

    private static void requireSaid(JsonNode understood, JsonNode said, String at) {
        if (said.isObject()) {
            said.forEachEntry((name, value) -> requireSaid(understood.path(name), value, at + "/" + name));
        } else if (said.isArray()) {
            assertThat(understood.size()).as(at).isEqualTo(said.size());
            for (int i = 0; i < said.size(); i++) {
                requireSaid(understood.get(i), said.get(i), at + "/" + i);
            }
        } else {
            assertThat(understood.toString()).as(at).isEqualTo(said.toString());
        }
    }

    @ParameterizedTest
    @MethodSource("messages")
    void passesOverWhatALaterReleaseSaysMore(String file, Class<?> type) throws IOException {
        JsonNode more = read(file);
        sayMore(more);

        assertThat(WireFormat.MAPPER.treeToValue(more, type))
                .isEqualTo(WireFormat.MAPPER.treeToValue(read(file), type));
    }

    private static void sayMore(JsonNode node) {
        node.forEach(VersionTests::sayMore);
        if (node instanceof ObjectNode object) {
            object.put("colour", "red").putObject("shape").put("corners", 4);
        }
    }

    private static JsonNode read(String file) throws IOException {
        return WireFormat.MAPPER.readTree(Files.readString(MESSAGES.resolve(file)));
    }
}
