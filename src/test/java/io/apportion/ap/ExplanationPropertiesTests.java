package io.apportion.ap;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.Explanation.MissingQueue;
import io.apportion.ap.Explanation.Reason;
import io.apportion.ap.Explanation.Remedy;
import io.apportion.ap.Explanation.Subject;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Each filtered thing is explained exactly once, and its remedies are what trying out everything finds: they work, they
 * are the smallest of their kind, and where a kind is missing nothing of that kind works. Of mixes, those for a domain
 * need not be the smallest: that would often be to give the guest quite other adapters.
 *
 * <p>Another seed than the usual one: {@code -Dapportion.seed=N}.
 */
class ExplanationPropertiesTests {

    private static final long SEED = Long.getLong("apportion.seed", 20_201_105);

    private final Map<Reason, Integer> seen = new EnumMap<>(Reason.class);
    private int mixes;

    @Test
    void holdInEveryStateOfTwoByTwo() {
        var universe = new Universe(new int[] {63, 64}, new int[] {0, 255});
        ApMask adapters = ApMask.of(universe.adapters);
        ApMask domains = ApMask.of(universe.domains);
        List<Matrix> hosts = new ArrayList<>(List.of(matrix(adapters, domains)));
        adapters.forEach(a -> hosts.add(matrix(adapters.without(a), domains)));
        domains.forEach(d -> hosts.add(matrix(adapters, domains.without(d))));
        for (Matrix host : hosts) {
            for (int assigned = 0; assigned < 16; assigned++) {
                for (int queues = 0; queues < 81; queues++) {
                    var scene = new Scene();
                    scene.hostConfiguration = host;
                    scene.assigned =
                            matrix(subset(universe.adapters, assigned >> 2), subset(universe.domains, assigned & 3));
                    int code = queues;
                    for (Queue queue : universe.queues) {
                        put(scene, queue, code % 3);
                        code /= 3;
                    }
                    checkUnderBothFilters(scene, universe);
                }
            }
        }
        assertThatEveryReasonWasSeen();
    }

    @Test
    void holdInRandomStatesOfThreeByThree() {
        var random = new Random(SEED);
        for (int round = 0; round < 2_000; round++) {
            var universe = new Universe(
                    random.ints(0, 256).distinct().limit(3).sorted().toArray(),
                    random.ints(0, 256).distinct().limit(3).sorted().toArray());
            var scene = new Scene();
            scene.hostConfiguration = matrix(most(universe.adapters, random), most(universe.domains, random));
            scene.assigned = matrix(most(universe.adapters, random), most(universe.domains, random));
            int bound = random.nextInt(10);
            for (Queue queue : universe.queues) {
                put(scene, queue, random.nextInt(10) < bound ? 1 : random.nextInt(8) == 0 ? 2 : 0);
            }
            checkUnderBothFilters(scene, universe);
        }
        assertThatEveryReasonWasSeen();
    }

    private void assertThatEveryReasonWasSeen() {
        assertThat(seen.keySet())
                .containsExactlyInAnyOrder(
                        Reason.NOT_IN_HOST_CONFIGURATION,
                        Reason.NO_DOMAIN_LEFT,
                        Reason.NO_ADAPTER_LEFT,
                        Reason.HELD_BY_FOREIGN_MDEV,
                        Reason.QUEUE_NOT_BOUND,
                        Reason.WOULD_UNPLUG_ADAPTERS);
        assertThat(seen.values()).allSatisfy(count -> assertThat(count).isGreaterThan(100));
        assertThat(mixes).isGreaterThan(100);
    }

    private static void put(Scene scene, Queue queue, int kind) {
        switch (kind) {
            case 0 -> {} // no driver
            case 1 -> scene.bound = scene.bound.with(queue);
            default -> scene.foreign = scene.foreign.with(queue);
        }
    }

    // ---- one state

