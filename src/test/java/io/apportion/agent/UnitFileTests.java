package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the unit file grants must be what the agent's defaults need. */
class UnitFileTests {

    private final List<String> lines;
    private final AgentFileSettings settings;

    UnitFileTests() throws IOException {
        lines = Files.readString(Path.of("packaging/systemd/apportion-agent.service"))
                .replace("\\\n", " ")
                .lines()
                .filter(line -> !line.startsWith("#"))
                .toList();
        settings = new AgentConfiguration(Path.of("packaging/agent.yaml")).settings();
    }

    /** All words that the unit gives for that directive. */
    private List<String> all(String directive) {
        List<String> words = new ArrayList<>();
        lines.stream()
                .filter(line -> line.startsWith(directive + "="))
                .flatMap(
                        line -> Stream.of(line.substring(directive.length() + 1).split("\\s+")))
                .forEach(words::add);
        return words;
    }

    private String one(String directive) {
        List<String> words = all(directive);
        assertThat(words).as(directive).hasSize(1);
        return words.getFirst();
    }

    private boolean mayWrite(Path file) {
        return all("ReadWritePaths").stream()
                .map(path -> Path.of(path.replaceFirst("^-", "")))
                .anyMatch(file::startsWith);
    }

    @Test
    void mayWriteWhatTheAgentWritesAndNothingElse() {
        assertThat(one("ProtectSystem")).isEqualTo("strict");
        assertThat(settings.sysfs().resolve("devices/vfio_ap/matrix")).matches(this::mayWrite);
        assertThat(settings.sysfs().resolve("bus/ap/apmask")).matches(this::mayWrite);
        assertThat(settings.lock()).matches(this::mayWrite);
        assertThat(settings.apConfigLock()).matches(this::mayWrite);
        assertThat(settings.state().getParent()).isEqualTo(Path.of("/var/lib").resolve(one("StateDirectory")));
        assertThat(one("StateDirectoryMode")).isEqualTo("0700");
        assertThat(all("ReadWritePaths")).containsExactlyInAnyOrder("/sys/devices", "/sys/bus", "-/run/lock");
    }

    @Test
    void mayReadWhoHasAnMdevOpen() {
        assertThat(all("CapabilityBoundingSet")).containsExactlyInAnyOrder("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH");
        assertThat(lines).noneMatch(line -> line.matches("(ProtectProc|ProcSubset|PrivateDevices|PrivateUsers)=.*"));
        assertThat(all("RestrictAddressFamilies"))
                .containsExactlyInAnyOrder("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK");
    }

    @Test
    void isReadyBeforeWhoeverStartsGuestsAndNeverKeepsTheBootUp() {
        assertThat(one("Type")).isEqualTo("notify");
        assertThat(all("Before")).contains("libvirtd.service", "virtqemud.service", "libvirt-guests.service");
        assertThat(all("After")).noneMatch(unit -> unit.contains("network"));
        assertThat(Duration.parse("PT" + one("TimeoutStartSec").replace("min", "M")))
                .isGreaterThan(settings.timings().ready());
    }

    @Test
    void runsTheAgentAndDoesNotStartItAgainWhenItIsConfiguredWrongly() {
        assertThat(all("ExecStart")).endsWith("-jar", "/usr/lib/apportion/apportion.jar", "agent");
        assertThat(one("Restart")).isEqualTo("always");
        assertThat(one("RestartPreventExitStatus")).isEqualTo("2");
    }
}
