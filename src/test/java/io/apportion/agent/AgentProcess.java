package io.apportion.agent;

import io.apportion.Apportion;
import io.apportion.agent.sysfs.SysfsSettings;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** {@code apportion agent} in a process of its own, on the files of some host. */
public final class AgentProcess implements AutoCloseable {

    private final Process process;
    private final Path log;

    /** @param folder for its token, its state and its log */
    public static AgentProcess start(Path folder, SysfsSettings host, URI server, String notify, String... more)
            throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Apportion.class.getName(),
                "agent"));
        command.addAll(options(folder, host, server, more));
        Path log = folder.resolve("agent.log");
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
        builder.environment().put("NOTIFY_SOCKET", notify);
        return new AgentProcess(builder.start(), log);
    }

    /**
     * The settings of an agent of lpar1.
     *
     * @param more options, which may be other values for some of them
     */
    static List<String> options(Path folder, SysfsSettings host, URI server, String... more) {
        List<String> options = new ArrayList<>(List.of(
                "--apportion.agent.server=" + server,
                "--apportion.agent.host=lpar1",
                "--apportion.agent.token-file=" + folder.resolve("token"),
                "--apportion.agent.state=" + folder.resolve("state/state.json"),
                "--apportion.agent.sysfs=" + host.sys(),
                "--apportion.agent.proc=" + host.proc(),
                "--apportion.agent.dev=" + host.dev(),
                "--apportion.agent.machine-id=" + host.machineId(),
                "--apportion.agent.ap-config-lock=" + host.apLock(),
                "--apportion.agent.lock=" + host.agentLock(),
                "--apportion.agent.definitions=" + folder.resolve("definitions"),
                "--apportion.agent.timings.poll=100ms",
                "--apportion.agent.timings.retry-first=50ms"));
        for (String option : more) {
            String name = option.replaceFirst("=.*", "=");
            options.removeIf(other -> other.startsWith(name));
            options.add(option);
        }
        return options;
    }

    private AgentProcess(Process process, Path log) {
        this.process = process;
        this.log = log;
    }

    /** SIGKILL; returns at once. */
    public void kill() {
        process.destroyForcibly();
    }

    /** SIGTERM. */
    public void stop() {
        process.destroy();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    public int awaitEnd() throws InterruptedException {
        if (!process.waitFor(2, TimeUnit.MINUTES)) {
            throw new AssertionError("it does not end:\n" + log());
        }
        return process.exitValue();
    }

    public String log() {
        try {
            return Files.readString(log);
        } catch (IOException failure) {
            return failure.toString();
        }
    }

    @Override
    public void close() {
        kill();
        process.onExit().join();
    }
}
