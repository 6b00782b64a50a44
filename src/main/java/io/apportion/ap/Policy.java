package io.apportion.ap;

/** What becomes of drift on a host, and whether anything is pushed to it at all. */
public enum Policy {
    /** Apportion's own mdevs and managed drivers are repaired; masks and drivers changed by hand are reported. */
    REPAIR("repair"),
    /** Masks changed by hand are repaired too. */
    REPAIR_ALL("repair-all"),
    /** Drift is shown and left. */
    REPORT("report"),
    /** Nothing is written on the host until somebody says otherwise. */
    PAUSED("paused");

    private final String text;

    Policy(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
