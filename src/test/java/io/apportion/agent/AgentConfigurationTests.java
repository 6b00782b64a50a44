package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.apportion.agent.sysfs.SysfsSettings;
import io.apportion.ap.ApMask;
import io.apportion.wire.ObservedHost.Keep;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AgentConfigurationTests {

    private static final Path EXAMPLE = Path.of("packaging/agent.yaml");
    private static final Path NONE = Path.of("/nowhere");

    @TempDir
    private Path folder;

    private AgentFileSettings parse(String yaml, String... options) {
        try {
            Path file = Files.writeString(folder.resolve("agent.yaml"), yaml);
            return new AgentConfiguration(file, options).settings();
        } catch (IOException failure) {
            throw new IllegalStateException(failure);
        }
    }

    private AgentFileSettings read(String... settings) {
        return parse("apportion:\n  agent:\n"
                + String.join(
                        "\n", Arrays.stream(settings).map(line -> "    " + line).toList()));
    }

    // Defaults.

    @Test
    void defaultsAreThoseOfItsParts() {
        AgentFileSettings settings = new AgentConfiguration(NONE).settings();
        assertThat(settings.timings().ofAgent()).isEqualTo(AgentSettings.Timings.DEFAULT);
        assertThat(AgentApplication.sysfsSettings(settings)).isEqualTo(SysfsSettings.DEFAULT);
        assertThat(settings.keep().keep()).isEqualTo(Keep.NOTHING);
        assertThat(settings.server()).isNull();
        assertThat(settings.host()).isNull();
        assertThat(settings.trustedCertificates()).isNull();
        assertThat(settings.clientCertificate()).isNull();
        assertThat(settings.clientKey()).isNull();
        assertThat(settings.state()).isEqualTo(Path.of("/var/lib/apportion-agent/state.json"));
        assertThat(settings.tokenFile()).isEqualTo(Path.of("/etc/apportion/agent-token"));
    }

    @Test
    void exampleSetsTheServerAlone() {
        AgentFileSettings settings = new AgentConfiguration(EXAMPLE).settings();
        AgentFileSettings defaults =
                new AgentConfiguration(NONE, "--apportion.agent.server=https://apportion.example").settings();
        assertThat(settings).isEqualTo(defaults);
    }

    @Test
    void exampleChangesNothingWhenItsLinesAreTaken() throws IOException {
        List<String> lines = Files.readAllLines(EXAMPLE).stream()
                // A setting that is commented out: explanations have a space after their sign.
                .map(line -> line.replaceFirst("^( *)#([a-z])", "$1$2"))
                .toList();
        AgentFileSettings all = parse(String.join("\n", lines));
        AgentFileSettings defaults = new AgentConfiguration(
                        NONE,
                        "--apportion.agent.server=https://apportion.example",
                        "--apportion.agent.host=lpar1",
                        "--apportion.agent.trusted-certificates=/etc/apportion/ca.pem",
                        "--apportion.agent.client-certificate=/etc/apportion/agent.pem",
                        "--apportion.agent.client-key=/etc/apportion/agent.key")
                .settings();
        assertThat(all).isEqualTo(defaults);
    }

    // Values.

    @Test
    void takesWhatTheFileSays() {
        AgentFileSettings settings = read(
                "server: https://apportion.example:8443/here",
                "host: lpar1",
                "keep: {adapters: [0x04, 7], domains: 0x10-0x12}",
                "timings:",
                "  poll: 250ms",
                "  write: 1h");
        assertThat(settings.server()).isEqualTo(URI.create("https://apportion.example:8443/here"));
        assertThat(settings.host()).isEqualTo("lpar1");
        assertThat(settings.keep().keep()).isEqualTo(new Keep(ApMask.of(4, 7), ApMask.of(16, 17, 18)));
        assertThat(settings.timings().poll()).isEqualTo(Duration.ofMillis(250));
        assertThat(settings.timings().write()).isEqualTo(Duration.ofHours(1));
    }

    @Test
    void takesTheCommandLineBeforeTheFile() {
        AgentFileSettings settings = parse("apportion.agent: {host: lpar1, state: /a}", "--apportion.agent.host=lpar2");
        assertThat(settings.host()).isEqualTo("lpar2");
        assertThat(settings.state()).isEqualTo(Path.of("/a"));
    }

    @Test
    void putsInWhatTheServiceManagerSays() {
        System.setProperty("credentials", "/run/credentials");
        try {
            assertThat(read("token-file: ${credentials}/token").tokenFile())
                    .isEqualTo(Path.of("/run/credentials/token"));
        } finally {
            System.clearProperty("credentials");
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "0x0, 0", "255, 255", "0xff, 255", "0xFF, 255", "0x0047, 71", "71, 71", "10, 10", "'0-0', 0"})
    void takesNumbersAsTheApiDoes(String text, int number) {
        assertThat(read("keep: {adapters: ['" + text + "']}").keep().keep().adapters())
                .isEqualTo(ApMask.of(number));
        assertThat(read("keep:", "  domains: " + text).keep().keep().domains()).isEqualTo(ApMask.of(number));
    }

    @ParameterizedTest
    @ValueSource(strings = {"047", "08", "256", "0x100", "-1", "4-2", "0x", "5x", "4-", "1,,x", "4.0047", "+4", "1_0"})
    void refusesNumbersThatMayBeOthers(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> read("keep:", "  domains: " + text))
                .withMessageContaining("keep.domains");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "polll: 5s | there is no setting apportion.agent.polll",
                "keep: {queues: 4} | there is no setting apportion.agent.keep.queues",
                "timings: {poll: soon} | apportion.agent.timings.poll: \"soon\" is not understood",
                "keep | there is no setting apportion.agent",
                "keep: [ | cannot be read"
            })
    void refusesWhatItDoesNotUnderstandInWords(String line, String words) {
        assertThatIllegalArgumentException().isThrownBy(() -> read(line)).withMessageContaining(words);
    }

    @Test
    void refusesASettingThatIsThereTwice() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> read("state: /a", "state: /b"))
                .withMessageContaining("found duplicate key state");
    }

    @ParameterizedTest
    @ValueSource(strings = {"spring.main.banner-mode: off", "agent: {host: x}", "host: x"})
    void refusesSettingsOfSomethingElse(String yaml) {
        assertThatIllegalArgumentException().isThrownBy(() -> parse(yaml)).withMessageContaining("there is no setting");
    }
}
