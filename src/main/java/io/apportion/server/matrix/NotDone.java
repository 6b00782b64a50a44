package io.apportion.server.matrix;

import io.apportion.ap.Refusal;
import java.time.Duration;
import java.util.List;
import java.util.UUID;

/**
 * Why a call to this room did not do what it was asked. Thrown inside the transaction, so that nothing of the call is
 * stored; the web turns each kind into its problem.
 */
public abstract sealed class NotDone extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private NotDone(String message) {
        // No stack trace: these are answers, not faults.
        super(message, null, false, false);
    }

    /** The rules refuse it. */
    public static final class Refused extends NotDone {
        private static final long serialVersionUID = 1L;
        private final transient Refusal refusal;
        private final String host;

        public Refused(String host, Refusal refusal) {
            super(host + ": " + refusal);
            this.host = host;
            this.refusal = refusal;
        }

        public Refusal refusal() {
            return refusal;
        }

        public String host() {
            return host;
        }
    }

    /** There is no such thing: a host, an mdev, a commit, a foreign mdev, … */
    public static final class NotFound extends NotDone {
        private static final long serialVersionUID = 1L;

        /** @param what in words, for example {@code host lpar1} */
        public NotFound(String what) {
            super(what);
        }
    }

    /** If-Match or If-None-Match does not hold. */
    public static final class Stale extends NotDone {
        private static final long serialVersionUID = 1L;

        /** @param detail in words: what was asked for and what is there */
        public Stale(String detail) {
            super(detail);
        }
    }

    /** The matrix lock was not free in time. Nothing was changed. */
    public static final class Busy extends NotDone {
        private static final long serialVersionUID = 1L;
        private final Duration retryAfter;

        public Busy(String host, Duration retryAfter) {
            super(host);
            this.retryAfter = retryAfter;
        }

        public Duration retryAfter() {
            return retryAfter;
        }
    }

    /** A host is deleted only without mdevs. */
    public static final class HostNotEmpty extends NotDone {
        private static final long serialVersionUID = 1L;
        private final String host;
        private final transient List<UUID> mdevs;

        public HostNotEmpty(String host, List<UUID> mdevs) {
            super(host);
            this.host = host;
            this.mdevs = List.copyOf(mdevs);
        }

        public String host() {
            return host;
        }

        public List<UUID> mdevs() {
            return mdevs;
        }
    }

    /** The host of an mdev never changes. */
    public static final class MdevElsewhere extends NotDone {
        private static final long serialVersionUID = 1L;
        private final UUID mdev;
        private final String host;

        /** @param host where it is */
        public MdevElsewhere(UUID mdev, String host) {
            super(mdev + " is on " + host);
            this.mdev = mdev;
            this.host = host;
        }

        public UUID mdev() {
            return mdev;
        }

        public String host() {
            return host;
        }
    }

    /** Another machine has claimed this host's name. */
    public static final class HostClaimed extends NotDone {
        private static final long serialVersionUID = 1L;
        private final String host;

        public HostClaimed(String host) {
            super(host);
            this.host = host;
        }

        public String host() {
            return host;
        }
    }

    /** The role is not enough for this, for example {@code force}. */
    public static final class Forbidden extends NotDone {
        private static final long serialVersionUID = 1L;

        public Forbidden(String detail) {
            super(detail);
        }
    }

    /** An event position after which nobody can be told everything: it was pruned, or a lost database gave it. */
    public static final class Gone extends NotDone {
        private static final long serialVersionUID = 1L;
        private final long oldest;

        /**
         * @param detail in words
         * @param oldest the oldest position there is; where there is no event, the next that will be given
         */
        public Gone(String detail, long oldest) {
            super(detail);
            this.oldest = oldest;
        }

        public long oldest() {
            return oldest;
        }
    }
}
