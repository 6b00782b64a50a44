package io.apportion.simulator;

import io.apportion.agent.HostKernel;
import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.Reservation;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Features;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedDefinition;
import io.apportion.wire.ObservedHost.ObservedGuest;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A KVM host to play with: a machine with crypto cards, Linux 7.2 on it, guests, and an administrator who changes things
 * by hand. The agent sees it as it would see a real one.
 *
 * <p>Hardware that changes is scanned at once. {@link #onChange} tells what a real kernel tells through uevents, and no
 * more: not what is assigned, not a check-stop, not a guest that comes or goes; see {@link #tellEverything}.
 *
 * <p>Every method may be called from any thread. One lock holds the whole host; listeners are called without it, one
 * after the other in the order in which things happened, and by the time that a method returns unless another thread is
 * just calling them.
 */
public final class SimulatedHost implements HostKernel {

    private static final String KERNEL_RELEASE = "7.2.13";

    /** A kind of bad reset that the driver does not get over (AP_RESPONSE_INVALID_ADDRESS). */
    private static final int FAILED = ApHardware.INVALID_ADDRESS;

    private final String machineId;
    private final Features features;
    private final Reservation bootMasks;

    private final List<Runnable> changeListeners = new CopyOnWriteArrayList<>();
    private final List<Consumer<GuestCommit>> commitListeners = new CopyOnWriteArrayList<>();

    private final News news = new News();

    /** Guards everything below. */
    private final ReentrantLock lock = new ReentrantLock();

    private final ApHardware hardware;
    private final Map<Integer, Card> cards = new HashMap<>();

    /** Of mdevctl, by their names. */
    private final Map<String, ObservedDefinition> definitions = new TreeMap<>();

    private SimulatedKernel kernel;
    private String bootId;
    private final Map<String, Guest> guests = new TreeMap<>();
    private int processes;
    private boolean tellsEverything;

    /** Something happened in this action that listeners are to be told. */
    private boolean changed;

    /** The guest itself is closing its mdev. */
    private boolean releasing;

    /** @param identity of the process that holds the mdev open */
    private record Guest(Kvm kvm, UUID mdev, String identity) {}

    SimulatedHost(SimulatedHostBuilder builder) {
        machineId = builder.machineId;
        features = new Features(builder.guestMatrix, builder.apConfig, builder.guests);
        bootMasks = builder.bootMasks;
        ApMask controlDomains = builder.controlDomains;
        hardware = new ApHardware(
                true,
                builder.maxAdapter,
                builder.maxDomain,
                new Matrix(ApMask.NONE, builder.domains, controlDomains == null ? builder.domains : controlDomains));
        builder.cards.forEach(this::plugIn);
        bootId = UUID.randomUUID().toString();
        kernel = boot();
        for (Queue hole : builder.holes) {
            takeFromDriver(hole);
        }
    }

    public static SimulatedHostBuilder builder() {
        return new SimulatedHostBuilder();
    }

    private SimulatedKernel boot() {
        return new SimulatedKernel(hardware, bootMasks.apmask(), bootMasks.aqmask(), new Effects());
    }

    private void takeFromDriver(Queue queue) {
        try {
            kernel.unbind(queue, driverOf(queue));
        } catch (KernelRefusal none) {
            throw new IllegalArgumentException("a hole needs a queue that is there: " + queue, none);
        }
    }

    // The port.

    @Override
    public String bootId() {
        return locked(() -> bootId);
    }

    @Override
    public String machineId() {
        return machineId;
    }

    /** Returns at once: everything is bound when a boot is over. */
    @Override
    public void awaitBindings(Duration atMost) {}

    @Override
    public ObservedHost read() {
        return locked(() -> new ObservedHost(
                KERNEL_RELEASE,
                features,
                kernel.bus().maxAdapter(),
                kernel.bus().maxDomain(),
                kernel.bus().configuration(),
                new Reservation(kernel.devices().apmask, kernel.devices().aqmask),
                Keep.NOTHING,
                kernel.bus().cards().numbers().mapToObj(this::observed).toList(),
                kernel.vfioAp().mdevs().stream().map(this::observed).toList(),
                List.copyOf(definitions.values()),
                null));
    }

    private ObservedAdapter observed(int adapter) {
        Card card = Objects.requireNonNull(cards.get(adapter));
        QueueDevices devices = kernel.devices();
        boolean configured = !hardware.isDeconfigured(adapter);
        boolean checkstopped = hardware.isCheckstopped(adapter);
        ApMask existing = devices.existing(adapter);
        return new ObservedAdapter(
                adapter,
                card.type(),
                card.mode(),
                card.serial(),
                true,
                configured,
                checkstopped,
                existing,
                devices.drivenBy(ApDriver.VFIO_AP, adapter),
                devices.drivenBy(ApDriver.ZCRYPT, adapter),
                devices.overridden(adapter),
                configured && !checkstopped ? kernel.vfioAp().bound().impassable(adapter) : existing);
    }

    private ObservedMdev observed(MatrixMdev mdev) {
        Matrix shadow = new Matrix(mdev.shadow.adapters(), mdev.shadow.domains(), ApMask.NONE);
        return new ObservedMdev(mdev.uuid, false, mdev.matrix, features.guestMatrix() ? shadow : null, holder(mdev));
    }

    /** Keeps nobody out: whoever changes a simulated host by hand heeds no lock. */
    @Override
    public Exclusion exclude() {
        return new Exclusion() {
            @Override
            public boolean waited() {
                return false;
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public @Nullable ObservedGuest guestOf(UUID mdev) {
        return locked(() -> holder(kernel.vfioAp().find(mdev)));
    }

    private @Nullable ObservedGuest holder(@Nullable MatrixMdev mdev) {
        if (!features.guests()) {
            return null;
        }
        if (mdev == null || mdev.kvm == null) {
            return ObservedGuest.NONE;
        }
        Guest guest = Objects.requireNonNull(guests.get(mdev.kvm.name));
        return new ObservedGuest(guest.identity, guest.kvm.name, null);
    }

    @Override
    public void create(UUID mdev) throws KernelRefusal {
        act(() -> kernel.create(mdev.toString()));
    }

    /**
     * Never blocks: a guest that has the mdev loses it at once, as one does whose QEMU obeys the kernel's request. To
     * {@link #onCommit} that is a guest from which everything was taken.
     */
    @Override
    public void remove(UUID mdev) throws KernelRefusal {
        act(() -> {
            kernel.remove(mdev);
            guests.values().removeIf(guest -> guest.mdev.equals(mdev));
        });
    }

    /** Also ENOENT: a kernel without {@code ap_config}. */
    @Override
    public void configure(UUID mdev, Matrix matrix) throws KernelRefusal {
        act(() -> {
            if (!features.apConfig()) {
                throw Errno.ENOENT.at("ap_config");
            }
            write(mdev, "ap_config", KernelText.configuration(matrix));
        });
    }

    @Override
    public void assignAdapter(UUID mdev, int adapter) throws KernelRefusal {
        act(() -> write(mdev, "assign_adapter", adapter));
    }

    @Override
    public void unassignAdapter(UUID mdev, int adapter) throws KernelRefusal {
        act(() -> write(mdev, "unassign_adapter", adapter));
    }

    @Override
    public void assignDomain(UUID mdev, int domain) throws KernelRefusal {
        act(() -> write(mdev, "assign_domain", domain));
    }

    @Override
    public void unassignDomain(UUID mdev, int domain) throws KernelRefusal {
        act(() -> write(mdev, "unassign_domain", domain));
    }

    @Override
    public void assignControlDomain(UUID mdev, int domain) throws KernelRefusal {
        act(() -> write(mdev, "assign_control_domain", domain));
    }

    @Override
    public void unassignControlDomain(UUID mdev, int domain) throws KernelRefusal {
        act(() -> write(mdev, "unassign_control_domain", domain));
    }

    private void write(UUID mdev, String attribute, int number) throws KernelRefusal {
        write(mdev, attribute, Integer.toString(number));
    }

    private void write(UUID uuid, String attribute, String text) throws KernelRefusal {
        @Nullable MatrixMdev mdev = kernel.vfioAp().find(uuid);
        if (!features.guestMatrix() && mdev != null && mdev.kvm != null) {
            throw Errno.EBUSY.at(attribute);
        }
        kernel.write(uuid, attribute, text);
    }

    @Override
    public void unbind(Queue queue) throws KernelRefusal {
        act(() -> kernel.unbind(queue, driverOf(queue)));
    }

    /** A queue without a driver has none that it could be taken from: any name serves. */
    private String driverOf(Queue queue) {
        QueueDevices.@Nullable Device device = kernel.devices().find(queue);
        @Nullable ApDriver driver = device == null ? null : device.driver();
        return driver == null ? ApDriver.VFIO_AP.text : driver.text;
    }

    @Override
    public void bind(Queue queue, boolean vfioAp) throws KernelRefusal {
        act(() -> kernel.bind(queue, (vfioAp ? ApDriver.VFIO_AP : ApDriver.ZCRYPT).text));
    }

    /** Also ENOENT: no such queue. */
    @Override
    public void override(Queue queue, boolean vfioAp) throws KernelRefusal {
        override(queue, vfioAp ? ApDriver.VFIO_AP.text : "");
    }

    @Override
    public void changeApmask(ApMask bits, boolean set) throws KernelRefusal {
        if (!bits.isEmpty()) {
            writeApmask(relative(bits, set));
        }
    }

    @Override
    public void changeAqmask(ApMask bits, boolean set) throws KernelRefusal {
        if (!bits.isEmpty()) {
            writeAqmask(relative(bits, set));
        }
    }

    private static String relative(ApMask bits, boolean set) {
        String sign = set ? "+" : "-";
        return bits.numbers().mapToObj(number -> sign + number).collect(Collectors.joining(","));
    }

    @Override
    public void onChange(Runnable listener) {
        changeListeners.add(listener);
    }

    /** Whoever listened for changes hears nothing more. The host goes on. */
    @Override
    public void close() {
        changeListeners.clear();
    }

    // The machine.

    /** A card comes, configured and whole. It may replace another of the same number. */
    public void addCard(Card card) {
        act(() -> {
            plugIn(card);
            kernel.scan();
        });
    }

    private void plugIn(Card card) {
        cards.put(card.adapter(), card);
        hardware.type(card.adapter(), card.hardwareType());
        hardware.deconfigured(card.adapter(), false);
        hardware.checkstopped(card.adapter(), false);
        hardware.configuration(hardware.configuration().or(adapter(card.adapter())));
    }

    /** The card leaves the host configuration. */
    public void removeCard(int adapter) {
        act(() -> {
            hardware.configuration(hardware.configuration().minus(adapter(adapter)));
            kernel.scan();
            cards.remove(adapter);
        });
    }

    private static Matrix adapter(int adapter) {
        return new Matrix(ApMask.of(adapter), ApMask.NONE, ApMask.NONE);
    }

    /** The host gets a usage domain, on all cards, and may control it too. */
    public void addDomain(int domain) {
        act(() -> {
            hardware.configuration(hardware.configuration().or(usageAndControl(domain)));
            kernel.scan();
        });
    }

    public void removeDomain(int domain) {
        act(() -> {
            hardware.configuration(hardware.configuration().minus(usageAndControl(domain)));
            kernel.scan();
        });
    }

    private static Matrix usageAndControl(int domain) {
        return new Matrix(ApMask.NONE, ApMask.of(domain), ApMask.of(domain));
    }

    /** The host may control the domain, and use it only if it could before. */
    public void addControlDomain(int domain) {
        act(() -> {
            hardware.configuration(hardware.configuration().or(control(domain)));
            kernel.scan();
        });
    }

    public void removeControlDomain(int domain) {
        act(() -> {
            hardware.configuration(hardware.configuration().minus(control(domain)));
            kernel.scan();
        });
    }

    private static Matrix control(int domain) {
        return new Matrix(ApMask.NONE, ApMask.NONE, ApMask.of(domain));
    }

    /** The card is switched off at the machine. Its queues stay bound, and guests keep them. */
    public void deconfigureCard(int adapter) {
        configured(adapter, false);
    }

    public void configureCard(int adapter) {
        configured(adapter, true);
    }

    private void configured(int adapter, boolean configured) {
        act(() -> {
            hardware.deconfigured(adapter, !configured);
            kernel.scan();
            changed = true;
        });
    }

    /** The card is check-stopped. No uevent tells it; its queues stay bound, and guests keep them. */
    public void breakCard(int adapter) {
        checkstopped(adapter, true);
    }

    public void repairCard(int adapter) {
        checkstopped(adapter, false);
    }

    private void checkstopped(int adapter, boolean checkstopped) {
        act(() -> {
            hardware.checkstopped(adapter, checkstopped);
            kernel.scan();
        });
    }

    /** One queue is no longer there, while its card and its domain are. */
    public void removeQueue(Queue queue) {
        absent(queue, true);
    }

    public void restoreQueue(Queue queue) {
        absent(queue, false);
    }

    private void absent(Queue queue, boolean absent) {
        act(() -> {
            hardware.absent(queue, absent);
            kernel.scan();
        });
    }

    /** Each reset of the queue fails from now on. Once one has, the kernel gives the queue's adapter to no guest. */
    public void failResets(Queue queue) {
        act(() -> hardware.failResets(queue, FAILED));
    }

    public void repairResets(Queue queue) {
        act(() -> hardware.failResets(queue, ApHardware.NORMAL));
    }

    /** The kernel forgets everything: mdevs, overrides, bindings, masks. All guests are gone; the hardware stays. */
    public void reboot() {
        act(() -> {
            guests.clear();
            bootId = UUID.randomUUID().toString();
            kernel = boot();
            for (ObservedDefinition definition : definitions.values()) {
                startByMdevctl(definition);
            }
            changed = true;
        });
    }

    /** As a rule of udev does at boot, before any agent starts. Where a write is refused, mdevctl takes the mdev away again. */
    private void startByMdevctl(ObservedDefinition definition) {
        UUID uuid = definition.uuid();
        if (uuid == null || !definition.auto() || definition.assigned() == null) {
            return;
        }
        try {
            kernel.create(uuid.toString());
            try {
                rewrite(uuid, definition.assigned());
            } catch (KernelRefusal refused) {
                kernel.remove(uuid);
            }
        } catch (KernelRefusal impossible) {
            throw new IllegalStateException("no kernel that has just booted refuses this", impossible);
        }
    }

    // The administrator.

    /** Any text that a shell could write to {@code apmask}. EBUSY, EINVAL. */
    public void writeApmask(String text) throws KernelRefusal {
        act(() -> kernel.writeApmask(text));
    }

    /** Any text that a shell could write to {@code aqmask}. EBUSY, EINVAL. */
    public void writeAqmask(String text) throws KernelRefusal {
        act(() -> kernel.writeAqmask(text));
    }

    /** Any name, even of a driver that there is not, in {@code driver_override}. EINVAL, ENOENT. */
    public void override(Queue queue, String driver) throws KernelRefusal {
        act(() -> kernel.override(queue, driver));
    }

    /** Somebody makes an mdev without Apportion. Where its matrix is refused it stays empty. */
    public void createForeign(UUID mdev, Matrix matrix) throws KernelRefusal {
        act(() -> {
            kernel.create(mdev.toString());
            rewrite(mdev, matrix);
        });
    }

    /** Somebody defines an mdev in mdevctl, which starts it at the next boot if it is {@code auto}. */
    public void define(UUID mdev, boolean auto, Matrix matrix) {
        act(() -> {
            definitions.put(mdev.toString(), new ObservedDefinition(mdev.toString(), auto, matrix, null));
            changed = true;
        });
    }

    /**
     * Makes the mdev's matrix another, by whichever attributes the kernel has. Without {@code ap_config} that is one
     * number after the other, and a refusal leaves what was done before it.
     */
    public void edit(UUID mdev, Matrix matrix) throws KernelRefusal {
        act(() -> rewrite(mdev, matrix));
    }

    private void rewrite(UUID uuid, Matrix matrix) throws KernelRefusal {
        if (features.apConfig()) {
            write(uuid, "ap_config", KernelText.configuration(matrix));
            return;
        }
        Matrix before = kernel.vfioAp().mdev(uuid).matrix;
        writeEach(uuid, "unassign", before.minus(matrix));
        writeEach(uuid, "assign", matrix.minus(before));
    }

    private void writeEach(UUID uuid, String verb, Matrix numbers) throws KernelRefusal {
        for (int adapter : numbers.adapters().numbers().toArray()) {
            write(uuid, verb + "_adapter", adapter);
        }
        for (int domain : numbers.domains().numbers().toArray()) {
            write(uuid, verb + "_domain", domain);
        }
        for (int domain : numbers.controlDomains().numbers().toArray()) {
            write(uuid, verb + "_control_domain", domain);
        }
    }

    // Guests.

    /**
     * A guest of that name opens the mdev. It gets what the kernel holds ready for it at this moment.
     *
     * @throws KernelRefusal ENOENT; EBUSY: another guest has the mdev; EPERM: this guest has an mdev
     */
    public void openGuest(String name, UUID mdev) throws KernelRefusal {
        act(() -> {
            @Nullable Guest running = guests.get(name);
            Kvm kvm = running == null ? new Kvm(name, true) : running.kvm;
            kernel.open(mdev, kvm);
            processes++;
            // The start time is in ticks since the boot, as in /proc.
            String identity = bootId + ":" + (1000 + processes) + ":" + 10_000L * processes;
            guests.put(name, new Guest(kvm, mdev, identity));
        });
    }

    /**
     * The guest ends, or lets go of its mdev.
     *
     * @throws KernelRefusal ENOENT: no such guest has an mdev
     */
    public void closeGuest(String name) throws KernelRefusal {
        act(() -> {
            @Nullable Guest guest = guests.get(name);
            if (guest == null) {
                throw Errno.ENOENT.at(name);
            }
            releasing = true;
            try {
                kernel.close(guest.mdev);
            } finally {
                releasing = false;
            }
            guests.remove(name);
        });
    }

    /** The mdev of each guest. */
    public Map<String, UUID> guests() {
        return locked(() -> {
            var mdevs = new TreeMap<String, UUID>();
            guests.forEach((name, guest) -> mdevs.put(name, guest.mdev));
            return mdevs;
        });
    }

    /**
     * What the guest of that mdev really has: the masks of its control block, control domains included. Empty without a
     * guest. The kernel's {@code guest_matrix} is something else: it is there without a guest too.
     */
    public Matrix guestMatrix(UUID mdev) {
        return locked(() -> {
            @Nullable MatrixMdev found = kernel.vfioAp().find(mdev);
            return found == null || found.kvm == null ? Matrix.EMPTY : found.kvm.controlBlock;
        });
    }

    // Whoever listens.

    /** Calls back for each write of the kernel to a guest's masks, in order. */
    public void onCommit(Consumer<GuestCommit> listener) {
        commitListeners.add(listener);
    }

    /**
     * Whether {@link #onChange} also tells what a real kernel does not: everything that anybody does here. A real agent
     * has to look for that from time to time.
     */
    public void tellEverything(boolean all) {
        act(() -> tellsEverything = all);
    }

    // For whoever shows this host as files.

    <T extends @Nullable Object> T ask(Function<SimulatedKernel, T> question) {
        return locked(() -> question.apply(kernel));
    }

    interface TextWrite {
        void to(SimulatedKernel kernel) throws KernelRefusal;
    }

    void writeText(TextWrite write) throws KernelRefusal {
        act(() -> write.to(kernel));
    }

    void writeText(UUID mdev, String attribute, String text) throws KernelRefusal {
        act(() -> write(mdev, attribute, text));
    }

    private interface Action<E extends Exception> {
        void run() throws E;
    }

    private interface Question<T extends @Nullable Object> {
        T answer();
    }

    private <T extends @Nullable Object> T locked(Question<T> question) {
        lock.lock();
        try {
            return question.answer();
        } finally {
            lock.unlock();
        }
    }

    private <E extends Exception> void act(Action<E> action) throws E {
        lock.lock();
        try {
            changed = false;
            action.run();
            changed |= tellsEverything;
        } finally {
            if (changed) {
                changeListeners.forEach(news::add);
            }
            lock.unlock();
            news.tell();
        }
    }

    /** Called by the kernel while this host's lock is held. */
    private final class Effects implements KernelEffects {

        @Override
        public void committed(MatrixMdev mdev, Kvm guest, Matrix before) {
            var commit = new GuestCommit(mdev.uuid, guest.name, before, guest.controlBlock, releasing);
            commitListeners.forEach(listener -> news.add(() -> listener.accept(commit)));
        }

        @Override
        public void cleared(MatrixMdev mdev, Kvm guest, Matrix before) {
            committed(mdev, guest, before);
        }

        @Override
        public void reset(Queue queue) {}

        @Override
        public void bound(Queue queue) {}

        @Override
        public void unbound(Queue queue) {}

        @Override
        public void warned() {}

        @Override
        public void uevent() {
            changed = true;
        }
    }
}
