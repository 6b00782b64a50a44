package io.apportion.agent;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.Reservation;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedGuest;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A real kernel to read, and in place of writes what the host would then look like, supposed that the kernel refuses
 * nothing and that nothing else happens. Later writes follow from earlier ones, so the first that a real kernel refuses
 * makes all after it uncertain.
 */
final class SupposedKernel implements HostKernel {

    /**
     * One write that was not made.
     *
     * @param object {@code mdev UUID}, {@code queue 05.0047} or {@code bus}
     * @param attribute the file to which it would go
     * @param value what it would say, in the form of the wire
     */
    record Write(String object, String attribute, String value) {

        @Override
        public String toString() {
            return object + ": " + attribute + " " + value;
        }
    }

    private final HostKernel kernel;
    private final ObservedHost host;
    private final Map<Integer, ObservedAdapter> adapters = new TreeMap<>();
    private final Map<UUID, ObservedMdev> mdevs = new TreeMap<>();
    private final List<Write> writes = new ArrayList<>();
    private @Nullable Reservation masks;

    /** @param kernel is only read */
    SupposedKernel(HostKernel kernel) {
        this.kernel = kernel;
        host = kernel.read();
        masks = host.masks();
        if (host.adapters() != null) {
            host.adapters().forEach(card -> adapters.put(card.adapter(), card));
        }
        if (host.mdevs() != null) {
            host.mdevs().forEach(mdev -> mdevs.put(mdev.uuid(), mdev));
        }
    }

    /** In their order. */
    List<Write> writes() {
        return List.copyOf(writes);
    }

    @Override
    public String bootId() {
        return kernel.bootId();
    }

    @Override
    public String machineId() {
        return kernel.machineId();
    }

    @Override
    public void awaitBindings(Duration atMost) {}

    @Override
    public ObservedHost read() {
        return new ObservedHost(
                host.kernelRelease(),
                host.features(),
                host.maxAdapter(),
                host.maxDomain(),
                host.hostConfiguration(),
                masks,
                host.keep(),
                host.adapters() == null ? null : List.copyOf(adapters.values()),
                host.mdevs() == null ? null : List.copyOf(mdevs.values()),
                host.definitions(),
                host.applied());
    }

    @Override
    public @Nullable ObservedGuest guestOf(UUID mdev) {
        ObservedMdev supposed = mdevs.get(mdev);
        return supposed == null ? ObservedGuest.NONE : supposed.guest();
    }

    /** Nothing is written, so there is nobody to keep out. */
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

    // Mdevs.

    @Override
    public void create(UUID mdev) {
        writes.add(new Write("mdev " + mdev, "create", mdev.toString()));
        mdevs.put(mdev, new ObservedMdev(mdev, false, Matrix.EMPTY, shown(Matrix.EMPTY), unheld()));
    }

    /** Null where guests cannot be seen, for a new mdev as for all. */
    private @Nullable ObservedGuest unheld() {
        return host.features().guests() ? ObservedGuest.NONE : null;
    }

    private @Nullable Matrix shown(Matrix guestMatrix) {
        return host.features().guestMatrix() ? guestMatrix : null;
    }

    @Override
    public void remove(UUID mdev) {
        writes.add(new Write("mdev " + mdev, "remove", "1"));
        mdevs.remove(mdev);
    }

    @Override
    public void configure(UUID mdev, Matrix matrix) {
        change(
                mdev,
                "ap_config",
                matrix.adapters() + "," + matrix.domains() + "," + matrix.controlDomains(),
                has -> matrix,
                true);
    }

    @Override
    public void assignAdapter(UUID mdev, int adapter) {
        Matrix more = new Matrix(ApMask.of(adapter), ApMask.NONE, ApMask.NONE);
        change(mdev, "assign_adapter", number(adapter), has -> has.or(more), true);
    }

    @Override
    public void unassignAdapter(UUID mdev, int adapter) {
        Matrix less = new Matrix(ApMask.of(adapter), ApMask.NONE, ApMask.NONE);
        change(mdev, "unassign_adapter", number(adapter), has -> has.minus(less), false);
    }

    @Override
    public void assignDomain(UUID mdev, int domain) {
        Matrix more = new Matrix(ApMask.NONE, ApMask.of(domain), ApMask.NONE);
        change(mdev, "assign_domain", number(domain), has -> has.or(more), true);
    }

    @Override
    public void unassignDomain(UUID mdev, int domain) {
        Matrix less = new Matrix(ApMask.NONE, ApMask.of(domain), ApMask.NONE);
        change(mdev, "unassign_domain", number(domain), has -> has.minus(less), false);
    }

    @Override
    public void assignControlDomain(UUID mdev, int domain) {
        Matrix more = new Matrix(ApMask.NONE, ApMask.NONE, ApMask.of(domain));
        change(mdev, "assign_control_domain", number(domain), has -> has.or(more), false);
    }

    @Override
    public void unassignControlDomain(UUID mdev, int domain) {
        Matrix less = new Matrix(ApMask.NONE, ApMask.NONE, ApMask.of(domain));
        change(mdev, "unassign_control_domain", number(domain), has -> has.minus(less), false);
    }

    private static String number(int number) {
        return "0x%02x".formatted(number);
    }

