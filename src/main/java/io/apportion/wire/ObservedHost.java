package io.apportion.wire;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Reservation;
import java.util.List;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What an agent read from its host, whole. A null part could not be read: it is unknown and changes nothing. Absence is
 * read, never inferred: an empty list says that there is none.
 *
 * @param features words of the vfio_ap driver and of the agent's own abilities
 * @param maxAdapter highest adapter number of the machine
 * @param maxDomain highest domain number of the machine
 * @param masks what the host keeps for its own drivers
 * @param keep what the host's administrator never lets Apportion free, bind or assign
 * @param definitions what mdevctl would make of mdevs, at most {@value #MOST_DEFINITIONS}; null also from an agent that
 *     does not look
 * @param applied the newest desired state applied since the agent started, null before the first
 */
public record ObservedHost(
        String kernelRelease,
        Features features,
        int maxAdapter,
        int maxDomain,
        @Nullable Matrix hostConfiguration,
        @Nullable Reservation masks,
        Keep keep,
        @Nullable List<ObservedAdapter> adapters,
        @Nullable List<ObservedMdev> mdevs,
        @Nullable List<ObservedDefinition> definitions,
        @Nullable Applied applied) {

    /** A host with more of them says that it does not know them. */
    public static final int MOST_DEFINITIONS = 512;

    public ObservedHost {
        kernelRelease = Texts.words(kernelRelease, 256);
        if (definitions != null && definitions.size() > MOST_DEFINITIONS) {
            throw new IllegalArgumentException("expected at most " + MOST_DEFINITIONS + " definitions");
        }
    }

    /**
     * @param guestMatrix the mdevs have {@code guest_matrix}: the kernel plugs and unplugs under a running guest
     * @param apConfig the mdevs have {@code ap_config}: three masks in one write, all or nothing
     * @param guests the agent sees who holds an mdev open
     */
    public record Features(boolean guestMatrix, boolean apConfig, boolean guests) {}

    public record Keep(ApMask adapters, ApMask domains) {
        public static final Keep NOTHING = new Keep(ApMask.NONE, ApMask.NONE);
    }

    /**
     * One card with its queues as masks of domains.
     *
     * @param adapter 0..255
     * @param type for example {@code CEX8P}; null where the card does not tell
     * @param mode for example {@code EP11-Coproc}
     * @param online the host's own switch
     * @param configured false: deconfigured, its queues stay where they are and are useless
     * @param checkstopped broken
     * @param devices domains with a queue device
     * @param bound those bound to vfio_ap
     * @param defaultDriver those bound to one of the host's own drivers
     * @param overridden those with a driver_override
     * @param impaired those whose own state is deconfigured or check-stopped, or whose last reset failed for good
     */
    public record ObservedAdapter(
            int adapter,
            @Nullable String type,
            @Nullable String mode,
            @Nullable String serial,
            boolean online,
            boolean configured,
            boolean checkstopped,
            ApMask devices,
            ApMask bound,
            ApMask defaultDriver,
            ApMask overridden,
            ApMask impaired) {

        public ObservedAdapter {
            if (adapter < 0 || adapter >= ApMask.BITS) {
                throw new IllegalArgumentException("expected an adapter 0..255: " + adapter);
            }
            type = Texts.wordsOrNull(type, 64);
            mode = Texts.wordsOrNull(mode, 64);
            serial = Texts.wordsOrNull(serial, 64);
        }
    }

    /**
     * @param own made or adopted by Apportion
     * @param assigned the kernel's {@code matrix} and {@code control_domains}
     * @param guestMatrix the kernel's {@code guest_matrix}; its control domains are nowhere to be read and always empty
     * @param guest who holds it open; null is unknown (also on hosts without the feature {@code guests})
     */
    public record ObservedMdev(
            UUID uuid,
            boolean own,
            @Nullable Matrix assigned,
            @Nullable Matrix guestMatrix,
            @Nullable ObservedGuest guest) {}

    /**
     * @param identity boot, process and start time of the holder, in one word; null: nobody holds it
     * @param name the guest's name where the holder tells it
     * @param uuid the guest's own, as libvirt knows it, where the holder tells it; not the mdev's
     */
    public record ObservedGuest(
            @Nullable String identity,
            @Nullable String name,
            @Nullable UUID uuid) {
        public static final ObservedGuest NONE = new ObservedGuest(null, null, null);

        public ObservedGuest {
            Texts.nameOrNull(identity, 256);
            name = Texts.wordsOrNull(name, 256);
        }
    }

    /**
     * What mdevctl has written down of one mdev. It is no mdev yet: on the host there may be one of that UUID, with
     * whatever matrix, or none.
     *
     * @param name of the file. For mdevctl it is the mdev's UUID; a file of another name it passes over
     * @param auto mdevctl makes this mdev at each boot of the host
     * @param assigned the matrix that mdevctl would give it; null: the definition is not understood
     * @param words why it is not understood
     */
    public record ObservedDefinition(
            String name,
            boolean auto,
            @Nullable Matrix assigned,
            @Nullable String words) {

        private static final Pattern UUID_TEXT = Pattern.compile("\\p{XDigit}{8}(-\\p{XDigit}{4}){3}-\\p{XDigit}{12}");

        public ObservedDefinition {
            name = Texts.words(name, 256);
            words = Texts.wordsOrNull(words, 512);
        }

        /** The mdev that is meant; null where the name says none. */
        public @Nullable UUID uuid() {
            return UUID_TEXT.matcher(name).matches() ? UUID.fromString(name) : null;
        }
    }

    /**
     * @param results one for each object of that generation that was made so or refused; an object without a result was
     *     left alone because its guest is not the one it was computed for
     */
    public record Applied(UUID incarnation, long generation, List<ObjectResult> results) {}

    /**
     * @param kind {@code mdev}, {@code reservation} or {@code driver}
     * @param id the UUID, nothing for the reservation, or the queue
     * @param errno null: done. Otherwise the kernel's word, for example {@code EADDRINUSE}
     * @param words what happened, for people; may stand beside a success (a fallback that was taken)
     */
    public record ObjectResult(
            String kind,
            String id,
            @Nullable String errno,
            @Nullable String words) {

        public ObjectResult {
            Texts.name(kind, 16);
            Texts.name(id, 36);
            Texts.nameOrNull(errno, 32);
            words = Texts.wordsOrNull(words, 4096);
        }
    }
}
