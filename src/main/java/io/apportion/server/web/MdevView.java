package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.Effect;
import io.apportion.ap.HostMatrix;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Policy;
import io.apportion.ap.Queue;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MdevState;
import io.swagger.v3.oas.annotations.media.Schema;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One mdev: what users assigned, what its guest gets by the rules, and what the host shows; never mixed.
 *
 * @param observed null: never seen on the host, or not there by the newest report
 * @param atNextStart only where a running guest would get another matrix than it has
 * @param commit the newest that touches this mdev; null: none
 * @param effects only in the answer to a change
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record MdevView(
        UUID uuid,
        @Schema(example = "lpar1") String host,
        @Schema(example = "{\"tenant\": \"bank\"}") Map<String, String> labels,
        long version,

        @Schema(
                allowableValues = {"active", "removing"},
                description = "removing: deleted by force under a guest; gone when the guest has let go")
        String state,

        @Schema(description = "The host's policy is paused: nothing is pushed to it")
        boolean paused,

        MatrixView assigned,

        @Schema(description = "What the guest has by the rules, or, while none is attached, the preview")
        RectangleView guestMatrix,

        @Nullable ObservedView observed,

        @Schema(description = "Everything assigned that is not in the guest matrix, and why")
        List<FilteredView> filtered,

        GuestView guest,

        @Schema(description = "No guest is attached: the guest matrix is what one that starts now would get")
        boolean preview,

        @Schema(description = "Queues of the guest matrix that are there and useless", example = "[]")
        List<Queue> impaired,

        @Nullable RectangleView atNextStart,
        @Nullable CommitStateView commit,

        @Schema(description = "Applied, and the host shows something else")
        boolean drifted,

        @Schema(description = "Of mdevctl, which then looks after this mdev too; missing where it has none") @Nullable
        DefinitionView definition,

        @Nullable List<EffectView> effects) {

    static MdevView of(HostState host, MdevState state) {
        return of(host, state, CommitStateView.of(state.commit()), null);
    }

    static MdevView of(
            HostState host, MdevState state, @Nullable CommitStateView commit, @Nullable List<Effect> effects) {
        Mdev mdev = state.mdev();
        HostMatrix matrix = host.matrix();
        return new MdevView(
                mdev.uuid(),
                state.host(),
                state.labels(),
                state.version(),
                mdev.removing() ? "removing" : "active",
                host.policy() == Policy.PAUSED,
                MatrixView.of(mdev.assigned()),
                RectangleView.of(mdev.guestMatrix()),
                ObservedView.of(state.observed()),
                FilteredView.of(matrix.explain(mdev)),
                GuestView.of(state),
                mdev.guest() == null,
                matrix.impaired(mdev).queues().toList(),
                atNextStart(matrix, mdev),
                commit,
                state.drifted(),
                DefinitionView.ofOwn(mdev.uuid(), host.definitions().byMdev().get(mdev.uuid()), mdev.assigned()),
                effects == null ? null : effects.stream().map(EffectView::of).toList());
    }

    static @Nullable RectangleView atNextStart(HostMatrix matrix, Mdev mdev) {
        Matrix next = mdev.guest() == null ? mdev.guestMatrix() : matrix.atNextStart(mdev);
        return next.equals(mdev.guestMatrix()) ? null : RectangleView.of(next);
    }

    /** A matrix with its queues. */
    record RectangleView(
            List<AdapterNumber> adapters,
            List<DomainNumber> domains,
            List<DomainNumber> controlDomains,
            @Schema(example = "[\"04.0004\", \"04.0047\"]") List<Queue> queues) {

        static RectangleView of(Matrix matrix) {
            return new RectangleView(
                    AdapterNumber.in(matrix.adapters()),
                    DomainNumber.in(matrix.domains()),
                    DomainNumber.in(matrix.controlDomains()),
                    matrix.queues().queues().toList());
        }
    }

    /**
     * What the guest has by the host's newest report.
     *
     * @param generation the newest that the agent had applied when it read this; null: none yet
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record ObservedView(
            @Nullable Long generation,
            Instant at,
            List<AdapterNumber> adapters,
            List<DomainNumber> domains,
            List<DomainNumber> controlDomains) {

        static @Nullable ObservedView of(MdevState.@Nullable Observed observed) {
            return observed == null
                    ? null
                    : new ObservedView(
                            observed.generation(),
                            observed.at(),
                            AdapterNumber.in(observed.guestMatrix().adapters()),
                            DomainNumber.in(observed.guestMatrix().domains()),
                            DomainNumber.in(observed.guestMatrix().controlDomains()));
        }
    }
}