    /** As a preview, and as a running guest with each set of domains that it can have. */
    private void checkUnderBothFilters(Scene scene, Universe universe) {
        scene.filter = GuestFilter.RECOMPUTE;
        scene.remembered = null;
        check(scene, universe);
        scene.filter = GuestFilter.INCREMENTAL;
        check(scene, universe);
        for (int i = 1; i < 1 << universe.domains.length; i++) {
            ApMask domains = subset(universe.domains, i);
            scene.remembered = domains;
            HostMatrix host = scene.host();
            if (scene.guestMatrix(host, scene.assigned, host.usable()).domains().equals(domains)) {
                check(scene, universe);
            }
        }
    }

    private void check(Scene scene, Universe universe) {
        HostMatrix host = scene.host();
        Mdev mdev = scene.mdev(host);
        try {
            List<Explanation> entries = host.explain(mdev);
            assertThat(entries).extracting(Explanation::subject).isEqualTo(filtered(mdev));
            if (!entries.isEmpty()) {
                var trials = new Trials(scene, host, mdev, universe);
                entries.forEach(entry -> check(entry, scene, host, mdev, trials));
            }
        } catch (AssertionError broken) {
            throw new AssertionError(
                    "%s; seed %d, %s, %s, host %s, usable %s, foreign %s"
                            .formatted(
                                    broken.getMessage(),
                                    SEED,
                                    scene.filter,
                                    mdev,
                                    scene.hostConfiguration,
                                    host.usable(),
                                    scene.foreign),
                    broken);
        }
    }

    private static List<Subject> filtered(Mdev mdev) {
        Matrix missing = mdev.assigned().minus(mdev.guestMatrix());
        List<Subject> subjects = new ArrayList<>();
        missing.adapters().forEach(n -> subjects.add(new Subject.Adapter(n)));
        missing.domains().forEach(n -> subjects.add(new Subject.Domain(n)));
        missing.controlDomains().forEach(n -> subjects.add(new Subject.ControlDomain(n)));
        return subjects;
    }

    private void check(Explanation entry, Scene scene, HostMatrix host, Mdev mdev, Trials trials) {
        seen.merge(entry.reason(), 1, Integer::sum);
        QueueSet holes = holes(entry.subject(), scene, mdev).minus(host.usable());
        assertThat(entry.reason()).isEqualTo(reason(entry.subject(), scene, mdev, holes));
        assertThat(entry.queues().stream().map(MissingQueue::queue))
                .containsExactlyElementsOf(holes.queues().toList());
        boolean control = entry.subject() instanceof Subject.ControlDomain;
        if (control) {
            assertThat(entry.remedies()).isEmpty();
            return;
        }

        Predicate<Matrix> plugged = matrix -> plugs(entry.subject(), matrix);
        for (Kind kind : Kind.values()) {
            List<Remedy> offered = entry.remedies().stream().filter(kind::is).toList();
            @Nullable Integer fewest = trials.fewest(kind, plugged);
            assertThat(offered.stream().map(kind::size))
                    .as("%s to %s", entry.subject(), kind)
                    .isEqualTo(Stream.ofNullable(fewest).toList());
        }
        List<Remedy> mixed = entry.remedies().stream()
                .filter(remedy -> Stream.of(Kind.values()).noneMatch(kind -> kind.is(remedy)))
                .toList();
        mixes += mixed.size();
        assertThat(mixed.isEmpty() || mixed.equals(entry.remedies()))
                .as("no mix where a single kind helps")
                .isTrue();
        if (entry.remedies().equals(mixed) && entry.subject() instanceof Subject.Adapter && trials.canMix()) {
            @Nullable Integer fewest = trials.fewestOfAllKinds(plugged);
            assertThat(mixed.stream().map(Kind::sizeOfAll))
                    .as("%s by a mix", entry.subject())
                    .isEqualTo(Stream.ofNullable(fewest).toList());
        }

        Matrix before = mdev.guestMatrix();
        List<Integer> lost = new ArrayList<>();
        for (Remedy remedy : entry.remedies()) {
            assertThat(QueueSet.of(remedy.bind()).and(scene.foreign)).isEqualTo(QueueSet.NONE);
            Matrix after =
                    trials.after(QueueSet.of(remedy.bind()), remedy.unassignAdapters(), remedy.unassignDomains());
            assertThat(plugged).as("%s after %s", entry.subject(), remedy).accepts(after);
            QueueSet queuesLost = before.queues().minus(after.queues());
            assertThat(remedy.cost()).isEqualTo(queuesLost.isEmpty() ? Matrix.EMPTY : before.minus(after));
            lost.add(queuesLost.count());
        }
        assertThat(lost).isSorted();
    }

