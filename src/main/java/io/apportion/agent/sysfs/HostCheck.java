package io.apportion.agent.sysfs;

import static io.apportion.agent.Finding.fail;
import static io.apportion.agent.Finding.note;
import static io.apportion.agent.Finding.ok;

import io.apportion.agent.AgentMemory.Remembered;
import io.apportion.agent.Finding;
import io.apportion.ap.Matrix;
import io.apportion.ap.QueueSet;
import io.apportion.ap.Reservation;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedDefinition;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Looks whether an agent could serve on this host, and at what would be in its way. Changes nothing. */
public final class HostCheck {

    private final SysfsSettings settings;
    private final Path state;
    private final Path root;
    private final Tree tree;
    private final List<Finding> findings = new ArrayList<>();

    private HostCheck(SysfsSettings settings, Path state, Path root) {
        this.settings = settings;
        this.state = state;
        this.root = root;
        this.tree = new Tree(settings);
    }

    /**
     * @param state the agent's own file
     * @param root of what else is looked at: rules of udev and modules of the kernel
     */
    public static List<Finding> look(SysfsSettings settings, Path state, Path root) {
        HostCheck check = new HostCheck(settings, state, root);
        check.look();
        return check.findings;
    }

    private void look() {
        String release = text(settings.proc().resolve("sys/kernel/osrelease"));
        if (release == null) {
            findings.add(fail("there is no " + settings.proc() + ": this is no Linux host", null));
            return;
        }
        findings.add(ok("kernel " + release));
        if (text(settings.machineId()) == null) {
            findings.add(fail(
                    "there is no " + settings.machineId() + ", by which the server knows the machine",
                    "systemd-machine-id-setup"));
        }
        if (Files.isDirectory(tree.bus("devices"))) {
            lookAtCrypto(release);
        } else {
            findings.add(fail(
                    "there is no AP bus (" + tree.bus("") + ")",
                    "On IBM Z or LinuxONE load it (modprobe ap); other machines have none."));
        }
        lookAtOthers();
        lookAtLocks();
        lookAtState();
        try {
            Libc.close(Libc.openUevents(1));
            findings.add(ok("uevents can be heard"));
        } catch (ErrnoException failure) {
            findings.add(note(
                    "uevents cannot be heard (" + failure.errno() + "): changes are seen only when they are looked for",
                    null));
        }
    }

    private @Nullable String text(Path file) {
        try {
            String text = HostFiles.text(file);
            return text == null || text.isBlank() ? null : text.strip();
        } catch (IOException unreadable) {
            return null;
        }
    }

    // Crypto.

    private void lookAtCrypto(String release) {
        boolean loaded = Files.isDirectory(tree.parent());
        if (!loaded) {
            findings.add(vfioApMissing(release));
        }
        ObservedHost host;
        try (SysfsKernel kernel = SysfsKernel.openToRead(settings)) {
            host = kernel.read();
        } catch (IOException | IllegalStateException failure) {
            findings.add(fail("the host cannot be read: " + failure.getMessage(), null));
            return;
        }
        lookAtAdapters(host);
        if (loaded) {
            lookAtDriver(host);
        }
        lookAtMasks(host);
        lookAtMdevs(host);
    }

    private Finding vfioApMissing(String release) {
        Path modules = root.resolve("lib/modules").resolve(release);
        try {
            if (Files.isReadable(modules.resolve("modules.dep"))
                    && !Files.readString(modules.resolve("modules.dep")).contains("/vfio_ap.ko")) {
                return fail(
                        "this kernel was built without vfio_ap, as Debian builds it",
                        "Use a kernel that has it: those of RHEL, SLES and Ubuntu do.");
            }
        } catch (IOException unreadable) {
            // Then it can only be tried.
        }
        return fail(
                "vfio_ap is not loaded",
                "modprobe vfio_ap; for each boot: echo vfio_ap > /etc/modules-load.d/vfio_ap.conf");
    }

