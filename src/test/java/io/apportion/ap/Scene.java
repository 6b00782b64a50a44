package io.apportion.ap;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** One host with one mdev, put together piece by piece. Everything is in the host configuration unless said otherwise. */
final class Scene {

    private static final ApMask NONE = ApMask.NONE;

    GuestFilter filter = GuestFilter.INCREMENTAL;
    boolean reported = true;
    Matrix hostConfiguration = new Matrix(ApMask.ALL, ApMask.ALL, ApMask.ALL);
    Matrix assigned = Matrix.EMPTY;
    QueueSet bound = QueueSet.NONE;
    QueueSet withoutDevice = QueueSet.NONE;
    QueueSet otherDriver = QueueSet.NONE;
    QueueSet givenAway = QueueSet.NONE;
    QueueSet foreign = QueueSet.NONE;
    ApMask kernelFiltered = NONE;

    /** The domains that the running guest had before; null while no guest is attached. */
    @Nullable
    ApMask remembered;

    static Matrix rectangle(ApMask adapters, ApMask domains) {
        return new Matrix(adapters, domains, NONE);
    }

    static QueueSet queues(String... queues) {
        return QueueSet.of(Stream.of(queues).map(Queue::parse).toList());
    }

    Scene filter(GuestFilter itsFilter) {
        filter = itsFilter;
        return this;
    }

    Scene assigned(ApMask adapters, ApMask domains) {
        assigned = rectangle(adapters, domains);
        return this;
    }

    Scene bound(String... queues) {
        bound = queues(queues);
        return this;
    }

    Scene foreign(String... queues) {
        foreign = queues(queues);
        return this;
    }

    Scene runningWith(int... domains) {
        remembered = ApMask.of(domains);
        return this;
    }

    HostMatrix host() {
        Map<UUID, Inventory.ForeignMdev> foreignMdevs = new HashMap<>();
        foreign.queues()
                .forEach(queue -> foreignMdevs.put(
                        new UUID(0, queue.adapter() * 256L + queue.domain()),
                        new Inventory.ForeignMdev(
                                rectangle(ApMask.of(queue.adapter()), ApMask.of(queue.domain())), Matrix.EMPTY, null)));
        Map<Queue, QueueDriver> drivers = new HashMap<>();
        givenAway.queues().forEach(queue -> drivers.put(queue, QueueDriver.DEFAULT));
        Inventory never = Inventory.NEVER_REPORTED;
        var inventory = new Inventory(
                reported,
                true,
                true,
                255,
                255,
                reported ? hostConfiguration : Matrix.EMPTY,
                never.masks(),
                never.keep(),
                QueueSet.rectangle(ApMask.ALL, ApMask.ALL).minus(withoutDevice),
                bound,
                otherDriver,
                QueueSet.NONE,
                QueueSet.NONE,
                foreignMdevs);
        return new HostMatrix(filter, BindingMode.MASKS, inventory, null, drivers, Map.of());
    }

    /** With the guest matrix that its filter gives it. */
    Mdev mdev(HostMatrix host) {
        Matrix guestMatrix = guestMatrix(host, assigned, host.usable());
        Guest guest = remembered == null ? null : new Guest("boot/1/1", "vm17");
        return new Mdev(new UUID(1, 1), assigned, guestMatrix, guest, false, Matrix.EMPTY, kernelFiltered);
    }

    Matrix guestMatrix(HostMatrix host, Matrix itsAssigned, QueueSet usable) {
        return filter.apply(
                remembered == null ? NONE : remembered,
                itsAssigned,
                host.inventory().hostConfiguration(),
                usable);
    }

    List<Explanation> explain() {
        HostMatrix host = host();
        return host.explain(mdev(host));
    }
}
