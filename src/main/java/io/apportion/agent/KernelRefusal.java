package io.apportion.agent;

/**
 * The kernel said no to one write, and nothing was changed by it; or, with ETIMEDOUT, it did not answer: then it may still do
 * what was written.
 */
public final class KernelRefusal extends Exception {

    private static final long serialVersionUID = 1L;

    private final String errno;

    /** @param errno the name, for example {@code EADDRINUSE} */
    public KernelRefusal(String errno, String words) {
        super(words);
        this.errno = errno;
    }

    public String errno() {
        return errno;
    }
}
