package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.Refusal;
import io.apportion.server.web.ProblemView.BadNumber;
import io.apportion.server.web.ProblemView.Conflict;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the rules refuse, in the words of the catalogue. */
final class RefusalProblems {

    /** Of many conflicts the detail names so many; the conflicts themselves are all there. */
    private static final int NAMED = 5;

    private RefusalProblems() {}

    static Problem of(String host, Refusal refusal) {
        return switch (refusal) {
            case Refusal.NumberOutOfRange outOfRange -> outOfRange(host, outOfRange);
            case Refusal.Conflicts conflicts -> conflicts(host, conflicts);
            case Refusal.GuestAttached attached -> guestAttached(attached);
            case Refusal.CannotHotPlug attached ->
                new Problem(
                                ProblemKind.HOST_CANNOT_HOT_PLUG,
                                "Guest " + attached.guest() + " is attached to mdev " + attached.mdev() + " and host "
                                        + host + " cannot change an mdev in use.")
                        .mdevs(List.of(attached.mdev()));
            case Refusal.GuestHasMdev has ->
                new Problem(
                                ProblemKind.GUEST_HAS_MDEV,
                                "Guest " + has.guest() + " of host " + host + " already has mdev " + has.mdev() + ".")
                        .mdevs(List.of(has.mdev()));
            case Refusal.GuestObserved observed ->
                new Problem(
                        ProblemKind.GUEST_OBSERVED,
                        "Which guest has mdev " + observed.mdev() + " is what host " + host + " reports.");
            case Refusal.MdevRemoving removing ->
                new Problem(
                        ProblemKind.MDEV_REMOVING,
                        "Mdev " + removing.mdev() + " is being removed from host " + host + ".");
            case Refusal.MdevIsForeign foreign ->
                new Problem(
                                ProblemKind.MDEV_ELSEWHERE,
                                "Host " + host + " has mdev " + foreign.mdev() + ", which Apportion did not make.")
                        .remedy("Adopt it: POST /api/v1/hosts/" + host + "/foreign-mdevs/" + foreign.mdev() + "/adopt");
            case Refusal.NoForeignMdev none ->
                new Problem(ProblemKind.NOT_FOUND, "Host " + host + " has no foreign mdev " + none.mdev() + ".");
            case Refusal.DriverNotChangeable not ->
                new Problem(
                                ProblemKind.DRIVER_NOT_CHANGEABLE,
                                not.queues().isEmpty() ? not.reason() : not.reason() + " Queues: " + some(not.queues()))
                        .remedy(not.remedy());
        };
    }

    private static Problem outOfRange(String host, Refusal.NumberOutOfRange refusal) {
        List<BadNumber> numbers = new ArrayList<>();
        Matrix tooHigh = refusal.matrix();
        AdapterNumber maxAdapter = new AdapterNumber(refusal.maxAdapter());
        DomainNumber maxDomain = new DomainNumber(refusal.maxDomain());
        add(numbers, "adapters", tooHigh.adapters(), AdapterNumber::new, maxAdapter);
        add(numbers, "domains", tooHigh.domains(), DomainNumber::new, maxDomain);
        add(numbers, "controlDomains", tooHigh.controlDomains(), DomainNumber::new, maxDomain);
        return new Problem(
                        ProblemKind.NUMBER_OUT_OF_RANGE,
                        "The highest adapter of host " + host + " is " + maxAdapter + ", its highest domain "
                                + maxDomain
                                + ". Above: "
                                + some(numbers.stream().map(BadNumber::value).toList()))
                .numbers(numbers);
    }

    private static void add(List<BadNumber> numbers, String at, ApMask mask, IntFunction<Object> form, Object highest) {
        mask.forEach(number -> {
            String text = form.apply(number).toString();
            numbers.add(new BadNumber(
                    at,
                    text,
                    ProblemKind.NUMBER_OUT_OF_RANGE.type(),
                    text + " is above the host's highest, " + highest));
        });
    }

    private static Problem conflicts(String host, Refusal.Conflicts refusal) {
        ProblemKind kind = refusal.anyReserved() ? ProblemKind.QUEUE_RESERVED : ProblemKind.QUEUE_IN_USE;
        Problem problem = new Problem(
                        kind,
                        "On host " + host + ": "
                                + some(refusal.conflicts().stream()
                                        .map(RefusalProblems::words)
                                        .toList()))
                .conflicts(refusal.conflicts().stream()
                        .map(conflict -> view(host, conflict))
                        .toList());
        if (refusal.conflicts().stream().anyMatch(conflict -> conflict.holder() == Refusal.Holder.KEEP)) {
            problem.remedy("Choose other adapters or domains. Those that the host's administrator keeps are free only"
                    + " when they are taken from the keep list in the file of the host's agent.");
        }
        return problem;
    }

    private static String words(Refusal.Conflict conflict) {
        return conflict.queue()
                + switch (conflict.holder()) {
                    case MDEV -> " is in use by mdev " + conflict.mdev();
                    case FOREIGN_MDEV -> " is in use by the foreign mdev " + conflict.mdev();
                    case MASKS -> " is reserved by the host's masks";
                    case DRIVER -> " is reserved by its driver";
                    case KEEP -> " is kept by the host's administrator";
                };
    }

    private static Conflict view(String host, Refusal.Conflict conflict) {
        return new Conflict(
                conflict.queue().toString(),
                conflict.mdev(),
                conflict.holder() == Refusal.Holder.FOREIGN_MDEV ? true : null,
                switch (conflict.holder()) {
                    case MDEV, FOREIGN_MDEV -> null;
                    case MASKS -> "masks";
                    case DRIVER -> "driver";
                    case KEEP -> "administrator";
                },
                host);
    }

    private static Problem guestAttached(Refusal.GuestAttached refusal) {
        String lost = refusal.effects().stream()
                .map(effect -> "guest " + effect.guest() + " would lose "
                        + some(effect.queuesLost().queues().map(Queue::toString).toList()))
                .collect(Collectors.joining("; "));
        Problem problem = new Problem(
                        ProblemKind.GUEST_ATTACHED,
                        "Guest " + refusal.guest() + " is attached to mdev " + refusal.mdev()
                                + (lost.isEmpty() ? "." : ": " + lost))
                .losses(refusal.effects().stream().map(EffectView::of).toList())
                .mdevs(Stream.concat(
                                Stream.of(refusal.mdev()),
                                refusal.effects().stream().map(effect -> effect.mdev()))
                        .distinct()
                        .toList());
        if (!refusal.canBeForced()) {
            problem.remedy("Shut the guest down or release it first.");
        }
        return problem;
    }

    /** @return a list in words that ends with a full stop */
    private static String some(List<?> all) {
        String named = all.stream().limit(NAMED).map(Object::toString).collect(Collectors.joining(", "));
        return all.size() <= NAMED ? named + "." : named + " and " + (all.size() - NAMED) + " more.";
    }
}
