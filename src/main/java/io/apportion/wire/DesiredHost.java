package io.apportion.wire;

import io.apportion.ap.BindingMode;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.Reservation;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a host shall be: always the whole, never a difference. Numbered (incarnation, generation).
 *
 * <p>Within one incarnation an agent never applies a generation older than the last it was given; under a new
 * incarnation it reports first and then applies what it is given.
 *
 * <p>An object that equals the last one made so in this boot is not written again, whatever else a new generation changes:
 * what was changed on the host by hand since then stays until its repair is ordered. That is for the server to decide, by
 * the host's policy.
 *
 * @param incarnation made with the host's row, made anew after a restore of the database
 * @param paused policy {@code paused}: the agent writes nothing and reports only
 * @param reservation null: unmanaged, the masks stay as they are
 * @param reservationRepair counts the repairs of the masks that were ordered
 * @param drivers queues whose driver is managed; all others stay as they are
 * @param mdevs every mdev that Apportion has on this host. An own mdev of the host that is not listed is to be removed
 */
public record DesiredHost(
        String host,
        UUID incarnation,
        long generation,
        boolean paused,
        BindingMode bindingMode,
        @Nullable Reservation reservation,
        int reservationRepair,
        List<DesiredDriver> drivers,
        List<DesiredMdev> mdevs) {

    /**
     * Which driver a managed queue shall have.
     *
     * @param repair counts the repairs of this queue's driver that were ordered
     */
    public record DesiredDriver(Queue queue, QueueDriver driver, int repair) {}

    /**
     * @param claim what to write through {@code ap_config}: a kernel that filters makes {@code guestMatrix} of it
     * @param guestMatrix what the guest shall have; written instead where the kernel refuses the claim
     * @param attach the attach identity for which this was computed, null for none. Where the host shows another, the
     *     agent leaves this mdev alone
     * @param removing the desired matrix is empty and the mdev is removed once no guest has it
     * @param repair counts the repairs of drift that were asked for; a number the agent has not seen means: write
     *     again even if the masks are equal
     */
    public record DesiredMdev(
            UUID uuid,
            Matrix claim,
            Matrix guestMatrix,
            @Nullable String attach,
            boolean removing,
            int repair) {}
}
