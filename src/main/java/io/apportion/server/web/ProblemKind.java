package io.apportion.server.web;

import java.net.URI;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The catalogue of problems. Slugs and statuses are a promise to clients: they are added to, never changed. */
enum ProblemKind {
    MALFORMED_NUMBER(
            400,
            "A number cannot be read",
            "EINVAL",
            "Write adapters as 0x05, domains as 0x0047, queues as 05.0047, masks as 0x and 64 hex digits;"
                    + " plain decimal and JSON integers serve as well."),
    AMBIGUOUS_NUMBER(
            400,
            "A number can be read in more than one way",
            "EINVAL",
            "A decimal with a leading zero is octal to sysfs and hex to lszcrypt."
                    + " Write 0x before hex digits, or decimal without leading zeros."),
    MALFORMED_REQUEST(400, "The request cannot be read", "EINVAL", "Mend what the detail names. Nothing was changed."),
    NUMBER_OUT_OF_RANGE(
            422,
            "A number is above the host's highest",
            "ENODEV",
            "Use numbers that the machine has: the host's resource names its highest adapter and domain."),
    QUEUE_IN_USE(
            409,
            "A queue is in use by another mdev",
            "EADDRINUSE",
            "Choose other adapters or domains, or take the queues named from the mdevs that have them."),
    QUEUE_RESERVED(
            409,
            "A queue is kept by the host",
            "EADDRNOTAVAIL",
            "Choose other adapters or domains, or free the queues named for guests:"
                    + " by the host's reservation, or by the queue's driver."),
    GUEST_ATTACHED(
            409,
            "A guest is attached",
            "EBUSY",
            "Shut the guest down or release it first; an admin may do it all the same with force=true."),
    HOST_NOT_EMPTY(409, "The host still has mdevs", "EBUSY", "Delete the host's mdevs first."),
    GUEST_HAS_MDEV(
            409,
            "The guest already has an mdev of this host",
            "EPERM",
            "A guest has one mdev: assign to that one, or release it first."),
    HOST_CANNOT_HOT_PLUG(
            409,
            "The host cannot change a running guest",
            "EBUSY",
            "Shut the guest down first: this host's kernel has no guest_matrix, so it changes no mdev in use."),
    NOT_FOUND(404, "There is no such thing", "ENOENT", "Look at the list that should hold it."),
    STALE(412, "The resource is not as the precondition says", null, "Read it again, and decide anew."),
    MDEV_ELSEWHERE(
            409,
            "The mdev is elsewhere",
            null,
            "The host of an mdev never changes: use another UUID, or delete the mdev there first."),
    MDEV_REMOVING(
            409,
            "The mdev is being removed",
            null,
            "It is gone when its guest has let go and the agent has reported so. Use another mdev."),
    GUEST_OBSERVED(
            409,
            "The host's agent sees guests itself",
            null,
            "Start or stop the guest: its host reports who is attached."),
    HOST_CLAIMED(
            409,
            "Another machine has claimed this host",
            null,
            "Correct the agent's host name, or let an admin release the claim."),
    DRIVER_NOT_CHANGEABLE(
            409,
            "The queue's driver cannot be changed so",
            null,
            "Change the masks by the host's reservation instead."),
    UNAUTHENTICATED(
            401,
            "No valid token",
            null,
            "Send the header Authorization: Bearer and a token. An admin makes one with apportion token create."),
    FORBIDDEN(403, "The role does not allow this", null, "Use a token with the role that the detail names."),
    TOO_MANY_FAILED_LOGINS(
            429,
            "Too many wrong tokens",
            null,
            "Correct the token, and try again after the time in Retry-After. Callers at other addresses are let in."),
    TOO_MANY_STREAMS(
            429, "Too many streams are open", null, "Close those that nobody reads, or use one stream for all hosts."),
    METHOD_NOT_ALLOWED(405, "The method is not for this resource", null, "Use one of the methods in the header Allow."),
    NOT_ACCEPTABLE(406, "None of the accepted media types can be given", null, "Accept application/json."),
    UNSUPPORTED_MEDIA_TYPE(415, "The body's media type cannot be read", null, "Send Content-Type: application/json."),
    TOO_LARGE(413, "The request is too large", null, "Send less at once."),
    GONE(
            410,
            "That position is gone",
            null,
            "Read anew what you keep. Events are there from the oldest position on, which the problem names: those"
                    + " after the number before it are all."),
    DATABASE_UNAVAILABLE(
            503,
            "The database is unavailable",
            null,
            "Try again after the time in Retry-After. Whether a change was stored, a GET will tell."),
    IDENTITY_PROVIDER_UNAVAILABLE(
            503,
            "The identity provider cannot be reached",
            null,
            "Try again. Meanwhile a token made by apportion token create serves."),
    BUSY(503, "The host is busy", null, "Try again after the time in Retry-After. Nothing was changed."),
    INTERNAL(500, "Something went wrong in the server", null, "Report the request id: the server's log tells more.");

    static final String PATH = "/problems/";

    private final int status;
    private final String title;
    private final @Nullable String errno;
    private final String remedy;

    ProblemKind(int status, String title, @Nullable String errno, String remedy) {
        this.status = status;
        this.title = title;
        this.errno = errno;
        this.remedy = remedy;
    }

    static Optional<ProblemKind> of(String slug) {
        return Arrays.stream(values()).filter(kind -> kind.slug().equals(slug)).findFirst();
    }

    /** The last part of the type, for example {@code queue-in-use}. */
    String slug() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** Relative to the server, so that following it leads to the words about this kind. */
    URI type() {
        return URI.create(PATH + slug());
    }

    int status() {
        return status;
    }

    String title() {
        return title;
    }

    /** The kernel's word, where it has one. */
    @Nullable
    String errno() {
        return errno;
    }

    /** What to do about it, unless the problem knows better. */
    String remedy() {
        return remedy;
    }
}
