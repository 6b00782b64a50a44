package io.apportion.torture;

import io.apportion.ap.Matrix;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One request about one mdev, and what became of it.
 *
 * @param sent by a clock that all calls of a record share, nanoseconds
 * @param answered by the same clock; {@link Long#MAX_VALUE}: never
 * @param matrix what {@code ASSIGN} adds, {@code UNASSIGN} takes, {@code CREATE} and {@code SET} leave
 * @param ifVersion of {@code If-Match}; null: none
 * @param status of HTTP; 0: never answered
 * @param problem what type of problem was answered; null: none
 * @param version of the mdev as answered
 * @param assigned of the mdev as answered; null: no mdev was answered
 */
record Call(
        String requestId,
        UUID mdev,
        long sent,
        long answered,
        Kind kind,
        Matrix matrix,
        @Nullable Long ifVersion,
        int status,
        @Nullable String problem,
        long version,
        @Nullable Matrix assigned) {

    enum Kind {
        READ,
        CREATE,
        ASSIGN,
        UNASSIGN,
        SET,
        DELETE
    }

    /** Whether it cannot be told from the answer if it took effect. */
    boolean isInDoubt() {
        return kind != Kind.READ && (status == 0 || (status >= 500 && !"/problems/busy".equals(problem)));
    }

    /** Whether it tells nothing, and changed nothing. */
    boolean isVoid() {
        return !isInDoubt() && (status == 0 || status >= 500);
    }

    boolean isAcknowledged() {
        return status / 100 == 2;
    }
}
