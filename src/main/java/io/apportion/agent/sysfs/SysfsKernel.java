package io.apportion.agent.sysfs;

import io.apportion.agent.HostKernel;
import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.ObservedGuest;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The kernel of the host that this runs on, as root. Each write is one text to one file, alone, under the lock of
 * s390-tools, and leaves a line in the log.
 *
 * <p>Any call of the kernel may take long, and the removal of an mdev that somebody has open takes for ever: none is made
 * on the caller's thread, and each has its time. What is not back by then is left behind, and whatever it was about is left
 * alone as long as it is.
 */
public final class SysfsKernel implements HostKernel {

    private static final Logger LOG = LoggerFactory.getLogger(SysfsKernel.class);

    private static final Duration STEP = Duration.ofMillis(100);

    /** What cannot be told from another machine's without: an image may be copied with its machine id. */
    private static final Pattern SYSINFO =
            Pattern.compile("(Type|Sequence Code|LPAR Number|VM00 Name) *: *([!-~]+)", Pattern.MULTILINE);

    /** Subjects of {@link Patience}, beside the mdevs. */
    private enum Subject {
        BUS,
        LOOK
    }

    private final SysfsSettings settings;
    private final Tree tree;
    private final String bootId;
    private final String machineId;
    private final HostReader reader;
    private final Patience patience = new Patience();
    private final @Nullable AgentLock agentLock;
    private final ApConfigLock apLock;

    /** Whoever has it has {@link #apLock} too. */
    private final ReentrantLock writing = new ReentrantLock();

    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
    private @Nullable Uevents uevents;
    private boolean heardNothing;

    private SysfsKernel(SysfsSettings settings, @Nullable AgentLock agentLock) throws IOException {
        this.settings = settings;
        this.agentLock = agentLock;
        tree = new Tree(settings);
        bootId = Libc.read(settings.proc().resolve("sys/kernel/random/boot_id")).strip();
        machineId = machineId(settings);
        String kernelRelease =
                Libc.read(settings.proc().resolve("sys/kernel/osrelease")).strip();
        reader = new HostReader(
                tree, new Holders(settings, bootId), new Definitions(settings.definitions()), kernelRelease);
        apLock = new ApConfigLock(settings.apLock(), settings.timings().apLock());
    }

    /**
     * For the one agent of this host.
     *
     * @throws IOException when there is another agent, or this is no Linux host
     */
    public static SysfsKernel open(SysfsSettings settings) throws IOException {
        AgentLock lock = AgentLock.take(settings.agentLock());
        try {
            return new SysfsKernel(settings, lock);
        } catch (IOException failure) {
            lock.close();
            throw failure;
        }
    }

    /** To look only, beside an agent or without one: every write is refused. */
    public static SysfsKernel openToRead(SysfsSettings settings) throws IOException {
        return new SysfsKernel(settings, null);
    }

    private static String machineId(SysfsSettings settings) throws IOException {
        String id = Libc.read(settings.machineId()).strip();
        String sysinfo = HostFiles.text(settings.proc().resolve("sysinfo"));
        return sysinfo == null
                ? id
                : SYSINFO.matcher(sysinfo)
                        .results()
                        .map(line -> line.group(2))
                        .collect(Collectors.joining("-", id + "@", ""));
    }

    @Override
    public String bootId() {
        return bootId;
    }

    @Override
    public String machineId() {
        return machineId;
    }

    /** Once is enough: later a queue without a driver is somebody's will. */
    @Override
    public void awaitBindings(Duration atMost) throws InterruptedException {
        long end = System.nanoTime() + atMost.toNanos();
        while (!areBound() && System.nanoTime() - end < 0) {
            Thread.sleep(STEP);
        }
    }

    private boolean areBound() {
        try {
            return look(
                    "look at the bindings",
                    () -> !Libc.read(tree.bus("bindings_complete_count"))
                            .strip()
                            .equals("0"));
        } catch (ErrnoException failure) {
            return true; // what cannot be asked need not be waited for
        }
    }

    // Looks.

    /** @throws IllegalStateException when the kernel does not answer */
    @Override
    public ObservedHost read() {
        try {
            return look("look at the host", reader::read);
        } catch (ErrnoException failure) {
            throw new IllegalStateException(failure.getMessage(), failure);
        }
    }

    @Override
    public @Nullable ObservedGuest guestOf(UUID mdev) throws KernelRefusal {
        try {
            return look("look at the guest of mdev " + mdev, () -> reader.guestOf(mdev, false));
        } catch (ErrnoException failure) {
            throw new KernelRefusal(failure.errno(), failure.what());
        }
    }

    private <T extends @Nullable Object> T look(String what, Patience.Call<T> look) throws ErrnoException {
        return patience.await(Subject.LOOK, what, settings.timings().read(), look);
    }

    // Changes.

    @Override
    public void create(UUID mdev) throws KernelRefusal {
        write(mdev, tree.create(), mdev.toString(), settings.timings().write());
    }

    /** Also EBUSY: somebody has it open, or that cannot be told. */
    @Override
    public void remove(UUID mdev) throws KernelRefusal {
        try (Exclusion _ = exclude()) {
            if (!look("look who has mdev " + mdev, () -> reader.isFree(mdev))) {
                throw new KernelRefusal("EBUSY", "mdev " + mdev + " is not removed: somebody has it open, or may have");
            }
            write(
                    mdev,
                    tree.mdev(mdev).resolve("remove"),
                    "1",
                    settings.timings().remove());
        } catch (ErrnoException unseen) {
            throw new KernelRefusal(unseen.errno(), unseen.what());
        }
    }