    private static boolean plugs(Subject subject, Matrix matrix) {
        return switch (subject) {
            case Subject.Adapter adapter -> matrix.adapters().has(adapter.number());
            case Subject.Domain domain ->
                matrix.domains().has(domain.number()) && !matrix.adapters().isEmpty();
            case Subject.ControlDomain domain -> matrix.controlDomains().has(domain.number());
        };
    }

    private static Reason reason(Subject subject, Scene scene, Mdev mdev, QueueSet holes) {
        Matrix host = scene.hostConfiguration;
        boolean inHost = switch (subject) {
            case Subject.Adapter adapter -> host.adapters().has(adapter.number());
            case Subject.Domain domain -> host.domains().has(domain.number());
            case Subject.ControlDomain domain -> host.controlDomains().has(domain.number());
        };
        if (!inHost) {
            return Reason.NOT_IN_HOST_CONFIGURATION;
        }
        if (subject instanceof Subject.Adapter && !host.domains().intersects(scene.assigned.domains())) {
            return Reason.NO_DOMAIN_LEFT;
        }
        if (subject instanceof Subject.Domain && mdev.guestMatrix().adapters().isEmpty()) {
            return Reason.NO_ADAPTER_LEFT;
        }
        if (!holes.and(scene.foreign).isEmpty()) {
            return Reason.HELD_BY_FOREIGN_MDEV;
        }
        return subject instanceof Subject.Adapter ? Reason.QUEUE_NOT_BOUND : Reason.WOULD_UNPLUG_ADAPTERS;
    }

    /** Of those of the host: an adapter with the guest's domains (or all); a domain with the guest's adapters. */
    private static QueueSet holes(Subject subject, Scene scene, Mdev mdev) {
        Matrix possible = scene.assigned.and(scene.hostConfiguration);
        return switch (subject) {
            case Subject.Adapter adapter ->
                QueueSet.rectangle(
                        ApMask.of(adapter.number()).and(possible.adapters()),
                        scene.filter == GuestFilter.RECOMPUTE
                                ? possible.domains()
                                : mdev.guestMatrix().domains());
            case Subject.Domain domain ->
                QueueSet.rectangle(
                        mdev.guestMatrix().adapters(),
                        ApMask.of(domain.number()).and(possible.domains()));
            case Subject.ControlDomain _ -> QueueSet.NONE;
        };
    }

    private enum Kind {
        BIND,
        UNASSIGN_ADAPTERS,
        UNASSIGN_DOMAINS;

        boolean is(Remedy remedy) {
            return size(remedy) > 0 && size(remedy) == sizeOfAll(remedy);
        }

        int size(Remedy remedy) {
            return switch (this) {
                case BIND -> remedy.bind().size();
                case UNASSIGN_ADAPTERS -> remedy.unassignAdapters().count();
                case UNASSIGN_DOMAINS -> remedy.unassignDomains().count();
            };
        }

        static int sizeOfAll(Remedy remedy) {
            return Stream.of(values()).mapToInt(kind -> kind.size(remedy)).sum();
        }
    }

    /** Everything that could be done, and what the guest would then have. */
    private static final class Trials {

        private record Trial(int size, Matrix result) {}

        private final Scene scene;
        private final HostMatrix host;
        private final Mdev mdev;
        private final List<QueueSet> bindable;
        private final List<ApMask> adapters;
        private final List<ApMask> domains;
        private final Map<Kind, List<Trial>> singleKinds = new EnumMap<>(Kind.class);
        private @Nullable List<Trial> mixed;

