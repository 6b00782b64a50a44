package io.apportion.ap;

import static io.apportion.ap.GuestFilter.INCREMENTAL;
import static io.apportion.ap.GuestFilter.RECOMPUTE;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class GuestFilterTests {

    private static final Matrix EVERYTHING = new Matrix(ApMask.ALL, ApMask.ALL, ApMask.ALL);

    private static final Matrix ASSIGNED = rectangle(ApMask.of(4, 5), ApMask.of(4, 0x47, 0x54));

    @Test
    void keepsTheGuestsDomainsWhereAnAssignedOneIsIncomplete() {
        var bound = queues("04.0004", "04.0047", "05.0004", "05.0047");

        assertThat(INCREMENTAL.apply(ApMask.of(4, 0x47), ASSIGNED, EVERYTHING, bound))
                .isEqualTo(rectangle(ApMask.of(4, 5), ApMask.of(4, 0x47)));
        assertThat(RECOMPUTE.apply(ApMask.of(4, 0x47), ASSIGNED, EVERYTHING, bound))
                .isEqualTo(Matrix.EMPTY);
    }

    @Test
    void startsFromAllAssignedDomains() {
        var bound = queues("04.0004", "04.0047", "05.0004", "05.0047", "05.0054");

        assertThat(INCREMENTAL.apply(ApMask.NONE, ASSIGNED, EVERYTHING, bound))
                .isEqualTo(rectangle(ApMask.of(5), ASSIGNED.domains()));
    }

    @Test
    void startsAnewOnceTheGuestHasNoDomainLeft() {
        var bound = queues("04.0004", "04.0047", "05.0047", "05.0054");
        var assigned = rectangle(ApMask.of(4, 5), ApMask.of(0x47, 0x54));

        assertThat(INCREMENTAL.apply(ApMask.of(4), assigned, EVERYTHING, bound))
                .isEqualTo(rectangle(ApMask.of(5), ApMask.of(0x47, 0x54)));
    }

    @Test
    void remembersTheDomainsOfAGuestWithoutAdapter() {
        var has = ApMask.of(4, 0x47);
        var flapped = INCREMENTAL.apply(has, ASSIGNED, EVERYTHING, queues("04.0047"));

        assertThat(flapped).isEqualTo(rectangle(ApMask.NONE, has));
        assertThat(INCREMENTAL.apply(flapped.domains(), ASSIGNED, EVERYTHING, queues("04.0004", "04.0047")))
                .isEqualTo(rectangle(ApMask.of(4), has));
    }

    @Test
    void recomputeHasNoDomainsWithoutAnAdapter() {
        assertThat(RECOMPUTE.apply(ApMask.NONE, ASSIGNED, EVERYTHING, QueueSet.NONE))
                .isEqualTo(Matrix.EMPTY);
    }

    @ParameterizedTest
    @EnumSource(GuestFilter.class)
    void adaptersWithoutAnyDomainStayOut(GuestFilter filter) {
        var assigned = new Matrix(ApMask.of(4), ApMask.NONE, ApMask.NONE);
        assertThat(filter.apply(ApMask.NONE, assigned, EVERYTHING, queues("04.0004")))
                .isEqualTo(Matrix.EMPTY);
        assertThat(filter.apply(ApMask.of(4), assigned, EVERYTHING, queues("04.0004")))
                .isEqualTo(Matrix.EMPTY);
    }

    @ParameterizedTest
    @EnumSource(GuestFilter.class)
    void limitsEachMaskToTheHostConfiguration(GuestFilter filter) {
        var assigned = new Matrix(ApMask.of(4, 5), ApMask.of(4, 0x47), ApMask.of(1, 2));
        var host = new Matrix(ApMask.of(5, 6), ApMask.of(4, 6), ApMask.of(2, 3));
        var bound = QueueSet.rectangle(ApMask.ALL, ApMask.ALL);

        assertThat(filter.apply(ApMask.NONE, assigned, host, bound))
                .isEqualTo(new Matrix(ApMask.of(5), ApMask.of(4), ApMask.of(2)));
    }

    @ParameterizedTest
    @EnumSource(GuestFilter.class)
    void controlDomainsNeedNoQueue(GuestFilter filter) {
        var assigned = new Matrix(ApMask.of(4), ApMask.of(4), ApMask.of(4, 0xff));
        assertThat(filter.apply(ApMask.NONE, assigned, EVERYTHING, QueueSet.NONE)
                        .controlDomains())
                .isEqualTo(assigned.controlDomains());
    }

    @ParameterizedTest
    @EnumSource(GuestFilter.class)
    void findsTheOneHoleOfTheLargestMatrix(GuestFilter filter) {
        var bound = QueueSet.rectangle(ApMask.ALL, ApMask.ALL).without(new Queue(128, 191));
        assertThat(filter.apply(ApMask.NONE, EVERYTHING, EVERYTHING, bound))
                .isEqualTo(new Matrix(ApMask.ALL.without(128), ApMask.ALL, ApMask.ALL));
    }

    @Test
    void plugsNoDomainThatOneOfTheLargestMatrixLacks() {
        var bound = QueueSet.rectangle(ApMask.ALL, ApMask.ALL).without(new Queue(255, 191));
        assertThat(INCREMENTAL.apply(ApMask.ALL.without(191).without(192), EVERYTHING, EVERYTHING, bound))
                .isEqualTo(new Matrix(ApMask.ALL, ApMask.ALL.without(191), ApMask.ALL));
    }

    @Test
    void isCalledByItsTextForm() {
        assertThat(Stream.of(GuestFilter.values()).map(GuestFilter::toString))
                .containsExactly("incremental", "recompute");
    }

    private static Matrix rectangle(ApMask adapters, ApMask domains) {
        return new Matrix(adapters, domains, ApMask.NONE);
    }

    private static QueueSet queues(String... queues) {
        return QueueSet.of(Stream.of(queues).map(Queue::parse).toList());
    }
}
