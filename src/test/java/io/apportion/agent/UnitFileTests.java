package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.packaging.UnitFile;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What the unit file grants must be what the agent's defaults need. */
class UnitFileTests {

    private final UnitFile unit = UnitFile.read("apportion-agent.service");
    private final AgentFileSettings settings = new AgentConfiguration(Path.of("packaging/agent.yaml")).settings();

    UnitFileTests() throws IOException {}

    private boolean mayWrite(Path file) {
        return unit.all("ReadWritePaths").stream()
                .map(path -> Path.of(path.replaceFirst("^-", "")))
                .anyMatch(file::startsWith);
    }

    @Test
    void mayWriteWhatTheAgentWritesAndNothingElse() {
        assertThat(unit.one("ProtectSystem")).isEqualTo("strict");
        assertThat(settings.sysfs().resolve("devices/vfio_ap/matrix")).matches(this::mayWrite);
        assertThat(settings.sysfs().resolve("bus/ap/apmask")).matches(this::mayWrite);
        assertThat(settings.lock()).matches(this::mayWrite);
        assertThat(settings.apConfigLock()).matches(this::mayWrite);
        assertThat(settings.state().getParent()).isEqualTo(Path.of("/var/lib").resolve(unit.one("StateDirectory")));
        assertThat(unit.one("StateDirectoryMode")).isEqualTo("0700");
        assertThat(unit.all("ReadWritePaths")).containsExactlyInAnyOrder("/sys/devices", "/sys/bus", "-/run/lock");
    }

    @Test
    void mayReadWhoHasAnMdevOpen() {
        assertThat(unit.all("CapabilityBoundingSet"))
                .containsExactlyInAnyOrder("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH");
        assertThat(unit.directives()).doesNotContain("ProtectProc", "ProcSubset", "PrivateDevices", "PrivateUsers");
        assertThat(unit.all("RestrictAddressFamilies"))
                .containsExactlyInAnyOrder("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK");
    }

    @Test
    void isReadyBeforeWhoeverStartsGuestsAndNeverKeepsTheBootUp() {
        assertThat(unit.one("Type")).isEqualTo("notify");
        assertThat(unit.all("Before")).contains("libvirtd.service", "virtqemud.service", "libvirt-guests.service");
        assertThat(unit.all("After")).noneMatch(unit -> unit.contains("network"));
        assertThat(Duration.parse("PT" + unit.one("TimeoutStartSec").replace("min", "M")))
                .isGreaterThan(settings.timings().ready());
    }

    @Test
    void runsTheAgentAndDoesNotStartItAgainWhenItIsConfiguredWrongly() {
        assertThat(unit.all("ExecStart")).containsExactly("/usr/bin/apportion", "agent");
        assertThat(unit.one("Restart")).isEqualTo("always");
        assertThat(unit.one("RestartPreventExitStatus")).isEqualTo("2");
    }
}
