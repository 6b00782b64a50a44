package io.apportion.torture;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.torture.Call.Kind;
import io.apportion.torture.Record.End;
import io.apportion.torture.Record.Event;
import io.apportion.torture.Record.Held;
import io.apportion.torture.Record.HostEnd;
import io.apportion.torture.Record.Sample;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerdictTests {

    private static final UUID A = new UUID(0, 0xa);
    private static final UUID B = new UUID(0, 0xb);
    private static final Matrix SMALL = matrix(4);
    private static final Matrix LARGE = matrix(4, 5);

    @TempDir
    Path folder;

    private final List<Object> lines = new ArrayList<>(List.of(
            call(0, Kind.CREATE, SMALL, 1, SMALL),
            call(2, Kind.ASSIGN, matrix(5), 2, LARGE),
            event(1, true, "mdev.created", A, null, SMALL),
            event(2, true, "mdev.assigned", A, SMALL, LARGE),
            event(1, false, "mdev.created", A, null, SMALL),
            event(2, false, "mdev.assigned", A, SMALL, LARGE),
            new End(A, "one", 2, LARGE, LARGE, LARGE),
            new HostEnd("one", 7, 7, 0)));

    private static Matrix matrix(int... adapters) {
        return new Matrix(ApMask.of(adapters), ApMask.of(1), ApMask.NONE);
    }

    private static Call call(long sent, Kind kind, Matrix matrix, long version, Matrix assigned) {
        return new Call("r" + sent, A, sent, sent + 1, kind, matrix, null, 200, null, version, assigned);
    }

    private static Event event(
            long id, boolean streamed, String type, UUID mdev, @Nullable Matrix before, Matrix after) {
        return new Event(id, streamed, type, "one", mdev, "r" + id, before, after);
    }

    private List<String> verdict() throws IOException {
        Path file = folder.resolve("record");
        try (Record record = new Record(file)) {
            record.note("somebody did something");
            lines.forEach(record::add);
        }
        return Verdict.of(file);
    }

    @Test
    void findsNothingWrongWhereNothingIs() throws IOException {
        assertThat(verdict()).isEmpty();
    }

    @Test
    void noticesAnAcknowledgedChangeWithoutItsEvent() throws IOException {
        lines.removeIf(line -> line instanceof Event event && event.id() == 2);
        assertThat(verdict()).anyMatch(wrong -> wrong.startsWith("the events make"));
    }

    @Test
    void noticesAnEventThatTheStreamMissed() throws IOException {
        lines.removeIf(line -> line instanceof Event event && event.streamed() && event.id() == 1);
        assertThat(verdict()).singleElement().asString().contains("missed [1]");
    }

    @Test
    void noticesAQueueInTwoMdevs() throws IOException {
        lines.add(new Sample("kernel", "one", List.of(new Held(A, SMALL), new Held(B, LARGE))));
        assertThat(verdict()).singleElement().asString().startsWith("a queue in two mdevs: kernel of host one");
    }

    @Test
    void noticesAQueueInTwoMdevsForTheTimeBetweenTwoEvents() throws IOException {
        for (boolean streamed : new boolean[] {true, false}) {
            lines.add(event(3, streamed, "mdev.created", B, null, LARGE));
            lines.add(event(4, streamed, "mdev.deleted", B, LARGE, LARGE));
        }
        assertThat(verdict()).singleElement().asString().startsWith("a queue in two mdevs: event 3");
    }

    @Test
    void noticesAKernelThatHasSomethingElse() throws IOException {
        lines.removeIf(End.class::isInstance);
        lines.add(new End(A, "one", 2, LARGE, LARGE, SMALL));
        assertThat(verdict()).singleElement().asString().startsWith("the kernel has another guest matrix");
    }

    @Test
    void noticesAnAgentThatIsBehind() throws IOException {
        lines.add(new HostEnd("two", 7, 6, 0));
        assertThat(verdict()).singleElement().asString().startsWith("not at its end");
    }

    @Test
    void noticesAnAnswerThatNobodyExpects() throws IOException {
        lines.add(new Call("r", A, 20, 21, Kind.ASSIGN, SMALL, null, 500, "/problems/x", 0, null));
        assertThat(verdict()).singleElement().asString().startsWith("an answer that nobody expects");
    }
}
