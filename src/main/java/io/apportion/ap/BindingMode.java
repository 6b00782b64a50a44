package io.apportion.ap;

/**
 * How queues are taken from the host's own drivers: by the two masks, or queue by queue through {@code driver_override}.
 * The kernel lets a host use only one of the two at a time.
 */
public enum BindingMode {
    MASKS("masks"),
    OVERRIDE("override");

    private final String text;

    BindingMode(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
