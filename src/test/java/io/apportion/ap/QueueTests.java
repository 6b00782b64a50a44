package io.apportion.ap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QueueTests {

    @Test
    void isWrittenWithTwoAndFourHexDigits() {
        assertThat(new Queue(4, 0x47)).hasToString("04.0047");
        assertThat(new Queue(255, 255)).hasToString("ff.00ff");
    }

    @Test
    void readsWhatItWrites() {
        for (int number = 0; number < 256; number++) {
            var queue = new Queue(number, 255 - number);
            assertThat(Queue.parse(queue.toString())).isEqualTo(queue);
        }
        assertThat(Queue.parse("0A.00fF")).isEqualTo(new Queue(10, 255));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "4.0047", "04.47", "04-0047", "04.0100", "04.00470", "0x.0047", "+4.0047", "04. 047"})
    void refusesWhatIsNoQueue(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> Queue.parse(text));
    }

    @Test
    void refusesNumbersOutOfRange() {
        assertThatIllegalArgumentException().isThrownBy(() -> new Queue(256, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> new Queue(0, -1));
    }

    @Test
    void ordersByAdapterThenDomain() {
        assertThat(Stream.of("05.0004", "04.0047", "ff.0000", "04.0004")
                        .map(Queue::parse)
                        .sorted()
                        .map(Queue::toString))
                .containsExactly("04.0004", "04.0047", "05.0004", "ff.0000");
    }

    @Test
    void hasAHashOfItsOwn() {
        // A host may have a managed driver for each of them; colliding, one look into that map costs a walk through it.
        assertThat(QueueSet.rectangle(ApMask.ALL, ApMask.ALL)
                        .queues()
                        .map(Queue::hashCode)
                        .distinct())
                .hasSize(65_536);
    }
}
