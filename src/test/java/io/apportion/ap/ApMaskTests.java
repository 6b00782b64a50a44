package io.apportion.ap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ApMaskTests {

    private static final String ZEROS = "0".repeat(64);

    @Test
    void bitZeroIsTheLeftmost() {
        assertThat(ApMask.of(0).toHex()).isEqualTo("8" + ZEROS.substring(1));
        assertThat(ApMask.of(4).toHex()).isEqualTo("08" + ZEROS.substring(2));
        assertThat(ApMask.of(255).toHex()).isEqualTo(ZEROS.substring(1) + "1");
        assertThat(ApMask.of(0x04, 0x47, 0x54)).hasToString("0x0800000000000000010008" + ZEROS.substring(22));
        assertThat(ApMask.of(8).toBytes()).startsWith(0, 0x80, 0).hasSize(32);
    }

    @Test
    void everyNumberHasABitOfItsOwn() {
        for (int number = 0; number < 256; number++) {
            var mask = ApMask.of(number);
            assertThat(mask.numbers().toArray()).containsExactly(number);
            assertThat(mask.count()).isOne();
            assertThat(IntStream.range(0, 256).filter(mask::has).toArray()).containsExactly(number);
            assertThat(ApMask.parse(mask.toString())).isEqualTo(mask);
            assertThat(ApMask.ofBytes(mask.toBytes())).isEqualTo(mask).hasSameHashCodeAs(mask);
        }
    }

    @Test
    void readsTextWithAndWithoutPrefixInEitherCase() {
        var mask = ApMask.of(0, 2, 4, 6, 255);
        assertThat(ApMask.parse("0xAA" + ZEROS.substring(3) + "1")).isEqualTo(mask);
        assertThat(ApMask.parse("aa" + ZEROS.substring(3) + "1")).isEqualTo(mask);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0x", "0x8", "0xffff", "80", "-"})
    void refusesTextOfAnotherLength(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> ApMask.parse(text));
    }

    @Test
    void refusesWhatIsNoMask() {
        assertThatIllegalArgumentException().isThrownBy(() -> ApMask.parse("g" + ZEROS.substring(1)));
        assertThatIllegalArgumentException().isThrownBy(() -> ApMask.parse("0X" + ZEROS.substring(2)));
        assertThatIllegalArgumentException().isThrownBy(() -> ApMask.ofBytes(new byte[31]));
        assertThatIllegalArgumentException().isThrownBy(() -> ApMask.of(256));
        assertThatIllegalArgumentException().isThrownBy(() -> ApMask.of(-1));
        assertThatIllegalArgumentException().isThrownBy(() -> ApMask.NONE.has(256));
        assertThatIllegalArgumentException().isThrownBy(() -> ApMask.ALL.without(-1));
        assertThatIllegalArgumentException().isThrownBy(() -> ApMask.upTo(256));
    }

    @Test
    void countsUpToTheLastInclusive() {
        assertThat(ApMask.upTo(-1)).isEqualTo(ApMask.NONE);
        assertThat(ApMask.upTo(0)).isEqualTo(ApMask.of(0));
        for (int last = 0; last < ApMask.BITS; last++) {
            assertThat(ApMask.upTo(last)).isEqualTo(ApMask.upTo(last - 1).with(last));
        }
        assertThat(ApMask.upTo(255)).isEqualTo(ApMask.ALL);
    }

    @Test
    void knowsTheEmptyAndTheFullMask() {
        assertThat(ApMask.NONE.isEmpty()).isTrue();
        assertThat(ApMask.of(7).without(7).isEmpty()).isTrue();
        assertThat(ApMask.of(7).without(7)).isEqualTo(ApMask.NONE);
        assertThat(ApMask.ALL.isEmpty()).isFalse();
        assertThat(ApMask.ALL.count()).isEqualTo(256);
        assertThat(ApMask.ALL.complement()).isEqualTo(ApMask.NONE);
        assertThat(ApMask.NONE.next(0)).isEqualTo(-1);
        assertThat(ApMask.ALL.next(256)).isEqualTo(-1);
    }

    @Test
    void behavesAsASetOfNumbers() {
        long seed = 256;
        var random = new Random(seed);
        for (int round = 0; round < 2_000; round++) {
            var one = randomSet(random);
            var other = randomSet(random);
            var a = mask(one);
            var b = mask(other);
            String state = "seed " + seed + ", round " + round + ": " + one + " and " + other;

            assertThat(a.and(b)).as(state).isEqualTo(mask(combine(one, other, BitSet::and)));
            assertThat(a.or(b)).as(state).isEqualTo(mask(combine(one, other, BitSet::or)));
            assertThat(a.minus(b)).as(state).isEqualTo(mask(combine(one, other, BitSet::andNot)));
            assertThat(a.complement().and(a)).as(state).isEqualTo(ApMask.NONE);
            assertThat(a.complement().or(a)).as(state).isEqualTo(ApMask.ALL);
            assertThat(a.intersects(b)).as(state).isEqualTo(one.intersects(other));
            assertThat(a.isIn(b))
                    .as(state)
                    .isEqualTo(combine(one, other, BitSet::andNot).isEmpty());
            assertThat(a.and(b).isIn(b)).as(state).isTrue();
            assertThat(a.equals(b)).as(state).isEqualTo(one.equals(other));
            assertThat(a.count()).as(state).isEqualTo(one.cardinality());
            assertThat(a.numbers().toArray())
                    .as(state)
                    .containsExactly(one.stream().toArray());
            var seen = new ArrayList<Integer>();
            a.forEach(seen::add);
            assertThat(seen).as(state).isEqualTo(numbers(one));

            int number = random.nextInt(256);
            assertThat(a.has(number)).as(state).isEqualTo(one.get(number));
            assertThat(a.next(number)).as(state).isEqualTo(one.nextSetBit(number));
            assertThat(a.with(number)).as(state).isEqualTo(a.or(ApMask.of(number)));
            assertThat(a.without(number)).as(state).isEqualTo(a.minus(ApMask.of(number)));
        }
    }

    private static BitSet randomSet(Random random) {
        var set = new BitSet();
        int size = random.nextInt(4) == 0 ? random.nextInt(256) : random.nextInt(4);
        for (int i = 0; i < size; i++) {
            set.set(random.nextInt(256));
        }
        return set;
    }

    private static BitSet combine(BitSet one, BitSet other, BiConsumer<BitSet, BitSet> operation) {
        var result = (BitSet) one.clone();
        operation.accept(result, other);
        return result;
    }

    private static ApMask mask(BitSet set) {
        return ApMask.of(numbers(set));
    }

    private static List<Integer> numbers(BitSet set) {
        return set.stream().boxed().toList();
    }
}
