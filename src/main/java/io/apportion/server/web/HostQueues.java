package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.Explanation;
import io.apportion.ap.Explanation.MissingQueue;
import io.apportion.ap.Explanation.Subject;
import io.apportion.ap.HostMatrix;
import io.apportion.ap.Inventory;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Placement;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.QueueSet;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.HostState.AdapterState;
import io.apportion.server.web.QueueView.WhyNotView;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One host's state, seen from its adapters, domains and queues: who has each of them.
 *
 * <p>Made for one request. Explanations are worked out only for the mdevs whose queues are shown.
 */
final class HostQueues {

    private final HostState host;
    private final HostMatrix matrix;
    private final Inventory inventory;
    private final QueueSet free;
    private final Mdev[] owners = new Mdev[ApMask.BITS * ApMask.BITS];
    private final UUID[] foreignOwners = new UUID[ApMask.BITS * ApMask.BITS];
    private final QueueSet known;
    private final Map<UUID, List<Explanation>> explanations = new HashMap<>();

    HostQueues(HostState host) {
        this.host = host;
        this.matrix = host.matrix();
        this.inventory = matrix.inventory();
        this.free = Placement.free(matrix);
        QueueSet all = inventory.hostConfiguration().queues().or(inventory.devices());
        for (Mdev mdev : matrix.mdevs().values()) {
            // Held: what a removed mdev's guest has not let go yet.
            for (Matrix part : List.of(mdev.held(), mdev.assigned())) {
                part.queues().queues().forEach(queue -> owners[index(queue)] = mdev);
                all = all.or(part.queues());
            }
        }
        inventory
                .foreign()
                .forEach((uuid, foreign) ->
                        foreign.assigned().queues().queues().forEach(queue -> foreignOwners[index(queue)] = uuid));
        this.known =
                all.or(matrix.heldByForeign()).or(QueueSet.of(matrix.drivers().keySet()));
    }

    private static int index(Queue queue) {
        return queue.adapter() * ApMask.BITS + queue.domain();
    }

    /** In the host configuration, there as a device, assigned, or managed; ascending. */
    Stream<Queue> queues() {
        return known.queues();
    }

    boolean knows(Queue queue) {
        return known.has(queue);
    }

    boolean isFree(Queue queue) {
        return free.has(queue);
    }

    boolean isBound(Queue queue) {
        return inventory.bound().has(queue);
    }

    @Nullable
    Mdev owner(Queue queue) {
        return owners[index(queue)];
    }

    QueueView view(Queue queue) {
        Mdev owner = owner(queue);
        QueueDriver desired = matrix.drivers().get(queue);
        boolean inGuest = owner != null && owner.guestMatrix().hasQueue(queue.adapter(), queue.domain());
        return new QueueView(
                queue,
                new AdapterNumber(queue.adapter()),
                new DomainNumber(queue.domain()),
                inventory.hostConfiguration().hasQueue(queue.adapter(), queue.domain()),
                QueueDriverView.driver(inventory, queue),
                desired == null ? null : desired.toString(),
                state(queue),
                inventory.impaired().has(queue),
                reservedBy(queue),
                isFree(queue),
                owner == null ? null : owner.uuid(),
                foreignOwners[index(queue)],
                inGuest,
                owner == null || !inGuest || owner.guest() == null
                        ? null
                        : owner.guest().name(),
                owner == null || inGuest ? null : whyNot(owner, queue));
    }

    private String state(Queue queue) {
        AdapterState card = host.adapters().get(queue.adapter());
        if (!inventory.devices().has(queue) || card == null) {
            return "no device";
        }
        String state = AdapterView.state(card);
        return state.equals("online") && inventory.impaired().has(queue) ? "impaired" : state;
    }

    /** In the words of a conflict. */
    private @Nullable String reservedBy(Queue queue) {
        if (!matrix.reservedDomains(queue.adapter()).has(queue.domain())) {
            return null;
        }
        if (inventory.keep().names(queue.adapter(), queue.domain())) {
            return "administrator";
        }
        return matrix.bindingMode() == BindingMode.OVERRIDE ? "driver" : "masks";
    }

