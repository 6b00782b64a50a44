package io.apportion.server.matrix;

/**
 * On whose behalf something is done.
 *
 * @param actor for example {@code token:ci} or {@code agent:lpar1}
 * @param mayForce whether the role allows {@code force}
 * @param requestId stored with every event
 */
public record Caller(String actor, boolean mayForce, String requestId) {

    /** What the server does of itself, such as ordering the repair of drift. */
    public static final Caller SERVER = new Caller("server", true, "-");
}
