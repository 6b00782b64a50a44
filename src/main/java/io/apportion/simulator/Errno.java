package io.apportion.simulator;

import io.apportion.agent.KernelRefusal;

/** The errors that the AP bus and vfio_ap answer with, and the words that a shell prints for them. */
enum Errno {
    EACCES("Permission denied"),
    EADDRINUSE("Address already in use"),
    EADDRNOTAVAIL("Cannot assign requested address"),
    EBUSY("Device or resource busy"),
    EEXIST("File exists"),
    EINVAL("Invalid argument"),
    EIO("Input/output error"),
    ENODEV("No such device"),
    ENOENT("No such file or directory"),
    EPERM("Operation not permitted"),
    ERANGE("Numerical result out of range"),
    EUSERS("Too many users");

    private final String words;

    Errno(String words) {
        this.words = words;
    }

    /** @param where the attribute or device that was written or opened */
    KernelRefusal at(Object where) {
        return new KernelRefusal(name(), where + ": " + words);
    }
}