    /** The adapter's reason comes first: it is what the kernel takes away. */
    private @Nullable WhyNotView whyNot(Mdev owner, Queue queue) {
        Explanation ofDomain = null;
        for (Explanation explanation : explanations.computeIfAbsent(owner.uuid(), uuid -> matrix.explain(owner))) {
            if (explanation.subject() instanceof Subject.Adapter(int adapter) && adapter == queue.adapter()) {
                return whyNot(explanation, queue);
            }
            if (explanation.subject() instanceof Subject.Domain(int domain) && domain == queue.domain()) {
                ofDomain = explanation;
            }
        }
        return ofDomain == null ? null : whyNot(ofDomain, queue);
    }

    private static WhyNotView whyNot(Explanation explanation, Queue queue) {
        Subject filtered = explanation.subject();
        return new WhyNotView(
                filtered instanceof Subject.Adapter(int number) ? new AdapterNumber(number) : null,
                filtered instanceof Subject.Domain(int number) ? new DomainNumber(number) : null,
                explanation.reason(),
                explanation.queues().stream()
                        .filter(missing -> missing.queue().equals(queue))
                        .map(MissingQueue::why)
                        .map(Object::toString)
                        .findFirst()
                        .orElse(null));
    }

    /** Reported, in the host configuration, or assigned. */
    ApMask adapters() {
        ApMask all = inventory
                .hostConfiguration()
                .adapters()
                .or(inventory.devices().adapters())
                .or(ApMask.of(host.adapters().keySet()));
        for (Mdev mdev : matrix.mdevs().values()) {
            all = all.or(mdev.assigned().adapters());
        }
        return all;
    }

    AdapterView adapter(int adapter) {
        AdapterState card = host.adapters().get(adapter);
        return new AdapterView(
                new AdapterNumber(adapter),
                inventory.hostConfiguration().adapters().has(adapter),
                card == null ? null : card.type(),
                card == null ? null : card.mode(),
                card == null ? null : card.serial(),
                card == null ? "no device" : AdapterView.state(card),
                DomainNumber.in(inventory.devices().domains(adapter)),
                DomainNumber.in(inventory.bound().domains(adapter)),
                DomainNumber.in(free.domains(adapter)),
                uses(matrix -> matrix.adapters().has(adapter)));
    }

    /** In the host configuration, there as devices, or assigned. */
    ApMask domains() {
        ApMask all = inventory
                .hostConfiguration()
                .domains()
                .or(inventory.hostConfiguration().controlDomains());
        ApMask cards = inventory.devices().adapters();
        for (int a = cards.next(0); a >= 0; a = cards.next(a + 1)) {
            all = all.or(inventory.devices().domains(a));
        }
        for (Mdev mdev : matrix.mdevs().values()) {
            all = all.or(mdev.assigned().domains()).or(mdev.assigned().controlDomains());
        }
        return all;
    }

    DomainView domain(int domain) {
        return new DomainView(
                new DomainNumber(domain),
                inventory.hostConfiguration().domains().has(domain),
                inventory.hostConfiguration().controlDomains().has(domain),
                AdapterNumber.in(having(inventory.devices(), domain)),
                AdapterNumber.in(having(inventory.bound(), domain)),
                AdapterNumber.in(having(free, domain)),
                uses(matrix -> matrix.domains().has(domain)),
                uses(matrix -> matrix.controlDomains().has(domain)));
    }

    private static ApMask having(QueueSet queues, int domain) {
        return ApMask.of(queues.adapters()
                .numbers()
                .filter(adapter -> queues.has(adapter, domain))
                .toArray());
    }

    private List<UseView> uses(Predicate<Matrix> uses) {
        Stream<UseView> own = matrix.mdevs().values().stream()
                .filter(mdev -> uses.test(mdev.assigned()))
                .map(mdev -> new UseView(
                        mdev.uuid(),
                        false,
                        mdev.guest() == null ? null : mdev.guest().name(),
                        uses.test(mdev.guestMatrix())));
        Stream<UseView> foreign = inventory.foreign().entrySet().stream()
                .filter(entry -> uses.test(entry.getValue().assigned()))
                .map(entry -> new UseView(
                        entry.getKey(),
                        true,
                        entry.getValue().guest() == null
                                ? null
                                : entry.getValue().guest().name(),
                        uses.test(entry.getValue().guestMatrix())));
        return Stream.concat(own, foreign).toList();
    }
}
