package io.apportion.server.web;

import io.apportion.server.web.ProblemView.BadNumber;
import io.apportion.server.web.ProblemView.Conflict;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** A problem in the making: its kind, and what there is to say of this case. */
final class Problem {

    static final String MEDIA_TYPE = "application/problem+json";

    private final ProblemKind kind;
    private final String detail;
    private String remedy;
    private @Nullable List<Conflict> conflicts;
    private @Nullable List<BadNumber> numbers;
    private @Nullable List<EffectView> losses;
    private @Nullable List<UUID> mdevs;
    private @Nullable Long oldest;
    private @Nullable Duration retryAfter;

    /** @param detail a sentence or two on this case, for people */
    Problem(ProblemKind kind, String detail) {
        this.kind = kind;
        this.detail = detail;
        this.remedy = kind.remedy();
    }

    ProblemKind kind() {
        return kind;
    }

    String detail() {
        return detail;
    }

    /** Instead of the kind's own words. */
    Problem remedy(String words) {
        this.remedy = words;
        return this;
    }

    Problem conflicts(List<Conflict> all) {
        this.conflicts = all;
        return this;
    }

    Problem numbers(List<BadNumber> all) {
        this.numbers = all;
        return this;
    }

    Problem losses(List<EffectView> all) {
        this.losses = all;
        return this;
    }

    Problem mdevs(List<UUID> all) {
        this.mdevs = all;
        return this;
    }

    Problem oldest(long position) {
        this.oldest = position;
        return this;
    }

    /** Said in the header Retry-After. */
    Problem retryAfter(Duration pause) {
        this.retryAfter = pause;
        return this;
    }

    @Nullable
    Duration retryAfter() {
        return retryAfter;
    }

    /** @param instance the request's path */
    ProblemView view(String instance, String requestId) {
        return new ProblemView(
                kind.type(),
                kind.title(),
                kind.status(),
                detail,
                instance,
                kind.errno(),
                requestId,
                conflicts,
                numbers,
                losses,
                mdevs,
                oldest,
                remedy);
    }
}
