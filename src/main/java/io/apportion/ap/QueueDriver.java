package io.apportion.ap;

/** Which driver a managed queue shall have. */
public enum QueueDriver {
    /** May be given to mdevs. */
    VFIO_AP("vfio_ap"),
    /** The host's own driver (zcrypt's cex4queue). */
    DEFAULT("default"),
    /** No driver: the queue serves nobody. */
    NONE("none");

    private final String text;

    QueueDriver(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
