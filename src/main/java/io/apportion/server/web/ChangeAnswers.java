package io.apportion.server.web;

import io.apportion.ap.Effect;
import io.apportion.ap.Policy;
import io.apportion.server.matrix.CommitRecord;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MdevState;
import io.apportion.server.matrix.NotDone;
import io.apportion.server.matrix.Written;
import java.net.URI;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.stereotype.Component;

/**
 * Answers to changes: the resource as it is afterwards, or would be after a dry run, with what the guests gained and lost;
 * for callers that wait, with what became of it on the host.
 */
@Component
final class ChangeAnswers {

    private final MatrixService matrix;
    private final MatrixQueries queries;

    ChangeAnswers(MatrixService matrix, MatrixQueries queries) {
        this.matrix = matrix;
        this.queries = queries;
    }

    /** Of an mdev that is there afterwards. */
    ResponseEntity<MdevView> mdev(Written written, Conditions conditions, boolean dryRun) {
        HostState host = written.after();
        MdevState mdev = Objects.requireNonNull(host.mdevs().get(written.mdev()));
        MdevState.CommitOfMdev newest = mdev.commit();
        Long commit =
                written.commit() != null ? (Long) written.commit().id() : newest == null ? null : (Long) newest.id();
        CommitRecord awaited = await(host, commit, conditions, dryRun);
        MdevView view;
        if (awaited == null) {
            view = MdevView.of(host, mdev, CommitStateView.of(newest), effects(written));
        } else {
            CommitStateView state =
                    CommitStateView.of(awaited, "mdev", mdev.uuid().toString());
            HostState now = unlessChangedSince(mdev);
            view = now == null
                    ? MdevView.of(host, mdev, state, effects(written))
                    : MdevView.of(now, Objects.requireNonNull(now.mdevs().get(mdev.uuid())), state, effects(written));
        }
        return answer(written, "/api/v1/mdevs/" + mdev.uuid(), mdev.tag(), conditions, dryRun)
                .body(view);
    }

    /** The host by now, which then also shows what was observed; null if somebody else has changed the mdev meanwhile. */
    private @Nullable HostState unlessChangedSince(MdevState mdev) {
        try {
            HostState now = queries.hostOf(mdev.uuid());
            MdevState mdevNow = now.mdevs().get(mdev.uuid());
            return mdevNow != null && mdevNow.tag().equals(mdev.tag()) ? now : null;
        } catch (NotDone.NotFound deleted) {
            return null;
        }
    }

    /** Of an mdev that was deleted, perhaps under a guest that has not let go yet. */
    ResponseEntity<MdevDeletedView> deleted(UUID mdev, Written written, Conditions conditions, boolean dryRun) {
        HostState host = written.after();
        Long commit = written.commit() == null ? null : (Long) written.commit().id();
        CommitRecord awaited = await(host, commit, conditions, dryRun);
        return answer(written, "", null, conditions, dryRun)
                .body(new MdevDeletedView(
                        mdev,
                        host.name(),
                        host.mdevs().containsKey(mdev) ? "removing" : "removed",
                        host.policy() == Policy.PAUSED,
                        awaited == null
                                ? CommitStateView.pending(written.commit())
                                : CommitStateView.of(awaited, "mdev", mdev.toString()),
                        effects(written).stream().map(EffectView::of).toList()));
    }

    /**
     * Of a host, or of a part of it.
     *
     * @param view of what the commit came to and of the effects
     */
    <V> ResponseEntity<V> host(
            Written written,
            Conditions conditions,
            boolean dryRun,
            BiFunction<@Nullable CommitStateView, List<EffectView>, V> view) {
        HostState host = written.after();
        Long commit = written.commit() == null ? null : (Long) written.commit().id();
        CommitRecord awaited = await(host, commit, conditions, dryRun);
        CommitStateView state =
                awaited == null ? CommitStateView.pending(written.commit()) : CommitStateView.of(awaited);
        return answer(written, "/api/v1/hosts/" + host.name(), host.tag(), conditions, dryRun)
                .body(view.apply(
                        state, effects(written).stream().map(EffectView::of).toList()));
    }

    /** @return null if there is nothing to wait for, or nobody waits */
    private @Nullable CommitRecord await(HostState host, @Nullable Long commit, Conditions conditions, boolean dryRun) {
        if (dryRun || commit == null || conditions.patience().isZero() || host.policy() == Policy.PAUSED) {
            return null;
        }
        try {
            return matrix.await(commit, conditions.patience());
        } catch (NotDone.NotFound goneWithItsHost) {
            // The change was stored even so.
            return null;
        }
    }

    private static List<Effect> effects(Written written) {
        return written.plan() == null ? List.of() : written.plan().effects();
    }

    /** @param tag null: there is nothing any more that could have one. A dry run has none, and has created nothing */
    private static ResponseEntity.BodyBuilder answer(
            Written written, String location, @Nullable String tag, Conditions conditions, boolean dryRun) {
        ResponseEntity.BodyBuilder answer =
                written.created() && !dryRun ? ResponseEntity.created(URI.create(location)) : ResponseEntity.ok();
        if (tag != null && !dryRun) {
            answer.eTag(tag);
        }
        if (!conditions.patience().isZero() && !dryRun) {
            answer.header("Preference-Applied", "wait=" + conditions.patience().toSeconds());
        }
        return answer;
    }
}