        Trials(Scene scene, HostMatrix host, Mdev mdev, Universe universe) {
            this.scene = scene;
            this.host = host;
            this.mdev = mdev;
            Matrix possible = scene.assigned.and(scene.hostConfiguration);
            bindable = subsets(possible.queues()
                    .minus(host.usable())
                    .minus(scene.foreign)
                    .queues()
                    .toList());
            adapters = subsets(universe.adapters);
            domains = subsets(universe.domains);
            singleKinds.put(
                    Kind.BIND,
                    bindable.stream()
                            .map(set -> new Trial(set.count(), after(set, ApMask.NONE, ApMask.NONE)))
                            .toList());
            singleKinds.put(
                    Kind.UNASSIGN_ADAPTERS,
                    adapters.stream()
                            .map(set -> new Trial(set.count(), after(QueueSet.NONE, set, ApMask.NONE)))
                            .toList());
            singleKinds.put(
                    Kind.UNASSIGN_DOMAINS,
                    domains.stream()
                            .map(set -> new Trial(set.count(), after(QueueSet.NONE, ApMask.NONE, set)))
                            .toList());
        }

        Matrix after(QueueSet bind, ApMask lessAdapters, ApMask lessDomains) {
            return scene.guestMatrix(
                    host,
                    mdev.assigned().minus(new Matrix(lessAdapters, lessDomains, ApMask.NONE)),
                    bind.isEmpty() ? host.usable() : host.usable().or(bind));
        }

        @Nullable
        Integer fewest(Kind kind, Predicate<Matrix> plugged) {
            return fewest(singleKinds.getOrDefault(kind, List.of()), plugged);
        }

        /** More than two by two are too many to try. */
        boolean canMix() {
            return bindable.size() <= 16 && adapters.size() == 4 && domains.size() == 4;
        }

        @Nullable
        Integer fewestOfAllKinds(Predicate<Matrix> plugged) {
            if (mixed == null) {
                mixed = new ArrayList<>();
                for (QueueSet bind : bindable) {
                    for (ApMask lessAdapters : adapters) {
                        for (ApMask lessDomains : domains) {
                            mixed.add(new Trial(
                                    bind.count() + lessAdapters.count() + lessDomains.count(),
                                    after(bind, lessAdapters, lessDomains)));
                        }
                    }
                }
            }
            return fewest(mixed, plugged);
        }

        private static @Nullable Integer fewest(List<Trial> trials, Predicate<Matrix> plugged) {
            return trials.stream()
                    .filter(trial -> plugged.test(trial.result))
                    .map(Trial::size)
                    .min(Integer::compare)
                    .orElse(null);
        }

        private static List<QueueSet> subsets(List<Queue> queues) {
            return IntStream.range(0, 1 << queues.size())
                    .mapToObj(bits -> QueueSet.of(IntStream.range(0, queues.size())
                            .filter(i -> (bits >> i & 1) == 1)
                            .mapToObj(queues::get)
                            .collect(Collectors.toList())))
                    .toList();
        }

        private static List<ApMask> subsets(int[] numbers) {
            return IntStream.range(0, 1 << numbers.length)
                    .mapToObj(bits -> subset(numbers, bits))
                    .toList();
        }
    }

    // ---- numbers

    private static final class Universe {

        final int[] adapters;
        final int[] domains;
        final List<Queue> queues;

        Universe(int[] adapters, int[] domains) {
            this.adapters = adapters;
            this.domains = domains;
            this.queues = QueueSet.rectangle(ApMask.of(adapters), ApMask.of(domains))
                    .queues()
                    .toList();
        }
    }

    /** The control domains are those of the domains. */
    private static Matrix matrix(ApMask adapters, ApMask domains) {
        return new Matrix(adapters, domains, domains);
    }

    private static ApMask subset(int[] numbers, int bits) {
        return ApMask.of(IntStream.range(0, numbers.length)
                .filter(i -> (bits >> i & 1) == 1)
                .map(i -> numbers[i])
                .toArray());
    }

    private static ApMask most(int[] numbers, Random random) {
        return ApMask.of(
                IntStream.of(numbers).filter(n -> random.nextInt(8) != 0).toArray());
    }
}
