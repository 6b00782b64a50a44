package io.apportion.ap;

import io.apportion.ap.Explanation.MissingQueue;
import io.apportion.ap.Explanation.Reason;
import io.apportion.ap.Explanation.Remedy;
import io.apportion.ap.Explanation.Subject;
import io.apportion.ap.Explanation.Why;
import java.util.ArrayList;
import java.util.List;

/**
 * Explains the guest matrix of one mdev: one entry for each thing that is filtered.
 *
 * <p>Easy to get wrong: the fewer domains a guest has, the <em>more</em> adapters are complete against them, also those
 * that lack the domain that shall come in. That is why no remedy may unassign one domain more than it must.
 */
final class Explaining {

    private final HostMatrix host;
    private final Matrix assigned;
    private final Matrix guest;
    private final ApMask remembered;
    private final ApMask kernelFiltered;
    private final QueueSet bound;

    /** Assigned and in the host configuration. */
    private final ApMask adapters;

    private final ApMask domains;

    /** The domains against which an adapter must be complete. */
    private final ApMask needed;

    Explaining(HostMatrix host, Mdev mdev) {
        this.host = host;
        this.assigned = mdev.assigned();
        this.guest = mdev.guestMatrix();
        this.remembered = mdev.guest() == null ? ApMask.NONE : guest.domains();
        this.kernelFiltered = mdev.kernelFiltered().and(guest.adapters());
        this.bound = host.usable();
        Matrix hostConfiguration = host.inventory().hostConfiguration();
        this.adapters = assigned.adapters().and(hostConfiguration.adapters());
        this.domains = assigned.domains().and(hostConfiguration.domains());
        this.needed = host.filter() == GuestFilter.INCREMENTAL ? guest.domains() : domains;
    }

    List<Explanation> explain() {
        Matrix filtered = assigned.minus(guest);
        if (filtered.isEmpty() && kernelFiltered.isEmpty()) {
            return List.of();
        }
        List<Explanation> all = new ArrayList<>();
        filtered.adapters().or(kernelFiltered).forEach(number -> all.add(adapter(new Subject.Adapter(number))));
        filtered.domains().forEach(number -> all.add(domain(new Subject.Domain(number))));
        filtered.controlDomains().forEach(number -> all.add(notInHost(new Subject.ControlDomain(number))));
        return List.copyOf(all);
    }

    private Explanation adapter(Subject.Adapter subject) {
        int adapter = subject.number();
        if (!adapters.has(adapter)) {
            return notInHost(subject);
        }
        if (guest.adapters().has(adapter)) {
            List<MissingQueue> queues = guest.domains()
                    .numbers()
                    .mapToObj(domain -> new MissingQueue(new Queue(adapter, domain), Why.KEPT_OUT_BY_KERNEL))
                    .toList();
            return new Explanation(subject, Reason.KERNEL_FILTERED, queues, List.of());
        }
        if (domains.isEmpty()) {
            return new Explanation(subject, Reason.NO_DOMAIN_LEFT, List.of(), List.of());
        }
        ApMask itself = ApMask.of(adapter);
        List<Queue> holes = holes(adapter, needed);
        List<Remedy> remedies = new ArrayList<>();
        addBinding(fewestToBind(itself, needed), remedies);
        addUnassigning(ApMask.NONE, fewestDomainsToUnassign(itself, adapters), remedies);
        if (remedies.isEmpty()) {
            addMixed(subject, itself, ApMask.NONE, remedies);
        }
        return explanation(subject, Reason.QUEUE_NOT_BOUND, holes, remedies);
    }

    private Explanation domain(Subject.Domain subject) {
        if (!domains.has(subject.number())) {
            return notInHost(subject);
        }
        return guest.adapters().isEmpty() ? noAdapterLeft(subject) : wouldUnplugAdapters(subject);
    }

