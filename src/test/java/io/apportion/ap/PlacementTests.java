package io.apportion.ap;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.UUID;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PlacementTests {

    private static final UUID MDEV = UUID.fromString("62177883-f1bb-47f0-914d-32a22e3a8804");

    @Test
    void prefersARectangleThatIsBoundAlready() {
        QueueSet free = QueueSet.rectangle(ApMask.of(4, 5, 6), ApMask.of(0x04, 0x47));
        QueueSet bound = QueueSet.rectangle(ApMask.of(5, 6), ApMask.of(0x04, 0x47));

        Placement.Found found = Placement.find(free, bound, 2, 2);

        assertThat(found)
                .isEqualTo(new Placement.Found(
                        new Placement(ApMask.of(5, 6), ApMask.of(0x04, 0x47), QueueSet.NONE), true));
    }

    @Test
    void leavesOutAnAdapterWithAHole() {
        QueueSet free =
                QueueSet.rectangle(ApMask.of(4, 5, 6), ApMask.of(0x04, 0x47)).without(new Queue(5, 0x47));

        assertThat(Placement.find(free, free, 2, 2).placement())
                .isEqualTo(new Placement(ApMask.of(4, 6), ApMask.of(0x04, 0x47), QueueSet.NONE));
        assertThat(Placement.find(free, free, 3, 2)).isEqualTo(new Placement.Found(null, true));
        assertThat(Placement.find(free, free, 3, 1).placement())
                .isEqualTo(new Placement(ApMask.of(4, 5, 6), ApMask.of(0x04), QueueSet.NONE));
    }

    @Test
    void namesTheQueuesToBind() {
        QueueSet free = QueueSet.rectangle(ApMask.of(4), ApMask.of(0x04, 0x47, 0x54));
        QueueSet bound = QueueSet.of(new Queue(4, 0x47));

        assertThat(Placement.find(free, bound, 1, 2).placement())
                .isEqualTo(new Placement(ApMask.of(4), ApMask.of(0x04, 0x47), QueueSet.of(new Queue(4, 0x04))));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void findsWhatTryingEverythingFinds(long seed) {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
        for (int round = 0; round < 200; round++) {
            int size = 5;
            QueueSet free = random(random, size, 0.75);
            QueueSet bound = random(random, size, 0.6);
            int adapters = random.nextInt(1, 4);
            int domains = random.nextInt(1, 4);

            Placement.Found found = Placement.find(free, bound, adapters, domains);

            Integer least = leastToBind(free, bound, adapters, domains, size);
            assertThat(found.complete()).isTrue();
            assertThat(
                            found.placement() == null
                                    ? null
                                    : found.placement().toBind().count())
                    .as("seed %d, round %d: %d x %d of %s, bound %s", seed, round, adapters, domains, free, bound)
                    .isEqualTo(least);
            if (found.placement() != null) {
                QueueSet rectangle = QueueSet.rectangle(
                        found.placement().adapters(), found.placement().domains());
                assertThat(rectangle.minus(free).isEmpty()).isTrue();
                assertThat(rectangle.minus(bound)).isEqualTo(found.placement().toBind());
                assertThat(found.placement().adapters().count()).isEqualTo(adapters);
                assertThat(found.placement().domains().count()).isEqualTo(domains);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, true",
        "2, 60, true",
        "40, 2, true",
        "16, 16, false",
        "100, 100, false",
        "128, 128, false",
        "256, 256, false"
    })
    void answersOnTheLargestMachineFullOfHoles(int adapters, int domains, boolean mustFind) {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(42);
        QueueSet free = random(random, 256, 0.5);

        Placement.Found found = Placement.find(free, free, adapters, domains);

        if (found.placement() != null) {
            assertThat(QueueSet.rectangle(
                                    found.placement().adapters(),
                                    found.placement().domains())
                            .minus(free)
                            .isEmpty())
                    .isTrue();
        }
        assertThat(found.placement() != null || !mustFind).isTrue();
    }

    @Test
    void findsTheWholeOfTheLargestMachine() {
        QueueSet all = QueueSet.rectangle(ApMask.ALL, ApMask.ALL);

        assertThat(Placement.find(all, all, 256, 256))
                .isEqualTo(new Placement.Found(new Placement(ApMask.ALL, ApMask.ALL, QueueSet.NONE), true));
        assertThat(Placement.find(all.without(new Queue(255, 255)), all, 256, 256)
                        .placement())
                .isNull();
    }

    @Test
    void offersNoQueueThatAnyMdevHas() {
        HostMatrix host = host(
                new Reservation(ApMask.NONE, ApMask.NONE),
                Map.of(),
                Mdev.unattached(MDEV, new Matrix(ApMask.of(4), ApMask.of(0x04), ApMask.NONE), Matrix.EMPTY));

        assertThat(Placement.free(host).queues()).map(Queue::toString).containsExactly("04.0047", "05.0004", "05.0047");
    }

    @Test
    void offersNoQueueThatTheHostKeeps() {
        HostMatrix host = host(new Reservation(ApMask.of(4), ApMask.of(0x47)), Map.of(), null);

        assertThat(Placement.free(host).queues()).map(Queue::toString).containsExactly("04.0004", "05.0004", "05.0047");
    }

    @Test
    void offersNoQueueThatIsGivenAway() {
        HostMatrix host =
                host(new Reservation(ApMask.NONE, ApMask.NONE), Map.of(new Queue(5, 0x47), QueueDriver.NONE), null);

        assertThat(Placement.free(host).queues()).map(Queue::toString).containsExactly("04.0004", "04.0047", "05.0004");
    }

    /** Cards 04 and 05 with domains 0004 and 0047. */
    private static HostMatrix host(Reservation masks, Map<Queue, QueueDriver> drivers, @Nullable Mdev mdev) {
        Matrix configuration = new Matrix(ApMask.of(4, 5), ApMask.of(0x04, 0x47), ApMask.NONE);
        Inventory inventory = new Inventory(
                true,
                true,
                true,
                255,
                255,
                configuration,
                masks,
                Inventory.Keep.NOTHING,
                configuration.queues(),
                QueueSet.NONE,
                QueueSet.NONE,
                QueueSet.NONE,
                QueueSet.NONE,
                Map.of());
        return new HostMatrix(
                GuestFilter.INCREMENTAL, null, inventory, null, drivers, mdev == null ? Map.of() : Map.of(MDEV, mdev));
    }

    private static QueueSet random(RandomGenerator random, int size, double share) {
        QueueSet set = QueueSet.NONE;
        for (int a = 0; a < size; a++) {
            ApMask row = ApMask.NONE;
            for (int d = 0; d < size; d++) {
                if (random.nextDouble() < share) {
                    row = row.with(d);
                }
            }
            set = set.withRow(a, row);
        }
        return set;
    }

    private static @Nullable Integer leastToBind(QueueSet free, QueueSet bound, int adapters, int domains, int size) {
        Integer least = null;
        for (int some = 0; some < 1 << size; some++) {
            for (int others = 0; others < 1 << size; others++) {
                if (Integer.bitCount(some) != adapters || Integer.bitCount(others) != domains) {
                    continue;
                }
                QueueSet rectangle = QueueSet.rectangle(mask(some, size), mask(others, size));
                if (rectangle.minus(free).isEmpty()) {
                    int toBind = rectangle.minus(bound).count();
                    least = least == null ? toBind : Math.min(least, toBind);
                }
            }
        }
        return least;
    }

    private static ApMask mask(int bits, int size) {
        ApMask mask = ApMask.NONE;
        for (int number = 0; number < size; number++) {
            if ((bits & (1 << number)) != 0) {
                mask = mask.with(number);
            }
        }
        return mask;
    }
}