    @Override
    public void configure(UUID mdev, Matrix matrix) throws KernelRefusal {
        write(mdev, "ap_config", SysfsText.configuration(matrix));
    }

    @Override
    public void assignAdapter(UUID mdev, int adapter) throws KernelRefusal {
        write(mdev, "assign_adapter", SysfsText.adapter(adapter));
    }

    @Override
    public void unassignAdapter(UUID mdev, int adapter) throws KernelRefusal {
        write(mdev, "unassign_adapter", SysfsText.adapter(adapter));
    }

    @Override
    public void assignDomain(UUID mdev, int domain) throws KernelRefusal {
        write(mdev, "assign_domain", SysfsText.domain(domain));
    }

    @Override
    public void unassignDomain(UUID mdev, int domain) throws KernelRefusal {
        write(mdev, "unassign_domain", SysfsText.domain(domain));
    }

    @Override
    public void assignControlDomain(UUID mdev, int domain) throws KernelRefusal {
        write(mdev, "assign_control_domain", SysfsText.domain(domain));
    }

    @Override
    public void unassignControlDomain(UUID mdev, int domain) throws KernelRefusal {
        write(mdev, "unassign_control_domain", SysfsText.domain(domain));
    }

    private void write(UUID mdev, String attribute, String text) throws KernelRefusal {
        write(mdev, tree.mdev(mdev).resolve(attribute), text, settings.timings().write());
    }

    @Override
    public void unbind(Queue queue) throws KernelRefusal {
        String driver;
        try {
            driver = look("look at the driver of " + queue, () -> driverOf(queue));
        } catch (ErrnoException failure) {
            throw new KernelRefusal(failure.errno(), failure.what());
        }
        if (driver == null) {
            throw new KernelRefusal("ENODEV", "queue " + queue + " has no driver");
        }
        writeBus(tree.driver(driver, "unbind"), queue.toString());
    }

    private @Nullable String driverOf(Queue queue) throws ErrnoException {
        try {
            return HostFiles.link(tree.queue(queue).resolve("driver"));
        } catch (IOException failure) {
            throw new ErrnoException("EIO", String.valueOf(failure.getMessage()));
        }
    }

    @Override
    public void bind(Queue queue, boolean vfioAp) throws KernelRefusal {
        writeBus(tree.driver(vfioAp ? Tree.VFIO_AP : Tree.ZCRYPT, "bind"), queue.toString());
    }

    /** An empty line clears it; nothing at all would not reach the kernel. */
    @Override
    public void override(Queue queue, boolean vfioAp) throws KernelRefusal {
        writeBus(tree.queue(queue).resolve("driver_override"), vfioAp ? Tree.VFIO_AP + "\n" : "\n");
    }

    @Override
    public void changeApmask(ApMask bits, boolean set) throws KernelRefusal {
        changeMask("apmask", bits, set);
    }

    @Override
    public void changeAqmask(ApMask bits, boolean set) throws KernelRefusal {
        changeMask("aqmask", bits, set);
    }

    /** Never with an empty list: the kernel would take that for an absolute mask that frees everything. */
    private void changeMask(String mask, ApMask bits, boolean set) throws KernelRefusal {
        if (!bits.isEmpty()) {
            writeBus(tree.bus(mask), SysfsText.relative(bits, set));
        }
    }

    private void writeBus(Path file, String text) throws KernelRefusal {
        write(Subject.BUS, file, text, settings.timings().write());
    }

    private void write(Object subject, Path file, String text, Duration atMost) throws KernelRefusal {
        String what = "write \"" + text.strip() + "\" to " + file;
        try (Exclusion _ = exclude()) {
            patience.await(subject, what, atMost, () -> {
                Libc.write(file, text);
                return true;
            });
            LOG.info("{}", what);
        } catch (ErrnoException refused) {
            LOG.debug("{}: {}", what, refused.errno());
            throw new KernelRefusal(refused.errno(), refused.what());
        }
    }

    @Override
    public Exclusion exclude() throws KernelRefusal {
        if (agentLock == null) {
            throw new IllegalStateException("opened to read only, and yet to write");
        }
        writing.lock();
        try {
            boolean waited = writing.getHoldCount() == 1 && apLock.take();
            return new Exclusion() {
                @Override
                public boolean waited() {
                    return waited;
                }

                @Override
                public void close() {
                    if (writing.getHoldCount() == 1) {
                        apLock.release();
                    }
                    writing.unlock();
                }
            };
        } catch (KernelRefusal | RuntimeException notGot) {
            writing.unlock();
            throw notGot;
        }
    }

    // Uevents.

    /** Where the kernel may not be listened to, nobody is called back, and only polling sees a change. */
    @Override
    public void onChange(Runnable changed) {
        listeners.add(changed);
        if (uevents == null && !heardNothing) {
            try {
                uevents = new Uevents(Uevents.ROOM, Uevents::concernsCrypto, () -> listeners.forEach(Runnable::run));
            } catch (ErrnoException failure) {
                heardNothing = true;
                LOG.warn("Uevents cannot be heard ({}); changes are seen by polling alone", failure.getMessage());
            }
        }
    }

    @Override
    public void close() {
        listeners.clear();
        if (uevents != null) {
            uevents.close();
        }
        if (agentLock != null) {
            try {
                agentLock.close();
            } catch (IOException harmless) {
                LOG.debug("the lock of this agent", harmless);
            }
        }
    }
}
