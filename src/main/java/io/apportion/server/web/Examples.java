package io.apportion.server.web;

/** What the documentation's examples name: it is all there in a demo that was just started, but for the new mdev. */
final class Examples {

    static final String HOST = "lpar1";

    /** Of {@link #HOST}, with adapter 06 and domains 0004 and 0047. */
    static final String MDEV = "0b5c6b9e-2c1d-4f6a-8e53-6d1f2a7c9b01";

    static final String NEW_MDEV = "62177883-f1bb-47f0-914d-32a22e3a8804";

    private Examples() {}
}
