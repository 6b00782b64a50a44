package io.apportion.agent;

import org.jspecify.annotations.Nullable;

/** One object of a desired state was not made so: the kernel refused a write, or the agent did not dare to try it. */
final class NotDone extends Exception {

    private static final long serialVersionUID = 1L;

    private final @Nullable String errno;
    private final String words;

    /** @param errno the kernel's word; null only for {@link #otherGuest} */
    private NotDone(@Nullable String errno, String words) {
        super(words, null, false, false);
        this.errno = errno;
        this.words = words;
    }

    /** What the kernel says when bits are set under an mdev, and what whoever waits for another mdev says. */
    static NotDone busy(String words) {
        return new NotDone("EBUSY", words);
    }

    /** The host's administrator keeps it. */
    static NotDone kept(String words) {
        return new NotDone("EADDRNOTAVAIL", words + " is kept by the host's administrator (keep list of the agent)");
    }

    /** The host is not, or no longer, as the server saw it when it computed this. */
    static NotDone notNow(String words) {
        return new NotDone("EAGAIN", words);
    }

    static NotDone noDevice(String words) {
        return new NotDone("ENODEV", words);
    }

    static NotDone unreadable(String what) {
        return new NotDone("EIO", what + " could not be read");
    }

    static NotDone refused(KernelRefusal refusal) {
        String words = refusal.getMessage();
        return new NotDone(refusal.errno(), words == null ? refusal.errno() : words);
    }

    /** The mdev was computed for another guest than the one that holds it: it is left alone and has no result. */
    static NotDone otherGuest() {
        return new NotDone(null, "held by another guest than the one this was computed for");
    }

    boolean isOtherGuest() {
        return errno == null;
    }

    @Nullable
    String errno() {
        return errno;
    }

    String words() {
        return words;
    }
}
