package io.apportion.agent.sysfs;

import java.io.IOException;

/** A system call failed. */
final class ErrnoException extends IOException {

    private static final long serialVersionUID = 1L;

    private final String errno;
    private final String what;

    /**
     * @param errno the name, for example {@code EADDRINUSE}
     * @param what was tried, with the file
     */
    ErrnoException(String errno, String what) {
        super(what + ": " + errno);
        this.errno = errno;
        this.what = what;
    }

    String errno() {
        return errno;
    }

    /** Without the errno. */
    String what() {
        return what;
    }

    boolean is(String name) {
        return errno.equals(name);
    }
}
