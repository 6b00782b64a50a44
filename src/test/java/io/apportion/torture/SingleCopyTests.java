package io.apportion.torture;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.torture.Call.Kind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SingleCopyTests {

    private static final UUID MDEV = new UUID(0, 1);

    private static Matrix adapters(int... numbers) {
        return new Matrix(ApMask.of(numbers), ApMask.NONE, ApMask.NONE);
    }

    private static Call answered(long sent, long answered, Kind kind, Matrix matrix, long version, Matrix assigned) {
        return new Call("r" + sent, MDEV, sent, answered, kind, matrix, null, 200, null, version, assigned);
    }

    private static Call never(long sent, Kind kind, Matrix matrix) {
        return new Call("r" + sent, MDEV, sent, Long.MAX_VALUE, kind, matrix, null, 0, null, 0, null);
    }

    private static Call refused(long sent, long answered, Kind kind, int status, @Nullable Long ifVersion) {
        return new Call(
                "r" + sent, MDEV, sent, answered, kind, Matrix.EMPTY, ifVersion, status, "/problems/x", 0, null);
    }

    private final List<Call> calls = new ArrayList<>(List.of(answered(0, 1, Kind.CREATE, adapters(1), 1, adapters(1))));

    private @Nullable String contradiction(Call... more) {
        calls.addAll(List.of(more));
        return SingleCopy.contradiction(calls);
    }

    @Test
    void takesOneCallAfterTheOther() {
        assertThat(contradiction(
                        answered(2, 3, Kind.ASSIGN, adapters(2), 2, adapters(1, 2)),
                        answered(4, 5, Kind.UNASSIGN, adapters(1), 3, adapters(2)),
                        answered(6, 7, Kind.UNASSIGN, adapters(1), 3, adapters(2)),
                        answered(8, 9, Kind.READ, Matrix.EMPTY, 3, adapters(2)),
                        answered(10, 11, Kind.DELETE, Matrix.EMPTY, 0, Matrix.EMPTY),
                        refused(12, 13, Kind.READ, 404, null)))
                .isNull();
    }

    @Test
    void takesCallsAtOnceInAnyOrder() {
        assertThat(contradiction(
                        answered(2, 9, Kind.ASSIGN, adapters(2), 3, adapters(1, 2, 3)),
                        answered(3, 8, Kind.ASSIGN, adapters(3), 2, adapters(1, 3))))
                .isNull();
    }

    @Test
    void noticesALostChange() {
        assertThat(contradiction(
                        answered(2, 9, Kind.ASSIGN, adapters(2), 2, adapters(1, 2)),
                        answered(3, 8, Kind.ASSIGN, adapters(3), 2, adapters(1, 3))))
                .contains("none of these can come next");
    }

    @Test
    void noticesAChangeThatIsGoneLater() {
        assertThat(contradiction(
                        answered(2, 3, Kind.ASSIGN, adapters(2), 2, adapters(1, 2)),
                        answered(4, 5, Kind.READ, Matrix.EMPTY, 1, adapters(1))))
                .isNotNull();
    }

    @Test
    void noticesAReaderThatIsBehind() {
        assertThat(contradiction(
                        answered(2, 3, Kind.ASSIGN, adapters(2), 2, adapters(1, 2)),
                        answered(4, 5, Kind.ASSIGN, adapters(3), 3, adapters(1, 2, 3)),
                        answered(6, 7, Kind.READ, Matrix.EMPTY, 2, adapters(1, 2))))
                .isNotNull();
    }

    @Test
    void takesACallInDoubtAtAnyLaterMomentOrNever() {
        Call doubtful = never(2, Kind.ASSIGN, adapters(7));
        assertThat(contradiction(doubtful, answered(4, 5, Kind.READ, Matrix.EMPTY, 1, adapters(1))))
                .isNull();
        assertThat(contradiction(answered(6, 7, Kind.READ, Matrix.EMPTY, 2, adapters(1, 7))))
                .isNull();
        assertThat(contradiction(answered(8, 9, Kind.READ, Matrix.EMPTY, 1, adapters(1))))
                .as("not twice, and not back")
                .isNotNull();
    }

    @Test
    void whatIsBusyChangesNothing() {
        Call busy = new Call("r", MDEV, 2, 3, Kind.ASSIGN, adapters(7), null, 503, "/problems/busy", 0, null);
        assertThat(contradiction(busy, answered(6, 7, Kind.READ, Matrix.EMPTY, 2, adapters(1, 7))))
                .isNotNull();
    }

    @Test
    void staleIsOnlyWhatIsStale() {
        assertThat(contradiction(refused(2, 3, Kind.SET, 412, 5L))).isNull();
        assertThat(contradiction(refused(4, 5, Kind.SET, 412, 1L))).isNotNull();
    }

    @Test
    void noticesAnMdevThatIsSaidNotToBeThere() {
        assertThat(contradiction(refused(2, 3, Kind.READ, 404, null))).isNotNull();
    }

    /** Many clients of a copy that is a single one, some of whose calls get no answer. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void findsTheOrderOfARealSingleCopy(long seed) {
        List<Call> record = record(new Random(seed), false);
        assertThat(SingleCopy.contradiction(record)).as("seed %d", seed).isNull();
    }

    /** The same, but once a change is overwritten by one that did not see it. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void noticesOneLostChangeAmongMany(long seed) {
        List<Call> record = record(new Random(seed), true);
        assertThat(SingleCopy.contradiction(record)).as("seed %d", seed).isNotNull();
    }

    private static List<Call> record(Random random, boolean loseOne) {
        List<Call> record = new ArrayList<>();
        long version = 1;
        Matrix assigned = adapters(1);
        record.add(answered(-2, -1, Kind.CREATE, assigned, version, assigned));
        int losing = loseOne ? 100 + random.nextInt(100) : -1;
        for (int i = 0; i < 300; i++) {
            Kind kind = List.of(Kind.READ, Kind.ASSIGN, Kind.UNASSIGN, Kind.SET).get(random.nextInt(4));
            Matrix matrix = kind == Kind.READ ? Matrix.EMPTY : adapters(random.nextInt(6), random.nextInt(6));
            if (i == losing) {
                // One that must be missed: it changes, is acknowledged, and what follows knows nothing of it.
                Matrix lost = assigned.or(adapters(9));
                record.add(answered(10 * i - 5, 10 * i - 4, Kind.ASSIGN, adapters(9), version + 1, lost));
            }
            Matrix next = switch (kind) {
                case ASSIGN -> assigned.or(matrix);
                case UNASSIGN -> assigned.minus(matrix);
                case SET -> matrix;
                default -> assigned;
            };
            boolean unanswered = random.nextInt(20) == 0 && kind != Kind.READ;
            boolean done = !unanswered || random.nextBoolean();
            if (done) {
                version += next.equals(assigned) ? 0 : 1;
                assigned = next;
            }
            long sent = 10L * i - random.nextInt(30);
            record.add(
                    unanswered
                            ? never(sent, kind, matrix)
                            : answered(sent, 10L * i + 1 + random.nextInt(30), kind, matrix, version, assigned));
        }
        record.sort(Comparator.comparingLong(Call::answered));
        return record;
    }
}