    private Explanation noAdapterLeft(Subject.Domain subject) {
        ApMask itself = ApMask.of(subject.number());
        ApMask having = having(subject.number());
        List<Remedy> remedies = new ArrayList<>();
        addBinding(fewestToBind(adapters, needed.or(itself)), remedies);
        addUnassigning(ApMask.NONE, fewestDomainsToUnassign(having, having), remedies);
        if (remedies.isEmpty()) {
            addMixed(subject, adapters, itself, remedies);
        }
        return explanation(subject, Reason.NO_ADAPTER_LEFT, List.of(), remedies);
    }

    /** Under incremental alone: recompute gives all domains or no adapter. */
    private Explanation wouldUnplugAdapters(Subject.Domain subject) {
        int domain = subject.number();
        ApMask having = having(domain);
        ApMask lacking = guest.adapters().minus(having);
        List<Queue> holes =
                lacking.numbers().mapToObj(a -> new Queue(a, domain)).toList();
        List<Remedy> remedies = new ArrayList<>();
        if (noneForeign(holes)) {
            addBinding(holes, remedies);
        }
        if (!lacking.equals(guest.adapters())) {
            addUnassigning(lacking, ApMask.NONE, remedies);
        }
        addUnassigning(ApMask.NONE, fewestDomainsToUnassign(having, having), remedies);
        if (remedies.isEmpty()) {
            List<Queue> toBind = holes.stream()
                    .filter(queue -> !host.heldByForeign().has(queue))
                    .toList();
            if (!toBind.isEmpty()) {
                ApMask kept = ApMask.of(toBind.stream().mapToInt(Queue::adapter).toArray());
                remedies.add(remedy(toBind, lacking.minus(kept), ApMask.NONE));
            }
        }
        return explanation(subject, Reason.WOULD_UNPLUG_ADAPTERS, holes, remedies);
    }

    private Explanation notInHost(Subject subject) {
        Reason reason = host.inventory().reported() ? Reason.NOT_IN_HOST_CONFIGURATION : Reason.HOST_NEVER_REPORTED;
        return new Explanation(subject, reason, List.of(), List.of());
    }

    private Explanation explanation(Subject subject, Reason reason, List<Queue> holes, List<Remedy> remedies) {
        return new Explanation(
                subject,
                noneForeign(holes) ? reason : Reason.HELD_BY_FOREIGN_MDEV,
                holes.stream()
                        .map(queue -> new MissingQueue(queue, whyNotBound(queue)))
                        .toList(),
                List.copyOf(remedies));
    }

    private Why whyNotBound(Queue queue) {
        if (host.heldByForeign().has(queue)) {
            return Why.HELD_BY_FOREIGN_MDEV;
        }
        if (!host.inventory().devices().has(queue)) {
            return Why.NO_DEVICE;
        }
        if (host.givenAway().has(queue)) {
            return Why.GIVEN_AWAY;
        }
        return host.inventory().defaultDriver().has(queue) ? Why.OTHER_DRIVER : Why.NO_DRIVER;
    }

    // ---- remedies

    private static void addBinding(List<Queue> queues, List<Remedy> remedies) {
        if (!queues.isEmpty()) {
            remedies.add(new Remedy(queues, ApMask.NONE, ApMask.NONE, Matrix.EMPTY));
        }
    }

    private void addUnassigning(ApMask someAdapters, ApMask someDomains, List<Remedy> remedies) {
        if (!someAdapters.isEmpty() || !someDomains.isEmpty()) {
            remedies.add(remedy(List.of(), someAdapters, someDomains));
        }
    }

    /**
     * The smallest that unassigns what a foreign mdev holds and binds the rest, so that one of the adapters gets the
     * guest's domains, or all assigned ones, and those besides.
     */
    private void addMixed(Subject subject, ApMask candidates, ApMask besides, List<Remedy> remedies) {
        Remedy best = null;
        int fewest = Integer.MAX_VALUE;
        for (int a = candidates.next(0); a >= 0; a = candidates.next(a + 1)) {
            ApMask foreign = host.heldByForeign().domains(a);
            if (foreign.intersects(besides)) {
                continue;
            }
            for (ApMask wanted : List.of(needed, domains)) {
                ApMask unassigned = wanted.and(foreign);
                ApMask needsBound = wanted.minus(foreign).or(besides);
                int size =
                        unassigned.count() + needsBound.minus(bound.domains(a)).count();
                if (size < fewest && plugs(subject, after(holes(a, needsBound), ApMask.NONE, unassigned))) {
                    best = remedy(holes(a, needsBound), ApMask.NONE, unassigned);
                    fewest = size;
                }
            }
        }
        if (best != null) {
            remedies.add(best);
        }
    }

