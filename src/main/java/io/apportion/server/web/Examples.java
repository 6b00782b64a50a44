package io.apportion.server.web;

/** What the documentation's examples name: it is all there in a demo that was just started, but for the new mdev. */
final class Examples {

    static final String HOST = "lpar1";

    /** Of {@link #HOST}, with adapter 06 and domains 0004 and 0047. */
    static final String MDEV = "0b5c6b9e-2c1d-4f6a-8e53-6d1f2a7c9b01";

    static final String NEW_MDEV = "62177883-f1bb-47f0-914d-32a22e3a8804";

    /** Of {@link #HOST}: made by hand, which in a demo somebody has to do first. */
    static final String FOREIGN_MDEV = "3d0c9e14-7f3b-4a2e-9b61-5e8f0a4d2c17";

    /** Beside {@link #NEW_MDEV}, and of the same numbers. */
    static final String MDEV_OF_OTHER_HOST = """
        {"host": "lpar2", "labels": {"tenant": "bank"}, "adapters": ["0x04", 5], "domains": ["0x0004"]}\
        """;

    static final String TOKEN = "33fd51bb-57dc-4d38-808f-2de481eaadae";

    private Examples() {}
}
