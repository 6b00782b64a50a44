package io.apportion.agent.sysfs;

import io.apportion.wire.ObservedHost.ObservedGuest;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who has device files of mdevs open, from the open files of processes.
 *
 * <p>To look at all of them each time would cost a busy host too much. A process that has an mdev open runs a virtual
 * machine, and it opened KVM soon after it was started: so those are looked at each time that have it open, and those that
 * are new; all others only now and then, or before something that must not go wrong.
 *
 * <p>Not for two threads at once.
 */
final class Holders {

    /** So long is a process new: what begins as a fork of a daemon runs a virtual machine only later. */
    private static final Duration NEW = Duration.ofMinutes(1);

    private static final String DELETED = " (deleted)";

    private final Path proc;
    private final Path vfio;
    private final Path kvm;
    private final String bootId;
    private final Duration scanEvery;

    private final Map<String, Seen> processes = new HashMap<>();
    private final Map<String, CommandLine> commandLines = new HashMap<>();
    private @Nullable Long scannedAt;

    private static final class Seen {
        private final long seenAt = System.nanoTime();

        /** It has KVM open. */
        private boolean runsGuest;

        /** Its open files could not be looked at. */
        private boolean hidden;

        private Set<Path> open = Set.of();
    }

    Holders(SysfsSettings settings, String bootId) {
        this.proc = settings.proc();
        this.vfio = settings.dev().resolve("vfio");
        this.kvm = settings.dev().resolve("kvm");
        this.bootId = bootId;
        this.scanEvery = settings.timings().scan();
    }

    /** @param all look at all processes, whatever it costs */
    void look(boolean all) throws IOException {
        long now = System.nanoTime();
        boolean scan = all || scannedAt == null || now - scannedAt >= scanEvery.toNanos();
        List<String> present = Objects.requireNonNullElse(HostFiles.names(proc), List.<String>of()).stream()
                .filter(name -> Character.isDigit(name.charAt(0)))
                .toList();
        if (present.isEmpty()) {
            throw new IOException("no process is to be seen in " + proc);
        }
        processes.keySet().retainAll(Set.copyOf(present));
        for (String pid : present) {
            Seen process = processes.computeIfAbsent(pid, unseen -> new Seen());
            if (scan || process.runsGuest || !process.open.isEmpty() || now - process.seenAt < NEW.toNanos()) {
                look(proc.resolve(pid), process);
            }
        }
        if (scan) {
            scannedAt = now;
            commandLines
                    .keySet()
                    .retainAll(holders().stream().map(this::identity).toList());
        }
    }

    private List<String> holders() {
        return processes.entrySet().stream()
                .filter(process -> !process.getValue().open.isEmpty())
                .map(Map.Entry::getKey)
                .toList();
    }

    private Seen process(String pid) {
        return Objects.requireNonNull(processes.get(pid));
    }

    private void look(Path folder, Seen process) {
        List<String> files = List.of();
        boolean hidden = false;
        try {
            files = Objects.requireNonNullElse(HostFiles.names(folder.resolve("fd")), List.of());
        } catch (AccessDeniedException refused) {
            hidden = true;
        } catch (IOException ended) {
            // It has no open files any more.
        }
        Set<Path> open = new HashSet<>();
        boolean runsGuest = false;
        for (String number : files) {
            Path file = folder.resolve("fd", number);
            try {
                Path target = Files.readSymbolicLink(file);
                runsGuest |= target.equals(kvm);
                if (target.startsWith(vfio)) {
                    open.addAll(node(file, target));
                }
            } catch (AccessDeniedException refused) {
                hidden = true;
            } catch (IOException closed) {
                // It is not open any more.
            }
        }
        process.runsGuest = runsGuest;
        process.hidden = hidden;
        process.open = open;
    }

    /** Nothing where it is not this host's device: any user may call a file of his own so in a namespace of his own. */
    private Set<Path> node(Path file, Path target) {
        String name = target.toString();
        Path node = name.endsWith(DELETED)
                ? target.resolveSibling(target.getFileName().toString().replace(DELETED, ""))
                : target;
        Object number = deviceNumber(node);
        // The file of an mdev that is being removed is no longer there.
        return number == null || number.equals(deviceNumber(file)) ? Set.of(node) : Set.of();
    }

    private static @Nullable Object deviceNumber(Path file) {
        try {
            return Files.getAttribute(file, "unix:rdev");
        } catch (IOException none) {
            return null;
        }
    }

    /** Whether the last looks saw the open files of every process: only then nobody has what nobody was seen to have. */
    boolean seesAll() {
        return scannedAt != null && processes.values().stream().noneMatch(process -> process.hidden);
    }

    /**
     * Who has one of these files open, as of the last look.
     *
     * @return null where that cannot be told
     */
    @Nullable
    ObservedGuest holder(Collection<Path> nodes) {
        // A daemon that opens it for a virtual machine may have it open a little longer.
        List<String> found = holders().stream()
                .filter(pid -> process(pid).open.stream().anyMatch(nodes::contains))
                .sorted(Comparator.comparing((String pid) -> !process(pid).runsGuest)
                        .thenComparing(pid -> Integer.valueOf(pid)))
                .toList();
        for (String pid : found) {
            String identity = identity(pid);
            if (identity != null) {
                CommandLine line = commandLines.computeIfAbsent(identity, unknown -> commandLine(pid));
                return new ObservedGuest(identity, line.name(), line.uuid());
            }
        }
        return seesAll() ? ObservedGuest.NONE : null;
    }

    /** Boot, process and start time; null when the process has ended. */
    private @Nullable String identity(String pid) {
        try {
            String stat = Libc.read(proc.resolve(pid, "stat"));
            // The second field is the name in parentheses, which may hold anything; the start time is the 22nd.
            String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", -1);
            return fields.length < 20 ? null : bootId + ":" + pid + ":" + fields[19];
        } catch (ErrnoException ended) {
            return null;
        }
    }

    private CommandLine commandLine(String pid) {
        try {
            return CommandLine.of(Libc.read(proc.resolve(pid, "cmdline")));
        } catch (ErrnoException ended) {
            return new CommandLine(null, null);
        }
    }
}
