package io.apportion.ap;

/** What has become of one object of a commit. */
public enum CommitState {
    /** Not yet reported by the host. */
    PENDING("pending"),
    /** A generation at least as new was reported without error for this object. */
    APPLIED("applied"),
    /** The newest reported generation failed for this object. */
    FAILED("failed"),
    /** A later commit changed the same object before the agent reported. */
    SUPERSEDED("superseded");

    private final String text;

    CommitState(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
