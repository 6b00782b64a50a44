package io.apportion.agent.sysfs;

import java.nio.file.Path;
import java.time.Duration;

/**
 * Where the host's files are, and how long to wait for them. Tests have trees of their own.
 *
 * @param sys where sysfs is mounted
 * @param proc where procfs is mounted
 * @param dev where the device files are
 * @param machineId systemd's
 * @param definitions the folder of mdevctl's definitions, which are only read
 * @param apLock the lock of s390-tools (chzdev, mdevctl's call-out): a file that is there while somebody has it
 * @param agentLock the lock that keeps a second agent from this host, held as long as the agent runs
 */
public record SysfsSettings(
        Path sys, Path proc, Path dev, Path machineId, Path definitions, Path apLock, Path agentLock, Timings timings) {

    /**
     * @param apLock at most so long for the lock of s390-tools, which a mask change by hand may hold for its resets
     * @param remove how long the kernel may take to remove an mdev; it takes for ever while somebody holds the mdev
     * @param write how long any other write may take; a mask that gives many queues back resets one after the other
     * @param read how long one look at the whole host may take
     * @param scan from one look at the open files of all processes to the next; between them only those are looked at
     *     that are new or run a virtual machine
     */
    public record Timings(Duration apLock, Duration remove, Duration write, Duration read, Duration scan) {

        public static final Timings DEFAULT = new Timings(
                Duration.ofSeconds(60),
                Duration.ofSeconds(30),
                Duration.ofMinutes(10),
                Duration.ofMinutes(2),
                Duration.ofMinutes(1));
    }

    public static final SysfsSettings DEFAULT = new SysfsSettings(
            Path.of("/sys"),
            Path.of("/proc"),
            Path.of("/dev"),
            Path.of("/etc/machine-id"),
            Path.of("/etc/mdevctl.d/matrix"),
            Path.of("/run/lock/s390apconfig.lock"),
            Path.of("/run/lock/apportion-agent.lock"),
            Timings.DEFAULT);
}
