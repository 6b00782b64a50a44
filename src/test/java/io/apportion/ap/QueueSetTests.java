package io.apportion.ap;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

class QueueSetTests {

    @Test
    void holdsOneMaskOfDomainsForEachAdapter() {
        var set = QueueSet.of(new Queue(5, 0x47), new Queue(4, 4), new Queue(4, 0x54));

        assertThat(set.domains(4)).isEqualTo(ApMask.of(4, 0x54));
        assertThat(set.domains(5)).isEqualTo(ApMask.of(0x47));
        assertThat(set.domains(6)).isEqualTo(ApMask.NONE);
        assertThat(set.adapters()).isEqualTo(ApMask.of(4, 5));
        assertThat(set.queues()).containsExactly(new Queue(4, 4), new Queue(4, 0x54), new Queue(5, 0x47));
        assertThat(set).hasToString("[04.0004, 04.0054, 05.0047]");
    }

    @Test
    void rectangleHoldsEveryQueueOfItsAdaptersAndDomains() {
        var set = QueueSet.rectangle(ApMask.of(0, 255), ApMask.of(1, 64, 254));

        assertThat(set.count()).isEqualTo(6);
        assertThat(set.has(255, 64)).isTrue();
        assertThat(set.has(new Queue(254, 64))).isFalse();
        assertThat(QueueSet.rectangle(ApMask.ALL, ApMask.ALL).count()).isEqualTo(65_536);
        assertThat(QueueSet.rectangle(ApMask.ALL, ApMask.NONE)).isEqualTo(QueueSet.NONE);
    }

    @Test
    void staysAsItIsWhenAnotherIsMadeOfIt() {
        var queue = new Queue(4, 4);
        var set = QueueSet.of(queue);

        assertThat(set.without(queue)).isEqualTo(QueueSet.NONE);
        assertThat(set.with(new Queue(4, 5)).count()).isEqualTo(2);
        assertThat(set.withRow(4, ApMask.ALL).count()).isEqualTo(256);
        assertThat(QueueSet.NONE.with(queue)).isEqualTo(set);
        assertThat(set.queues()).containsExactly(queue);
        assertThat(QueueSet.NONE.isEmpty()).isTrue();
    }

    @Test
    void behavesAsASetOfQueues() {
        long seed = 512;
        var random = new Random(seed);
        for (int round = 0; round < 500; round++) {
            var one = randomQueues(random);
            var other = randomQueues(random);
            var a = QueueSet.of(one);
            var b = QueueSet.of(other);
            String state = "seed " + seed + ", round " + round + ": " + one + " and " + other;

            assertThat(a.and(b)).as(state).isEqualTo(combine(one, other, TreeSet::retainAll));
            assertThat(a.or(b)).as(state).isEqualTo(combine(one, other, TreeSet::addAll));
            assertThat(a.minus(b)).as(state).isEqualTo(combine(one, other, TreeSet::removeAll));
            assertThat(a.minus(b).or(a.and(b))).as(state).isEqualTo(a).hasSameHashCodeAs(a);
            assertThat(a.equals(b)).as(state).isEqualTo(one.equals(other));
            assertThat(a.isEmpty()).as(state).isEqualTo(one.isEmpty());
            assertThat(a.count()).as(state).isEqualTo(one.size());
            assertThat(a.queues()).as(state).containsExactlyElementsOf(one);

            var queue = randomQueue(random);
            assertThat(a.has(queue)).as(state).isEqualTo(one.contains(queue));
            assertThat(a.with(queue)).as(state).isEqualTo(a.or(QueueSet.of(queue)));
            assertThat(a.without(queue)).as(state).isEqualTo(a.minus(QueueSet.of(queue)));

            var adapters = ApMask.of(250, 252);
            var domains = ApMask.of(62, 63);
            assertThat(a.within(adapters, domains)).as(state).isEqualTo(a.and(QueueSet.rectangle(adapters, domains)));
            var replaced = a.withRow(251, domains);
            assertThat(replaced.domains(251)).as(state).isEqualTo(domains);
            assertThat(replaced.withRow(251, a.domains(251))).as(state).isEqualTo(a);
        }
    }

    private static TreeSet<Queue> randomQueues(Random random) {
        var queues = new TreeSet<Queue>();
        int size = random.nextInt(12);
        for (int i = 0; i < size; i++) {
            queues.add(randomQueue(random));
        }
        return queues;
    }

    private static Queue randomQueue(Random random) {
        return new Queue(250 + random.nextInt(4), 62 + random.nextInt(4));
    }

    private static QueueSet combine(
            TreeSet<Queue> one, TreeSet<Queue> other, BiConsumer<TreeSet<Queue>, TreeSet<Queue>> operation) {
        var result = new TreeSet<>(one);
        operation.accept(result, other);
        return QueueSet.of(result);
    }
}
