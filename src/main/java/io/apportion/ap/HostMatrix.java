package io.apportion.ap;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One host's matrix at one moment: what the host's report says, what is managed, and every mdev with its assigned and its
 * guest matrix. An immutable snapshot; {@link #plan} makes the next one.
 *
 * <p>No queue is ever in the assigned matrices of two mdevs of one snapshot.
 */
public final class HostMatrix {

    private final GuestFilter filter;
    private final @Nullable BindingMode setBindingMode;
    private final Inventory inventory;
    private final @Nullable Reservation managedReservation;
    private final Drivers drivers;
    private final SortedMap<UUID, Mdev> mdevs;

    private final QueueSet heldByForeign;
    private final QueueSet usable;

    /**
     * @param setBindingMode null: as the host shows
     * @param managedReservation null: unmanaged
     * @param drivers managed queues alone
     */
    public HostMatrix(
            GuestFilter filter,
            @Nullable BindingMode setBindingMode,
            Inventory inventory,
            @Nullable Reservation managedReservation,
            Map<Queue, QueueDriver> drivers,
            Map<UUID, Mdev> mdevs) {
        this(filter, setBindingMode, inventory, managedReservation, Drivers.of(drivers), mdevs);
    }

    private HostMatrix(
            GuestFilter filter,
            @Nullable BindingMode setBindingMode,
            Inventory inventory,
            @Nullable Reservation managedReservation,
            Drivers drivers,
            Map<UUID, Mdev> mdevs) {
        this.filter = filter;
        this.setBindingMode = setBindingMode;
        this.inventory = inventory;
        this.managedReservation = managedReservation;
        this.drivers = drivers;
        this.mdevs = new TreeMap<>(mdevs);
        this.heldByForeign = inventory.foreign().isEmpty() ? QueueSet.NONE : union(inventory.foreign());
        this.usable = drivers.givenAway().isEmpty() && heldByForeign.isEmpty()
                ? inventory.bound()
                : inventory.bound().minus(drivers.givenAway()).minus(heldByForeign);
    }

    /**
     * The managed drivers, and what follows from them: kept together, as a host may have 65,536 of them and most changes
     * touch none.
     */
    private record Drivers(Map<Queue, QueueDriver> ofQueues, QueueSet givenAway, QueueSet forGuests) {

        static Drivers of(Map<Queue, QueueDriver> drivers) {
            if (drivers.isEmpty()) {
                return new Drivers(Map.of(), QueueSet.NONE, QueueSet.NONE);
            }
            List<Queue> givenAway = new ArrayList<>();
            List<Queue> forGuests = new ArrayList<>();
            drivers.forEach((queue, driver) -> (driver == QueueDriver.VFIO_AP ? forGuests : givenAway).add(queue));
            return new Drivers(Map.copyOf(drivers), QueueSet.of(givenAway), QueueSet.of(forGuests));
        }
    }

    private static QueueSet union(Map<UUID, Inventory.ForeignMdev> foreign) {
        QueueSet all = QueueSet.NONE;
        for (Inventory.ForeignMdev mdev : foreign.values()) {
            all = all.or(mdev.assigned().queues());
        }
        return all;
    }

    HostMatrix withFilter(GuestFilter other) {
        return new HostMatrix(other, setBindingMode, inventory, managedReservation, drivers, mdevs);
    }

    HostMatrix withBindingMode(BindingMode mode) {
        return new HostMatrix(filter, mode, inventory, managedReservation, drivers, mdevs);
    }

    HostMatrix withInventory(Inventory other) {
        return new HostMatrix(filter, setBindingMode, other, managedReservation, drivers, mdevs);
    }

    HostMatrix withReservation(@Nullable Reservation managed) {
        return new HostMatrix(filter, setBindingMode, inventory, managed, drivers, mdevs);
    }

    HostMatrix withDrivers(Map<Queue, QueueDriver> managed) {
        return new HostMatrix(filter, setBindingMode, inventory, managedReservation, Drivers.of(managed), mdevs);
    }

    HostMatrix withMdevs(SortedMap<UUID, Mdev> other) {
        return new HostMatrix(filter, setBindingMode, inventory, managedReservation, drivers, other);
    }

    /** Whether the filter of an mdev that did not itself change could come out otherwise in the other matrix. */
    boolean filtersLike(HostMatrix other) {
        return filter == other.filter
                && inventory.equals(other.inventory)
                && drivers.ofQueues().equals(other.drivers.ofQueues())
                && Objects.equals(managedReservation, other.managedReservation)
                && bindingMode() == other.bindingMode();
    }

    /** What that change makes of this matrix, or everything that stands in its way. Pure: nothing is stored. */
    public Outcome plan(Change change) {
        return new Planning(this).plan(change);
    }

    public GuestFilter filter() {
        return filter;
    }

    /** The mode that was set, or else what the host shows: overrides, or the masks. */
    public BindingMode bindingMode() {
        if (setBindingMode != null) {
            return setBindingMode;
        }
        return inventory.overridden().isEmpty() ? BindingMode.MASKS : BindingMode.OVERRIDE;
    }

    public @Nullable BindingMode setBindingMode() {
        return setBindingMode;
    }

    public Inventory inventory() {
        return inventory;
    }

    /** Null: unmanaged, and {@link Inventory#masks} says what the host keeps. */
    public @Nullable Reservation managedReservation() {
        return managedReservation;
    }

    /** What the host keeps for its own drivers by the two masks: as managed, or else as read. */
    public Reservation reservation() {
        return managedReservation != null ? managedReservation : inventory.masks();
    }

    public Map<Queue, QueueDriver> drivers() {
        return drivers.ofQueues();
    }

    /** By UUID. */
    public SortedMap<UUID, Mdev> mdevs() {
        return mdevs;
    }

    /** Queues whose desired driver is another than vfio_ap. */
    public QueueSet givenAway() {
        return drivers.givenAway();
    }

    public QueueSet heldByForeign() {
        return heldByForeign;
    }

    /** {@code bound(q)} of the rules: bound to vfio_ap, and neither given away nor held by a foreign mdev. */
    public QueueSet usable() {
        return usable;
    }

    QueueSet reservedByMasks() {
        return bindingMode() == BindingMode.MASKS ? reservation().queues() : QueueSet.NONE;
    }

    /** What the mdev's guest would get if it started now: the filter from its start state. */
    public Matrix atNextStart(Mdev mdev) {
        return filter.apply(ApMask.NONE, mdev.assigned(), inventory.hostConfiguration(), usable);
    }

    /**
     * Everything of the mdev that is filtered, with its reason and its remedies: adapters, then domains, then control
     * domains, ascending. Costs next to nothing where nothing is.
     */
    public List<Explanation> explain(Mdev mdev) {
        return new Explaining(this, mdev).explain();
    }

    /** Queues of the guest matrix that are there and useless (fact 9). */
    public QueueSet impaired(Mdev mdev) {
        return inventory
                .impaired()
                .within(mdev.guestMatrix().adapters(), mdev.guestMatrix().domains());
    }

    /**
     * What is pushed for an mdev: (assigned adapters) × (the guest's domains; under recompute all assigned domains). Of
     * this a kernel since 6.8 makes exactly the guest matrix, and plugs by itself a card that comes back.
     *
     * <p>Left out are adapters of which a queue is given away, reserved, or held by a foreign mdev: with them the kernel
     * would refuse the whole claim, or keep a queue in the guest that shall leave it. Never smaller than the guest matrix.
     */
    public Matrix claim(Mdev mdev) {
        Matrix assigned = mdev.assigned();
        ApMask domains = filter == GuestFilter.RECOMPUTE
                ? assigned.domains()
                : mdev.guestMatrix().domains();
        ApMask adapters = assigned.adapters();
        for (int a = adapters.next(0); a >= 0; a = adapters.next(a + 1)) {
            if (!mdev.guestMatrix().adapters().has(a)
                    && (givenAway().domains(a).intersects(domains)
                            || heldByForeign.domains(a).intersects(domains)
                            || reservedDomains(a).intersects(domains))) {
                adapters = adapters.without(a);
            }
        }
        return new Matrix(adapters, domains, assigned.controlDomains());
    }

    /** The domains whose queues of that adapter may not be assigned: reserved by masks, override mode or keep list. */
    public ApMask reservedDomains(int adapter) {
        Inventory.Keep keep = inventory.keep();
        if (keep.adapters().has(adapter)) {
            return ApMask.ALL;
        }
        ApMask reserved = keep.domains();
        if (bindingMode() == BindingMode.OVERRIDE) {
            return reserved.or(drivers.forGuests().domains(adapter).complement());
        }
        return reservation().apmask().has(adapter) ? reserved.or(reservation().aqmask()) : reserved;
    }
}
