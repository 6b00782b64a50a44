package io.apportion.server.web;

/**
 * What the documentation's examples name. It is all there in a demo that was just started, but for what other examples make
 * first: the new mdev and the new host.
 */
final class Examples {

    static final String HOST = "lpar1";

    static final String NEW_HOST = "lpar4";

    /** Of {@link #HOST}, with adapter 06 and domains 0004 and 0047. */
    static final String MDEV = "0b5c6b9e-2c1d-4f6a-8e53-6d1f2a7c9b01";

    static final String NEW_MDEV = "62177883-f1bb-47f0-914d-32a22e3a8804";

    static final String HOST_OF_FOREIGN_MDEV = "lpar2";

    static final String FOREIGN_MDEV = "3d0c9e14-7f3b-4a2e-9b61-5e8f0a4d2c05";

    /** Of a host whose agent cannot see guests. */
    static final String MDEV_OF_UNSEEN_GUEST = "9e1b7c52-3d84-4f06-8a2d-c05f6e7b1d04";

    /** Beside {@link #NEW_MDEV}, and of the same numbers. */
    static final String MDEV_OF_OTHER_HOST = """
        {"host": "lpar2", "labels": {"tenant": "bank"}, "adapters": ["0x04", 5], "domains": ["0x0004"]}\
        """;

    static final String TOKEN = "33fd51bb-57dc-4d38-808f-2de481eaad06";

    private Examples() {}
}