    /** The fewest queues that make one of the candidates complete against those domains; none if it cannot be done. */
    private List<Queue> fewestToBind(ApMask candidates, ApMask wanted) {
        int best = -1;
        int fewest = Integer.MAX_VALUE;
        for (int a = candidates.next(0); a >= 0; a = candidates.next(a + 1)) {
            ApMask holes = wanted.minus(bound.domains(a));
            if (holes.count() < fewest && !holes.intersects(host.heldByForeign().domains(a))) {
                best = a;
                fewest = holes.count();
            }
        }
        return best < 0 ? List.of() : holes(best, wanted);
    }

    /**
     * The fewest domains without which one of the candidates is in the guest, and no adapter but the allowed ones; none
     * if it cannot be done.
     *
     * <p>With an adapter the guest can keep at most the domains bound on it. To unassign more of them only lets more
     * adapters in, so for each adapter there is this one set to try.
     */
    private ApMask fewestDomainsToUnassign(ApMask candidates, ApMask allowed) {
        ApMask kept = ApMask.NONE;
        for (int a = candidates.next(0); a >= 0; a = candidates.next(a + 1)) {
            ApMask most = needed.and(bound.domains(a));
            if (most.count() > kept.count()
                    && GuestFilter.complete(adapters, most, bound).isIn(allowed)) {
                kept = most;
            }
        }
        if (!kept.isEmpty()) {
            return needed.minus(kept);
        }
        // The guest keeps none of its domains, and starts anew from the others.
        ApMask others = domains.minus(needed);
        for (int a = candidates.next(0); a >= 0; a = candidates.next(a + 1)) {
            ApMask most = others.and(bound.domains(a));
            if (most.count() > kept.count()) {
                kept = most;
            }
        }
        return kept.isEmpty() ? ApMask.NONE : domains.minus(kept);
    }

    private Remedy remedy(List<Queue> toBind, ApMask lessAdapters, ApMask lessDomains) {
        Matrix after = after(toBind, lessAdapters, lessDomains);
        return new Remedy(
                toBind, lessAdapters, lessDomains, guest.queueCount() == 0 ? Matrix.EMPTY : guest.minus(after));
    }

    /** The guest matrix once those queues are bound and those numbers unassigned, all in one change. */
    private Matrix after(List<Queue> toBind, ApMask lessAdapters, ApMask lessDomains) {
        return host.filter()
                .apply(
                        remembered,
                        assigned.minus(new Matrix(lessAdapters, lessDomains, ApMask.NONE)),
                        host.inventory().hostConfiguration(),
                        toBind.isEmpty() ? bound : bound.or(QueueSet.of(toBind)));
    }

    private static boolean plugs(Subject subject, Matrix matrix) {
        return switch (subject) {
            case Subject.Adapter(int number) -> matrix.adapters().has(number);
            case Subject.Domain(int number) ->
                matrix.domains().has(number) && !matrix.adapters().isEmpty();
            case Subject.ControlDomain(int number) -> matrix.controlDomains().has(number);
        };
    }

    // ---- queues

    private List<Queue> holes(int adapter, ApMask wanted) {
        return wanted.minus(bound.domains(adapter))
                .numbers()
                .mapToObj(d -> new Queue(adapter, d))
                .toList();
    }

    /** The adapters on which that domain is bound. */
    private ApMask having(int domain) {
        return ApMask.of(adapters.numbers().filter(a -> bound.has(a, domain)).toArray());
    }

    private boolean noneForeign(List<Queue> queues) {
        return queues.stream().noneMatch(queue -> host.heldByForeign().has(queue));
    }
}
