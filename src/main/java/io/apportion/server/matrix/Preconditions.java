package io.apportion.server.matrix;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * {@code If-Match} and {@code If-None-Match} of a change, checked under the matrix lock.
 *
 * @param ifMatch tags without quotes, of which one must be the present one; {@code *} is any; null: not asked
 * @param createOnly {@code If-None-Match: *}
 */
public record Preconditions(@Nullable Set<String> ifMatch, boolean createOnly) {

    public static final Preconditions NONE = new Preconditions(null, false);

    /** @param tag null: there is nothing yet */
    void check(String what, @Nullable String tag) {
        if (createOnly && tag != null) {
            throw new NotDone.Stale(what + " exists already, with the tag \"" + tag + "\".");
        }
        if (ifMatch != null && (tag == null || !(ifMatch.contains("*") || ifMatch.contains(tag)))) {
            throw new NotDone.Stale(
                    tag == null ? what + " does not exist." : what + " has the tag \"" + tag + "\" by now.");
        }
    }
}
