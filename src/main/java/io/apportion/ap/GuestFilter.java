package io.apportion.ap;

/** How a guest's matrix follows from what is assigned. */
public enum GuestFilter {
    /** The rules agreed at the end of the review. */
    INCREMENTAL("incremental"),
    /** The rule of patch v11 08/14. */
    RECOMPUTE("recompute");

    private final String text;

    GuestFilter(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