    private void lookAtAdapters(ObservedHost host) {
        List<ObservedAdapter> adapters = host.adapters();
        if (adapters == null || host.masks() == null) {
            findings.add(fail("the AP bus cannot be read", "Run this as root."));
        } else if (adapters.isEmpty()) {
            findings.add(note(
                    "the machine gives this host no crypto adapter",
                    "Give the LPAR adapters and domains in its activation profile."));
        } else {
            int queues = adapters.stream()
                    .mapToInt(adapter -> adapter.devices().count())
                    .sum();
            findings.add(ok(adapters.size() + " adapters with " + queues + " queues"));
        }
    }

    private void lookAtDriver(ObservedHost host) {
        ObservedHost.Features features = host.features();
        if (!features.guestMatrix()) {
            findings.add(note(
                    "vfio_ap of this kernel cannot change what a running guest has (no guest_matrix)",
                    "Changes of running guests are refused; Linux 6.0 and later can do it."));
        } else if (!features.apConfig()) {
            findings.add(note(
                    "vfio_ap of this kernel has no ap_config: changes are made number by number",
                    "Linux 6.10 and later take a whole matrix in one write."));
        } else {
            findings.add(ok("vfio_ap has guest_matrix and ap_config"));
        }
        List<Path> written = List.of(tree.create(), tree.bus("apmask"), tree.bus("aqmask"));
        List<Path> refused =
                written.stream().filter(file -> !Files.isWritable(file)).toList();
        findings.add(
                refused.isEmpty()
                        ? ok("sysfs can be written")
                        : fail("may not write to " + join(refused), "Run this as root, where sysfs is not read-only."));
        if (!features.guests()) {
            findings.add(note(
                    "the open files of all processes cannot be seen, and so not who holds an mdev",
                    "Run this as root; in a service, with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. Without, guests are"
                            + " attached and released through the API."));
        }
    }

    private void lookAtMasks(ObservedHost host) {
        Reservation masks = host.masks();
        List<ObservedAdapter> adapters = Objects.requireNonNullElse(host.adapters(), List.of());
        boolean overridden =
                adapters.stream().anyMatch(adapter -> !adapter.overridden().isEmpty());
        if (masks != null && Reservation.EVERYTHING.equals(masks) && !overridden) {
            findings.add(note(
                    "all queues are the host's own (apmask and aqmask are all ones)",
                    "Free some through Apportion: PUT /api/v1/hosts/HOST/reservation, or …/queues/QUEUE/driver."));
        } else if (masks != null) {
            Matrix configuration = host.hostConfiguration();
            QueueSet reserved = masks.queues();
            findings.add(ok(
                    (overridden
                            ? "some queues have a driver_override"
                            : "the masks keep "
                                    + (configuration == null
                                            ? reserved.queues().count()
                                            : reserved.within(configuration.adapters(), configuration.domains())
                                                    .queues()
                                                    .count())
                                    + " queues for the host")));
        }
    }

    private void lookAtMdevs(ObservedHost host) {
        if (host.mdevs() == null) {
            findings.add(fail("the mdevs cannot be read", "Run this as root."));
            return;
        }
        Set<UUID> own;
        try {
            own = StateFile.read(state).own().keySet();
        } catch (IOException said) {
            own = Set.of();
        }
        Set<UUID> ours = own;
        List<UUID> foreign = host.mdevs().stream()
                .map(ObservedMdev::uuid)
                .filter(uuid -> !ours.contains(uuid))
                .toList();
        if (!foreign.isEmpty()) {
            findings.add(note(
                    "mdevs that Apportion did not make, and leaves alone: " + join(foreign),
                    "POST /api/v1/hosts/HOST/foreign-mdevs/UUID/adopt takes one over as it is."));
        }
    }

    // Others.

    private void lookAtOthers() {
        lookAtDefinitions();
        Path rules = root.resolve("etc/udev/rules.d");
        List<Path> masks = names(rules).stream()
                .map(rules::resolve)
                .filter(rule -> {
                    String text = text(rule);
                    return text != null && (text.contains("apmask") || text.contains("aqmask"));
                })
                .toList();
        if (!masks.isEmpty()) {
            findings.add(note(
                    "udev sets the masks at each boot (chzdev): " + join(masks),
                    "That is well as long as no reservation is set through Apportion; then remove it (chzdev -t ap"
                            + " --remove-all, persistently)."));
        }
        boolean kubeVirt = names(settings.proc()).stream()
                .filter(name -> Character.isDigit(name.charAt(0)))
                .anyMatch(pid -> "virt-handler".equals(text(settings.proc().resolve(pid, "comm"))));
        if (kubeVirt) {
            findings.add(fail(
                    "KubeVirt's virt-handler runs here, which removes mdevs that it does not know",
                    "Let one of the two look after this host's mdevs, not both."));
        }
    }