    private void change(UUID uuid, String attribute, String value, UnaryOperator<Matrix> change, boolean filters) {
        writes.add(new Write("mdev " + uuid, attribute, value));
        ObservedMdev mdev = mdevs.get(uuid);
        if (mdev != null && mdev.assigned() != null) {
            Matrix assigned = change.apply(mdev.assigned());
            Matrix had = mdev.guestMatrix();
            Matrix has = had == null ? null : filters ? filtered(assigned) : had.and(assigned);
            mdevs.put(uuid, new ObservedMdev(uuid, mdev.own(), assigned, has, mdev.guest()));
        }
    }

    /** The kernel's filter: an adapter stays only if it is bound in each domain, and every domain stays. */
    private Matrix filtered(Matrix assigned) {
        Matrix configuration = host.hostConfiguration();
        Matrix present = configuration == null ? assigned : assigned.and(configuration);
        ApMask complete = ApMask.of(present.adapters()
                .numbers()
                .filter(adapter -> present.domains().isIn(bound(adapter)))
                .toArray());
        return new Matrix(complete, present.domains(), ApMask.NONE);
    }

    private ApMask bound(int adapter) {
        ObservedAdapter card = adapters.get(adapter);
        return card == null ? ApMask.NONE : card.bound();
    }

    // The bus.

    @Override
    public void unbind(Queue queue) {
        writes.add(new Write("queue " + queue, "unbind", queue.toString()));
        setDriver(queue, false, false);
    }

    @Override
    public void bind(Queue queue, boolean vfioAp) {
        writes.add(new Write("queue " + queue, (vfioAp ? "vfio_ap" : "cex4queue") + "/bind", queue.toString()));
        setDriver(queue, vfioAp, !vfioAp);
    }

    @Override
    public void override(Queue queue, boolean vfioAp) {
        writes.add(new Write("queue " + queue, "driver_override", vfioAp ? "vfio_ap" : ""));
        ObservedAdapter card = adapters.get(queue.adapter());
        if (card != null) {
            int domain = queue.domain();
            ApMask overridden =
                    vfioAp ? card.overridden().with(domain) : card.overridden().without(domain);
            put(card, card.bound(), card.defaultDriver(), overridden);
        }
    }

    private void setDriver(Queue queue, boolean vfioAp, boolean hosts) {
        ObservedAdapter card = adapters.get(queue.adapter());
        if (card == null) {
            return;
        }
        int domain = queue.domain();
        boolean had = card.bound().has(domain);
        put(
                card,
                vfioAp ? card.bound().with(domain) : card.bound().without(domain),
                hosts ? card.defaultDriver().with(domain) : card.defaultDriver().without(domain),
                card.overridden());
        if (had != vfioAp) {
            mdevs.replaceAll((uuid, mdev) -> afterBinding(mdev, queue, vfioAp));
        }
    }

    private void put(ObservedAdapter card, ApMask bound, ApMask defaultDriver, ApMask overridden) {
        adapters.put(
                card.adapter(),
                new ObservedAdapter(
                        card.adapter(),
                        card.type(),
                        card.mode(),
                        card.serial(),
                        card.online(),
                        card.configured(),
                        card.checkstopped(),
                        card.devices(),
                        bound,
                        defaultDriver,
                        overridden,
                        card.impaired()));
    }

    /** A queue that is bound has its mdev filtered; one that goes takes its adapter along, if the guest matrix has both. */
    private ObservedMdev afterBinding(ObservedMdev mdev, Queue queue, boolean bound) {
        Matrix assigned = mdev.assigned();
        Matrix had = mdev.guestMatrix();
        if (assigned == null || had == null || !assigned.hasQueue(queue.adapter(), queue.domain())) {
            return mdev;
        }
        Matrix has = had;
        if (bound) {
            has = filtered(assigned);
        } else if (had.hasQueue(queue.adapter(), queue.domain())) {
            has = new Matrix(had.adapters().without(queue.adapter()), had.domains(), had.controlDomains());
        }
        return new ObservedMdev(mdev.uuid(), mdev.own(), assigned, has, mdev.guest());
    }

    @Override
    public void changeApmask(ApMask bits, boolean set) {
        Reservation before = masks;
        if (before != null) {
            changeMask("apmask", bits, set, new Reservation(changed(before.apmask(), bits, set), before.aqmask()));
        }
    }

    @Override
    public void changeAqmask(ApMask bits, boolean set) {
        Reservation before = masks;
        if (before != null) {
            changeMask("aqmask", bits, set, new Reservation(before.apmask(), changed(before.aqmask(), bits, set)));
        }
    }

    private static ApMask changed(ApMask mask, ApMask bits, boolean set) {
        return set ? mask.or(bits) : mask.minus(bits);
    }

    /** As the kernel does: whether it has the host's driver must be what the masks say; else it is bound anew. */
    private void changeMask(String mask, ApMask bits, boolean set, Reservation after) {
        String sign = set ? "+" : "-";
        writes.add(new Write(
                "bus",
                mask,
                String.join(",", bits.numbers().mapToObj(n -> sign + number(n)).toList())));
        masks = after;
        for (ObservedAdapter card : List.copyOf(adapters.values())) {
            card.devices().minus(card.overridden()).forEach(domain -> {
                Queue queue = new Queue(card.adapter(), domain);
                boolean hosts = after.reserves(queue);
                if (card.defaultDriver().has(domain) != hosts) {
                    setDriver(queue, !hosts, hosts);
                }
            });
        }
    }

    @Override
    public void onChange(Runnable changed) {}

    @Override
    public void close() {}
}
