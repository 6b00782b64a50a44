package io.apportion.ap;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MatrixTests {

    private static final Matrix MATRIX = new Matrix(ApMask.of(4, 5), ApMask.of(4, 0x47), ApMask.of(9));

    @Test
    void queuesAreTheRectangleOfAdaptersAndDomains() {
        assertThat(MATRIX.queues())
                .isEqualTo(QueueSet.of(new Queue(4, 4), new Queue(4, 0x47), new Queue(5, 4), new Queue(5, 0x47)));
        assertThat(MATRIX.queueCount()).isEqualTo(4);
        assertThat(MATRIX.hasQueue(5, 0x47)).isTrue();
        assertThat(MATRIX.hasQueue(5, 9)).isFalse();
        assertThat(MATRIX.hasQueue(6, 4)).isFalse();
    }

    @Test
    void adaptersWithoutDomainsHaveNoQueue() {
        var noDomains = new Matrix(ApMask.ALL, ApMask.NONE, ApMask.NONE);
        assertThat(noDomains.queueCount()).isZero();
        assertThat(noDomains.isEmpty()).isFalse();
        assertThat(Matrix.EMPTY.isEmpty()).isTrue();
    }

    @Test
    void controlDomainsAloneAreNotEmpty() {
        assertThat(new Matrix(ApMask.NONE, ApMask.NONE, ApMask.of(1)).isEmpty()).isFalse();
    }

    @Test
    void sharesAQueueOnlyWithACommonAdapterAndACommonDomain() {
        assertThat(MATRIX.sharesQueueWith(new Matrix(ApMask.of(5, 6), ApMask.of(0x47), ApMask.NONE)))
                .isTrue();
        assertThat(MATRIX.sharesQueueWith(new Matrix(ApMask.of(5), ApMask.of(5), ApMask.NONE)))
                .as("only the adapter is common")
                .isFalse();
        assertThat(MATRIX.sharesQueueWith(new Matrix(ApMask.of(6), ApMask.of(0x47), ApMask.NONE)))
                .as("only the domain is common")
                .isFalse();
        assertThat(MATRIX.sharesQueueWith(new Matrix(ApMask.of(6), ApMask.of(5), ApMask.of(9))))
                .as("control domains never conflict")
                .isFalse();
    }

    @Test
    void combinesMaskByMask() {
        var other = new Matrix(ApMask.of(5, 6), ApMask.of(4), ApMask.of(9, 10));

        assertThat(MATRIX.or(other)).isEqualTo(new Matrix(ApMask.of(4, 5, 6), ApMask.of(4, 0x47), ApMask.of(9, 10)));
        assertThat(MATRIX.and(other)).isEqualTo(new Matrix(ApMask.of(5), ApMask.of(4), ApMask.of(9)));
        assertThat(MATRIX.minus(other)).isEqualTo(new Matrix(ApMask.of(4), ApMask.of(0x47), ApMask.NONE));
        assertThat(MATRIX.and(other).isIn(MATRIX)).isTrue();
        assertThat(MATRIX.isIn(other)).isFalse();
        assertThat(new Matrix(ApMask.NONE, ApMask.NONE, ApMask.of(10)).isIn(MATRIX))
                .isFalse();
    }
}
