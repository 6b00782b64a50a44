package io.apportion.server.web;

import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.MatrixService.Mode;
import io.apportion.server.matrix.Preconditions;
import java.time.Duration;

/**
 * What a changing request says beside its body and its query.
 *
 * @param patience how long the caller waits for the host to apply the change; zero: does not wait
 */
record Conditions(Caller caller, Preconditions preconditions, Duration patience) {

    /** @throws io.apportion.server.matrix.NotDone.Forbidden if the caller may not force */
    Mode mode(boolean force, boolean dryRun) {
        return new Mode(preconditions, force, dryRun, caller);
    }

    Mode mode(boolean dryRun) {
        return mode(false, dryRun);
    }
}