    private void lookAtDefinitions() {
        List<ObservedDefinition> defined;
        try {
            defined = new Definitions(settings.definitions()).read();
        } catch (IOException unreadable) {
            findings.add(note("mdevctl's definitions cannot be read: " + unreadable.getMessage(), null));
            return;
        }
        if (!defined.isEmpty()) {
            findings.add(note(
                    "mdevctl has definitions in " + settings.definitions() + ": "
                            + join(defined.stream().map(HostCheck::text).toList()),
                    defined.stream().anyMatch(ObservedDefinition::auto)
                            ? "mdevctl makes those that start by themselves at each boot. Once Apportion has adopted"
                                    + " one, let it do so no more: mdevctl modify -u UUID --manual, or mdevctl undefine"
                                    + " -u UUID."
                            : null));
        }
    }

    private static String text(ObservedDefinition definition) {
        return definition.name()
                + (definition.auto() ? " (starts by itself)" : "")
                + (definition.words() == null ? "" : " (not understood: " + definition.words() + ")");
    }

    private void lookAtLocks() {
        Path folder = Objects.requireNonNull(settings.apLock().toAbsolutePath().getParent());
        if (!Files.isWritable(folder)) {
            findings.add(fail(
                    "no lock can be made in " + folder + ", and without it nothing is written",
                    "Run this as root, where " + folder + " is not read-only."));
        }
        String tools = text(settings.apLock());
        if (Files.exists(settings.apLock())) {
            findings.add(note(
                    "chzdev or mdevctl is changing something, or died at it: " + settings.apLock() + " is held by "
                            + (tools == null ? "somebody who does not say who" : "process " + tools),
                    null));
        }
        String agent = text(settings.agentLock());
        if (agent != null && Files.isDirectory(settings.proc().resolve(agent))) {
            findings.add(note("an agent runs already, as process " + agent, null));
        }
    }

    private void lookAtState() {
        Path folder = Objects.requireNonNull(state.toAbsolutePath().getParent());
        try {
            Remembered remembered = StateFile.read(state);
            findings.add(
                    remembered.desired() == null
                            ? ok("no state is stored yet")
                            : ok("generation " + remembered.desired().generation() + " of host "
                                    + remembered.desired().host() + " is stored, with "
                                    + remembered.own().size() + " mdevs"));
        } catch (StateFile.NotUnderstood content) {
            findings.add(note(
                    String.valueOf(content.getMessage()),
                    "It will be kept aside, and all mdevs taken for foreign until the server answers."));
        } catch (IOException failure) {
            findings.add(fail(String.valueOf(failure.getMessage()), "An agent does not start without what it says."));
        }
        try {
            if (Files.exists(folder)) {
                Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(folder);
                if (permissions.contains(PosixFilePermission.GROUP_WRITE)
                        || permissions.contains(PosixFilePermission.OTHERS_WRITE)) {
                    findings.add(fail(
                            "others may write to " + folder + ", and so decide what root does", "chmod 700 " + folder));
                }
                if (!Files.isWritable(folder)) {
                    findings.add(fail("nothing can be stored in " + folder, "Run this as root."));
                }
            }
        } catch (IOException unreadable) {
            findings.add(fail(folder + " cannot be looked at: " + unreadable.getMessage(), null));
        }
    }

    private static List<String> names(Path folder) {
        try {
            return Objects.requireNonNullElse(HostFiles.names(folder), List.<String>of()).stream()
                    .sorted()
                    .toList();
        } catch (IOException unreadable) {
            return List.of();
        }
    }

    private static String join(List<?> things) {
        return things.stream().map(Object::toString).collect(Collectors.joining(", "));
    }
}
