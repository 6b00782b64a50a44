package io.apportion.agent;

import io.apportion.agent.AgentMemory.Made;
import io.apportion.agent.AgentMemory.Remembered;
import io.apportion.agent.SupposedKernel.Write;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Notation;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.ObservedHost.ObjectResult;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedDefinition;
import io.apportion.wire.ObservedHost.ObservedGuest;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.StringJoiner;
import java.util.UUID;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What an agent that started now would see and do.
 *
 * @param observed the host as it is
 * @param desired what the host would be made, and who says so; null: nobody has said anything yet
 * @param writes in their order, supposed that the kernel refuses none; see {@link SupposedKernel}
 * @param results of the objects of the desired state, supposed the same
 * @param leftAlone mdevs held by another guest than the one that the desired state was computed for
 */
record DryRun(
        ObservedHost observed,
        @Nullable Desired desired,
        List<Write> writes,
        List<ObjectResult> results,
        List<UUID> leftAlone) {

    /** @param from {@code server}, or {@code memory}: what it said before */
    record Desired(String from, UUID incarnation, long generation, boolean paused) {}

    /**
     * Changes nothing, neither on the host nor in what is remembered.
     *
     * @param kernel is only read
     * @param said by the server just now; null where it was not reached
     */
    static DryRun of(HostKernel kernel, Remembered remembered, Keep keep, @Nullable DesiredHost said) {
        SupposedKernel supposed = new SupposedKernel(kernel);
        AgentMemory memory = AgentMemory.ofThisProcess();
        memory.remember(remembered);
        Reconciler reconciler = new Reconciler(supposed, memory, keep);
        ObservedHost observed = reconciler.observe();
        reconciler.resume();
        if (reconciler.isUnfinished()) {
            reconciler.retry();
        }
        if (said != null) {
            reconciler.apply(said);
        }
        DesiredHost desired = memory.recall().desired();
        if (desired == null) {
            return new DryRun(observed, null, List.of(), List.of(), List.of());
        }
        Made made = memory.recall().made();
        if (made == null || !desired.equals(made.desired())) { // it is paused
            return new DryRun(observed, desired(desired, said), supposed.writes(), List.of(), List.of());
        }
        return new DryRun(
                observed,
                desired(desired, said),
                supposed.writes(),
                made.results(),
                leftAlone(desired, made.results()));
    }

    private static Desired desired(DesiredHost desired, @Nullable DesiredHost said) {
        return new Desired(
                desired.equals(said) ? "server" : "memory",
                desired.incarnation(),
                desired.generation(),
                desired.paused());
    }

    private static List<UUID> leftAlone(DesiredHost desired, List<ObjectResult> results) {
        Set<ObjectKey> judged = results.stream().map(ObjectKey::of).collect(Collectors.toSet());
        return desired.mdevs().stream()
                .map(DesiredHost.DesiredMdev::uuid)
                .filter(uuid -> !judged.contains(ObjectKey.mdev(uuid)))
                .toList();
    }

    // For people.

    /** @param host its name at the server */
    List<String> lines(String host) {
        List<String> lines = new ArrayList<>();
        lines.add("Host " + host + ", kernel " + observed.kernelRelease());
        lines.add("  highest adapter " + Notation.adapter(observed.maxAdapter()) + ", highest domain "
                + Notation.domain(observed.maxDomain()));
        ObservedHost.Features features = observed.features();
        lines.add("  vfio_ap has " + word("guest_matrix", features.guestMatrix()) + " and "
                + word("ap_config", features.apConfig()) + "; who holds an mdev can"
                + (features.guests() ? "" : "not") + " be seen");
        lines.add("  host configuration: "
                + (observed.hostConfiguration() == null ? "unknown" : text(observed.hostConfiguration())));
        lines.add("  reserved: "
                + (observed.masks() == null
                        ? "unknown"
                        : "apmask " + observed.masks().apmask() + ", aqmask "
                                + observed.masks().aqmask()));
        lines.add("  kept: " + adapters(observed.keep().adapters()) + "; "
                + domains("domains", observed.keep().domains()));
        adapterLines().forEach(lines::add);
        mdevLines().forEach(lines::add);
        definitionLines().forEach(lines::add);
        lines.add("");
        desiredLines().forEach(lines::add);
        return lines;
    }

    private static String word(String word, boolean there) {
        return (there ? "" : "no ") + word;
    }

    private Stream<String> adapterLines() {
        if (observed.adapters() == null) {
            return Stream.of("Adapters: unknown");
        }
        return Stream.concat(
                Stream.of(observed.adapters().isEmpty() ? "Adapters: none" : "Adapters"),
                observed.adapters().stream()
                        .flatMap(card -> Stream.of(
                                "  " + Notation.adapter(card.adapter()) + " "
                                        + Objects.requireNonNullElse(card.type(), "?") + " "
                                        + Objects.requireNonNullElse(card.mode(), "?") + state(card),
                                "    vfio_ap: " + domains("domains", card.bound()) + "; the host's driver: "
                                        + domains("domains", card.defaultDriver()))));
    }

    private static String state(ObservedAdapter card) {
        return (card.online() ? "" : ", offline")
                + (card.configured() ? "" : ", deconfigured")
                + (card.checkstopped() ? ", check-stopped" : "");
    }

    private Stream<String> mdevLines() {
        if (observed.mdevs() == null) {
            return Stream.of("Mdevs: unknown");
        }
        return Stream.concat(
                Stream.of(observed.mdevs().isEmpty() ? "Mdevs: none" : "Mdevs"),
                observed.mdevs().stream()
                        .flatMap(mdev -> Stream.of(
                                "  " + mdev.uuid() + (mdev.own() ? " own" : " foreign") + guest(mdev),
                                "    assigned: " + (mdev.assigned() == null ? "unknown" : text(mdev.assigned())),
                                "    guest matrix: "
                                        + (mdev.guestMatrix() == null ? "unknown" : text(mdev.guestMatrix())))));
    }

    private Stream<String> definitionLines() {
        List<ObservedDefinition> definitions = observed.definitions();
        if (definitions == null) {
            return Stream.of("Definitions of mdevctl: unknown");
        }
        return Stream.concat(
                Stream.of(definitions.isEmpty() ? "Definitions of mdevctl: none" : "Definitions of mdevctl"),
                definitions.stream()
                        .map(definition -> "  " + definition.name()
                                + (definition.auto() ? ", starts at boot: " : ": ")
                                + (definition.assigned() == null
                                        ? "not understood: " + definition.words()
                                        : text(definition.assigned()))));
    }

    private static String guest(ObservedMdev mdev) {
        ObservedGuest guest = mdev.guest();
        if (guest == null) {
            return ", perhaps held by a guest";
        }
        if (guest.identity() == null) {
            return ", held by nobody";
        }
        return ", held by " + (guest.name() == null ? "" : guest.name() + " ") + "(" + guest.identity() + ")";
    }

    private Stream<String> desiredLines() {
        if (desired == null) {
            return Stream.of("No desired state is known: nothing would be written.");
        }
        String which = "Generation %d (incarnation %s), %s"
                .formatted(
                        desired.generation(),
                        desired.incarnation(),
                        desired.from().equals("server") ? "as the server has it now" : "as remembered");
        if (desired.paused()) {
            return Stream.of(which + ": paused, nothing would be written.");
        }
        List<String> lines = new ArrayList<>();
        lines.add(which);
        results.stream()
                .filter(result -> result.errno() != null || result.words() != null)
                .map(result -> "  %s: %s%s"
                        .formatted(
                                (result.kind() + " " + result.id()).strip(),
                                result.errno() == null ? "" : "not done, " + result.errno() + ": ",
                                Objects.requireNonNullElse(result.words(), "")))
                .forEach(lines::add);
        leftAlone.forEach(uuid -> lines.add("  mdev " + uuid
                + ": left alone, since it is held by another guest than the one this was computed for"));
        if (writes.isEmpty()) {
            lines.add("Nothing would be written.");
        } else {
            lines.add("Would write, in this order, as long as the kernel refuses nothing:");
            for (int i = 0; i < writes.size(); i++) {
                lines.add("  " + (i + 1) + ". " + writes.get(i));
            }
        }
        return lines.stream();
    }

    private static String text(Matrix matrix) {
        return adapters(matrix.adapters()) + "; " + domains("domains", matrix.domains())
                + (matrix.controlDomains().isEmpty() ? "" : "; " + domains("control domains", matrix.controlDomains()));
    }

    private static String adapters(ApMask mask) {
        return "adapters " + ranges(mask, Notation::adapter);
    }

    private static String domains(String what, ApMask mask) {
        return what + " " + ranges(mask, Notation::domain);
    }

    private static String ranges(ApMask mask, IntFunction<String> number) {
        StringJoiner ranges = new StringJoiner(" ").setEmptyValue("none");
        int first = mask.next(0);
        while (first >= 0) {
            int clear = mask.complement().next(first);
            int last = clear < 0 ? ApMask.BITS - 1 : clear - 1;
            ranges.add(number.apply(first) + (last > first ? "-" + number.apply(last) : ""));
            first = mask.next(last + 1);
        }
        return ranges.toString();
    }
}
