package io.apportion.server.web;

import io.apportion.ap.Effect;
import java.util.UUID;

/**
 * What one attached guest gains and loses.
 *
 * @param cause for example {@code unbind}
 */
record EffectView(UUID mdev, String guest, MatrixView plugged, MatrixView unplugged, String cause) {

    static EffectView of(Effect effect) {
        return new EffectView(
                effect.mdev(),
                effect.guest(),
                MatrixView.of(effect.plugged()),
                MatrixView.of(effect.unplugged()),
                effect.cause().toString());
    }
}
