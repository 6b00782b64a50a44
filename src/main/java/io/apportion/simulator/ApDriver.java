package io.apportion.simulator;

/** The two drivers that a queue device can have, in the order in which the bus offers it to them. */
enum ApDriver {
    /** The host's own: one of the default drivers. */
    ZCRYPT("cex4queue", true),
    VFIO_AP("vfio_ap", false);

    final String text;

    /** Serves queues that are reserved; the other serves only those that are not. */
    final boolean isDefault;

    ApDriver(String text, boolean isDefault) {
        this.text = text;
        this.isDefault = isDefault;
    }
}
