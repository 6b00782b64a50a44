package io.apportion.torture;

import io.apportion.ap.Matrix;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Whether one copy of an mdev, which takes one call after the other, could have given all the answers of a record: each at
 * some moment between its request and its answer (linearizability; the search of Wing and Gong, with the memory of Lowe).
 *
 * <p>A call in doubt may have taken effect at any moment after it was sent, or never.
 */
final class SingleCopy {

    /**
     * @param version 0: there is no such mdev
     */
    private record State(long version, Matrix assigned) {

        static final State ABSENT = new State(0, Matrix.EMPTY);

        boolean isAbsent() {
            return version == 0;
        }

        State with(Matrix next) {
            return next.equals(assigned) ? this : new State(version + 1, next);
        }
    }

    /** A call that was taken, the state before it, and where to look for the next try. */
    private record Step(int call, State before) {}

    private record Seen(BitSet taken, State state) {}

    private final List<Call> calls;
    private final BitSet taken = new BitSet();
    private int left;
    private State state = State.ABSENT;

    /** @param calls of one mdev, which is not there before the first */
    private SingleCopy(List<Call> calls) {
        this.calls = calls.stream()
                .filter(call -> !call.isVoid())
                .sorted(Comparator.comparingLong(Call::sent))
                .toList();
        left = (int) this.calls.stream().filter(call -> !call.isInDoubt()).count();
    }

    /**
     * @param calls of one mdev, which is not there before the first
     * @return what no single copy could have answered; null: it could have answered everything
     */
    static @Nullable String contradiction(List<Call> calls) {
        return new SingleCopy(calls).search();
    }

    private @Nullable String search() {
        Deque<Step> path = new ArrayDeque<>();
        Set<Seen> seen = new HashSet<>();
        int from = 0;
        int fewestLeft = left;
        String stuck = "";
        while (left > 0) {
            int next = next(from);
            if (next >= 0) {
                State after = Objects.requireNonNull(after(calls.get(next), state));
                path.push(new Step(next, state));
                take(next, after);
                from = seen.add(new Seen((BitSet) taken.clone(), state)) ? 0 : calls.size();
                continue;
            }
            if (left < fewestLeft || stuck.isEmpty()) {
                fewestLeft = left;
                stuck = describe();
            }
            if (path.isEmpty()) {
                return stuck;
            }
            Step last = path.pop();
            giveBack(last);
            from = last.call() + 1;
        }
        return null;
    }

    private void take(int call, State after) {
        taken.set(call);
        left -= calls.get(call).isInDoubt() ? 0 : 1;
        state = after;
    }

    private void giveBack(Step step) {
        taken.clear(step.call());
        left += calls.get(step.call()).isInDoubt() ? 0 : 1;
        state = step.before();
    }

    /** The first call from there on that may be the next one; -1: none. */
    private int next(int from) {
        return candidates().stream()
                .filter(call -> call >= from && after(calls.get(call), state) != null)
                .findFirst()
                .orElse(-1);
    }

    /** Those not taken that were sent before any of these was answered. */
    private List<Integer> candidates() {
        List<Integer> candidates = new ArrayList<>();
        long firstAnswer = Long.MAX_VALUE;
        for (int call = taken.nextClearBit(0); call < calls.size(); call = taken.nextClearBit(call + 1)) {
            if (calls.get(call).sent() > firstAnswer) {
                break;
            }
            candidates.add(call);
            if (!calls.get(call).isInDoubt()) {
                firstAnswer = Math.min(firstAnswer, calls.get(call).answered());
            }
        }
        return candidates;
    }

    /** Null where a single copy in that state could not have answered so, or where taking it would say nothing. */
    private static @Nullable State after(Call call, State state) {
        if (call.isInDoubt()) {
            State after = effect(call, state);
            return after == null || after.equals(state) ? null : after;
        }
        return switch (call.status()) {
            case 404 -> state.isAbsent() ? state : null;
            case 412 -> call.ifVersion() != null && call.ifVersion() != state.version() ? state : null;
            case 409 -> state; // what another mdev has is not known here
            default -> {
                State after = effect(call, state);
                yield call.isAcknowledged() && after != null && isAnsweredBy(call, after) ? after : null;
            }
        };
    }

    private static boolean isAnsweredBy(Call call, State after) {
        return call.kind() == Call.Kind.DELETE
                || (call.version() == after.version() && after.assigned().equals(call.assigned()));
    }

    /** Null where it is refused. */
    private static @Nullable State effect(Call call, State state) {
        if (call.ifVersion() != null && call.ifVersion() != state.version()) {
            return null;
        }
        return switch (call.kind()) {
            case CREATE -> state.isAbsent() ? new State(1, call.matrix()) : state.with(call.matrix());
            case READ -> state.isAbsent() ? null : state;
            case ASSIGN -> state.isAbsent() ? null : state.with(state.assigned().or(call.matrix()));
            case UNASSIGN ->
                state.isAbsent() ? null : state.with(state.assigned().minus(call.matrix()));
            case SET -> state.isAbsent() ? null : state.with(call.matrix());
            case DELETE -> state.isAbsent() ? null : State.ABSENT;
        };
    }

    private String describe() {
        StringBuilder text = new StringBuilder("after " + taken.cardinality() + " of " + calls.size()
                + " calls the mdev is " + state + ", and none of these can come next:");
        candidates().forEach(call -> text.append("\n  ").append(calls.get(call)));
        return text.toString();
    }
}
