package io.apportion.simulator;

import io.apportion.ap.Matrix;
import java.util.UUID;

/**
 * The kernel changed what one guest has (its word for that is commit).
 *
 * @param guest the guest's name
 * @param before what the guest had until then
 * @param after what it has now
 * @param released the guest itself let go of the mdev; otherwise it is still running, and a queue missing in {@code
 *     after} was taken from it
 */
public record GuestCommit(UUID mdev, String guest, Matrix before, Matrix after, boolean released) {}
