package io.apportion.ap;

import java.util.List;

/**
 * Why one assigned adapter, domain or control domain is not in the guest matrix, and what would bring it in.
 *
 * @param queues those that cause it, ascending; empty where no single queue does
 * @param remedies each is enough by itself; the one that costs the guest least comes first. Empty where neither binding
 *     queues nor unassigning adapters or domains helps
 */
public record Explanation(Subject subject, Reason reason, List<MissingQueue> queues, List<Remedy> remedies) {

    /** What is filtered. */
    public sealed interface Subject {

        int number();

        record Adapter(int number) implements Subject {}

        record Domain(int number) implements Subject {}

        record ControlDomain(int number) implements Subject {}
    }

    /** A thing has one reason: the first of these that is true of it. */
    public enum Reason {
        /** No agent ever reported, so nothing is known of the host. No remedy. */
        HOST_NEVER_REPORTED,
        /** The machine does not give it to the host. No remedy. */
        NOT_IN_HOST_CONFIGURATION,
        /**
         * An adapter that is complete, and that the kernel keeps out of the guest all the same, for example after a failed
         * reset. The computed guest matrix has it. No remedy.
         */
        KERNEL_FILTERED,
        /** An adapter of an mdev without any assigned domain that is in the host configuration. No remedy. */
        NO_DOMAIN_LEFT,
        /**
         * A domain of a guest whose adapters are all gone. The queues that are missing are with the adapters, each of
         * which is filtered for a reason of its own.
         */
        NO_ADAPTER_LEFT,
        /** At least one of the missing queues is in a foreign mdev. Binding it is then no remedy. */
        HELD_BY_FOREIGN_MDEV,
        /** An adapter that lacks at least one queue of the guest's domains; under recompute, of the assigned domains. */
        QUEUE_NOT_BOUND,
        /** A domain that at least one adapter of the running guest lacks. The queues are on those adapters. */
        WOULD_UNPLUG_ADAPTERS
    }

    /** A queue that the guest would need. */
    public record MissingQueue(Queue queue, Why why) {}

    /** Why a queue cannot be in a guest: the first of these that is true of it. */
    public enum Why {
        HELD_BY_FOREIGN_MDEV("held by a foreign mdev"),
        NO_DEVICE("no device"),
        /** Its desired driver is not vfio_ap. */
        GIVEN_AWAY("given away"),
        OTHER_DRIVER("bound to another driver"),
        NO_DRIVER("no driver"),
        /** It is bound; see {@link Reason#KERNEL_FILTERED}. */
        KEPT_OUT_BY_KERNEL("kept out by the kernel");

        private final String text;

        Why(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    /**
     * Done as one change, this plugs the adapter, or plugs the domain into a guest that then has an adapter. It is the
     * smallest of its kind: the fewest queues to bind, or the fewest adapters or the fewest domains to unassign. Only where
     * no single kind helps is there a mix, and not always: it unassigns what a foreign mdev holds and binds the rest.
     *
     * @param bind queues that vfio_ap would have to get, those without a device included; ascending
     * @param cost adapters and domains that would leave the guest's present matrix; empty also where it has no queue to
     *     lose. Control domains are never at stake
     */
    public record Remedy(List<Queue> bind, ApMask unassignAdapters, ApMask unassignDomains, Matrix cost) {}
}
