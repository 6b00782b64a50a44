package io.apportion.torture;

import io.apportion.ap.Matrix;
import io.apportion.torture.Record.End;
import io.apportion.torture.Record.Event;
import io.apportion.torture.Record.Held;
import io.apportion.torture.Record.HostEnd;
import io.apportion.torture.Record.Sample;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;

/** Judges a record, and knows nothing else. */
final class Verdict {

    private final List<String> wrong = new ArrayList<>();
    private final List<Call> calls;
    private final List<Event> listed;
    private final List<Event> streamed;
    private final List<Sample> samples;
    private final List<End> ends;
    private final List<HostEnd> hosts;

    private Verdict(Path record) throws IOException {
        calls = Record.read(record, Call.class);
        List<Event> events = Record.read(record, Event.class);
        listed = events.stream()
                .filter(event -> !event.streamed())
                .sorted(Comparator.comparingLong(Event::id))
                .toList();
        streamed = events.stream().filter(Event::streamed).toList();
        samples = Record.read(record, Sample.class);
        ends = Record.read(record, End.class);
        hosts = Record.read(record, HostEnd.class);
    }

    /** What is wrong, in words; empty: nothing. */
    static List<String> of(Path record) throws IOException {
        Verdict verdict = new Verdict(record);
        verdict.judgeAnswers();
        verdict.judgeOrder();
        verdict.judgeEvents();
        verdict.judgeSamples();
        verdict.judgeEnd();
        return verdict.wrong;
    }

    private void judgeAnswers() {
        calls.stream()
                .filter(call -> call.status() == 500 || call.status() == 400 || call.status() == 401)
                .forEach(call -> wrong.add("an answer that nobody expects: " + call));
    }

    private void judgeOrder() {
        calls.stream().collect(Collectors.groupingBy(Call::mdev)).forEach((mdev, all) -> {
            String contradiction = SingleCopy.contradiction(all);
            if (contradiction != null) {
                wrong.add("mdev " + mdev + ": no single copy could have answered so; " + contradiction);
            }
        });
    }

    /** One after the other they make what is there at the end, and never give a queue to two. */
    private void judgeEvents() {
        if (!streamed.stream()
                .map(Event::id)
                .toList()
                .equals(listed.stream().map(Event::id).toList())) {
            wrong.add("the stream of events told " + difference());
        }
        Map<UUID, Matrix> present = new HashMap<>();
        Map<UUID, Long> versions = new HashMap<>();
        Map<UUID, String> hostOf = new HashMap<>();
        for (Event event : listed) {
            UUID mdev = event.mdev();
            if (mdev == null || !event.type().startsWith("mdev.")) {
                continue;
            }
            switch (event.type()) {
                case "mdev.created" -> {
                    if (present.containsKey(mdev)) {
                        wrong.add("made twice: " + event);
                    }
                    present.put(mdev, Objects.requireNonNull(event.after()));
                    versions.put(mdev, 1L);
                    hostOf.put(mdev, event.host());
                }
                case "mdev.assigned", "mdev.unassigned" -> {
                    if (!Objects.equals(present.get(mdev), event.before())) {
                        wrong.add("it had " + present.get(mdev) + " before " + event);
                    }
                    present.put(mdev, Objects.requireNonNull(event.after()));
                    versions.merge(mdev, 1L, Long::sum);
                }
                case "mdev.deleted" -> {
                    present.remove(mdev);
                    versions.remove(mdev);
                }
                default -> {}
            }
            judgeTogether(
                    "event " + event.id(),
                    present.entrySet().stream()
                            .filter(entry -> event.host().equals(hostOf.get(entry.getKey())))
                            .map(entry -> new Held(entry.getKey(), entry.getValue()))
                            .toList());
        }
        Map<UUID, Matrix> there = ends.stream().collect(Collectors.toMap(End::mdev, End::assigned));
        if (!there.equals(present)) {
            wrong.add("the events make " + present + ", and there is " + there);
        }
        for (End end : ends) {
            if (!Objects.equals(versions.get(end.mdev()), end.version())) {
                wrong.add("mdev " + end.mdev() + " has version " + end.version() + " after " + versions.get(end.mdev())
                        + " changes");
            }
        }
    }

    private String difference() {
        Set<Long> told = streamed.stream().map(Event::id).collect(Collectors.toSet());
        Set<Long> all = listed.stream().map(Event::id).collect(Collectors.toSet());
        return streamed.size() + " events of " + listed.size() + "; missed "
                + all.stream().filter(id -> !told.contains(id)).toList() + "; more than there are "
                + told.stream().filter(id -> !all.contains(id)).toList();
    }

    private void judgeSamples() {
        samples.forEach(sample -> judgeTogether(sample.where() + " of host " + sample.host(), sample.mdevs()));
    }

    private void judgeTogether(String where, List<Held> mdevs) {
        for (int i = 0; i < mdevs.size(); i++) {
            for (int j = 0; j < i; j++) {
                if (mdevs.get(i).assigned().sharesQueueWith(mdevs.get(j).assigned())) {
                    wrong.add("a queue in two mdevs: " + where + ": " + mdevs.get(j) + " and " + mdevs.get(i));
                }
            }
        }
    }

    private void judgeEnd() {
        for (HostEnd host : hosts) {
            if (host.applied() != host.generation() || host.pending() != 0) {
                wrong.add("not at its end: " + host);
            }
        }
        for (End end : ends) {
            Matrix inKernel = end.inKernel();
            // By their queues: adapters without a domain are none to the rules, and some to the kernel.
            if (inKernel == null || !inKernel.queues().equals(end.guestMatrix().queues())) {
                wrong.add("the kernel has another guest matrix: " + end);
            }
        }
    }
}
