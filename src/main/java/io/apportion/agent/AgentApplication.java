package io.apportion.agent;

import io.apportion.agent.AgentMemory.Remembered;
import io.apportion.agent.sysfs.HostCheck;
import io.apportion.agent.sysfs.ServiceNotice;
import io.apportion.agent.sysfs.StateFile;
import io.apportion.agent.sysfs.SysfsKernel;
import io.apportion.agent.sysfs.SysfsSettings;
import io.apportion.agent.sysfs.TokenFile;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.WireFormat;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code apportion agent}: puts the agent of this host together, from its configuration and the real kernel. */
public final class AgentApplication {

    private static final Logger LOG = LoggerFactory.getLogger(AgentApplication.class);

    private static final String USAGE = """
        Usage: apportion agent [check] [OPTION...]

          (nothing else)            serve this host until it is told to stop
          check                     tell whether this host can serve, and what to do if not
          --once --dry-run          tell what an agent would see and do now, and change nothing
          --json                    the same for programs

          --config=FILE             default /etc/apportion/agent.yaml
          --apportion.agent.X=Y     in place of what the file says of X
        """;

    private static final Path FILE = Path.of("/etc/apportion/agent.yaml");

    private static final int DONE = 0;
    private static final int FAILED = 1;
    private static final int MISUSED = 2;

    private final PrintStream out;
    private final PrintStream err;

    AgentApplication(PrintStream out, PrintStream err) {
        this.out = out;
        this.err = err;
    }

    public static void main(String[] args) {
        System.exit(new AgentApplication(System.out, System.err).run(args));
    }

    private enum Task {
        SERVE,
        CHECK,
        DRY_RUN
    }

    private record Command(Task task, boolean json, Path file, List<String> settings) {

        static Command of(String... args) {
            List<String> words = new ArrayList<>(List.of(args));
            boolean check = words.remove("check");
            boolean once = words.remove("--once");
            boolean dry = words.remove("--dry-run");
            boolean json = words.remove("--json");
            if (once != dry || (check && dry) || (json && !dry)) {
                throw new IllegalArgumentException("--once and --dry-run go together, and --json with them");
            }
            Path file = FILE;
            List<String> settings = new ArrayList<>();
            for (String word : words) {
                if (word.startsWith("--config=")) {
                    file = Path.of(word.substring("--config=".length()));
                    if (!Files.isReadable(file)) {
                        throw new IllegalArgumentException("there is no " + file + " that can be read");
                    }
                } else if (word.matches("--(apportion\\.agent|logging\\.level)\\.[^=]+=.*")) {
                    settings.add(word);
                } else {
                    throw new IllegalArgumentException("unknown option " + word);
                }
            }
            return new Command(check ? Task.CHECK : dry ? Task.DRY_RUN : Task.SERVE, json, file, settings);
        }
    }

    /** @return the exit code: 0 done, 1 it did not work, 2 called or configured wrongly */
    int run(String... args) {
        Command command;
        try {
            command = Command.of(args);
        } catch (IllegalArgumentException misused) {
            err.println(misused.getMessage());
            err.print(USAGE);
            return MISUSED;
        }
        try {
            return run(command);
        } catch (IllegalArgumentException badSetting) {
            err.println(badSetting.getMessage());
            return MISUSED;
        } catch (IOException | UncheckedIOException failure) {
            err.println(failure.getMessage());
            return FAILED;
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            return FAILED;
        }
    }

    private int run(Command command) throws IOException, InterruptedException {
        AgentConfiguration configuration =
                new AgentConfiguration(command.file(), command.settings().toArray(String[]::new));
        AgentFileSettings settings = configuration.settings();
        if (command.task() == Task.SERVE) {
            configuration.log();
            return serve(settings);
        }
        configuration.logNothing();
        return command.task() == Task.CHECK ? check(settings) : dryRun(settings, command.json());
    }

    // Serving.

    private int serve(AgentFileSettings settings) throws IOException, InterruptedException {
        AgentSettings agentSettings = agentSettings(settings);
        ServiceNotice notice = new ServiceNotice(System.getenv("NOTIFY_SOCKET"));
        try (SysfsKernel kernel = SysfsKernel.open(sysfsSettings(settings))) {
            AgentMemory memory = new StateFile(settings.state());
            requireHost(agentSettings.host(), memory.recall(), settings.state());
            Agent agent = new Agent(agentSettings, kernel, memory, RandomGenerator.getDefault());
            Thread stop = new Thread(() -> {
                notice.stopping();
                agent.close();
            });
            Runtime.getRuntime().addShutdownHook(stop);
            LOG.info("the agent of host {} serves {}", agentSettings.host(), agentSettings.server());
            agent.start();
            boolean resumed = agent.awaitResumed(settings.timings().ready());
            notice.ready(
                    resumed
                            ? "the stored state is applied"
                            : "the stored state is not applied yet, and others shall not wait for it");
            agent.awaitEnd();
            return FAILED;
        }
    }

    /** What was said of one host is not for another: before its network is up, a host may not know its name. */
    private static void requireHost(String host, Remembered remembered, Path state) throws IOException {
        DesiredHost desired = remembered.desired();
        if (desired != null && !desired.host().equals(host)) {
            throw new IOException(
                    "%s is of host %s, and this agent speaks for %s: set apportion.agent.host, or move the file away"
                            .formatted(state, desired.host(), host));
        }
    }

    private static AgentSettings agentSettings(AgentFileSettings settings) throws IOException {
        if (settings.server() == null) {
            throw new IllegalArgumentException("apportion.agent.server is not set: the server's address");
        }
        return new AgentSettings(
                host(settings),
                settings.server(),
                token(settings),
                tls(settings),
                settings.keep().keep(),
                settings.timings().ofAgent());
    }

    private static String host(AgentFileSettings settings) throws IOException {
        String given = settings.host();
        return given != null && !given.isBlank()
                ? given
                : Files.readString(settings.proc().resolve("sys/kernel/hostname"))
                        .strip();
    }

    /** @return null: the token is not needed, and there is none */
    private static @Nullable String token(AgentFileSettings settings) throws IOException {
        return settings.clientCertificate() != null && Files.notExists(settings.tokenFile())
                ? null
                : TokenFile.read(settings.tokenFile());
    }

    private static @Nullable TlsFiles tls(AgentFileSettings settings) throws IOException {
        Path certificate = settings.clientCertificate();
        Path key = settings.clientKey();
        if ((certificate == null) != (key == null)) {
            throw new IllegalArgumentException(
                    "apportion.agent.client-certificate and client-key go together: neither is of use alone");
        }
        if (certificate == null && settings.trustedCertificates() == null) {
            return null;
        }
        TlsFiles tls = new TlsFiles(settings.trustedCertificates(), certificate, key, TokenFile::requirePrivate);
        tls.newest();
        return tls;
    }

    static SysfsSettings sysfsSettings(AgentFileSettings settings) {
        AgentFileSettings.TimingSettings timings = settings.timings();
        return new SysfsSettings(
                settings.sysfs(),
                settings.proc(),
                settings.dev(),
                settings.machineId(),
                settings.definitions(),
                settings.apConfigLock(),
                settings.lock(),
                new SysfsSettings.Timings(
                        timings.apConfigLock(), timings.remove(), timings.write(), timings.read(), timings.scan()));
    }

    // Looking only.

    private int check(AgentFileSettings settings) throws InterruptedException {
        List<Finding> findings =
                new ArrayList<>(HostCheck.look(sysfsSettings(settings), settings.state(), Path.of("/")));
        findings.add(atServer(settings));
        findings.forEach(out::println);
        boolean serves = findings.stream().noneMatch(finding -> finding.verdict() == Finding.Verdict.FAIL);
        out.println(serves ? "This host can serve." : "This host cannot serve like this.");
        return serves ? DONE : FAILED;
    }

    private static Finding atServer(AgentFileSettings settings) throws InterruptedException {
        try {
            AgentSettings agent = agentSettings(settings);
            DesiredHost said = said(agent);
            return Finding.ok("the server has host %s, at generation %d, and takes the token"
                    .formatted(said.host(), said.generation()));
        } catch (IllegalArgumentException unset) {
            return Finding.fail(String.valueOf(unset.getMessage()), "docs/agent.md has an example configuration.");
        } catch (ServerRefusal refusal) {
            return Finding.fail(String.valueOf(refusal.getMessage()), null);
        } catch (SSLException untrusted) {
            return Finding.fail(
                    "the server does not show who it is: " + Complaint.words(untrusted),
                    "If your own authority signs its certificate, name its file: trusted-certificates.");
        } catch (IOException failure) {
            return Finding.fail(
                    "the server is not reached: " + Complaint.words(failure),
                    "An agent that has served before makes its host as it was, also without the server.");
        }
    }

    private static DesiredHost said(AgentSettings settings) throws IOException, InterruptedException {
        try (ServerLink link = new ServerLink(settings)) {
            return link.look();
        }
    }

    private int dryRun(AgentFileSettings settings, boolean json) throws IOException, InterruptedException {
        String host = host(settings);
        Remembered remembered = StateFile.read(settings.state());
        requireHost(host, remembered, settings.state());
        DesiredHost said = null;
        String silence = null;
        try {
            said = said(agentSettings(settings));
        } catch (IOException | IllegalArgumentException failure) {
            silence = Complaint.words(failure);
        }
        try (SysfsKernel kernel = SysfsKernel.openToRead(sysfsSettings(settings))) {
            DryRun run = DryRun.of(kernel, remembered, settings.keep().keep(), said);
            if (json) {
                out.println(WireFormat.MAPPER
                        .writerWithDefaultPrettyPrinter()
                        .writeValueAsString(new Printed(host, silence, run)));
            } else {
                run.lines(host).forEach(out::println);
                if (silence != null) {
                    out.println("The server was not asked: " + silence);
                }
            }
            return DONE;
        }
    }

    /** @param silence why the server was not asked */
    private record Printed(String host, @Nullable String silence, DryRun run) {}
}
