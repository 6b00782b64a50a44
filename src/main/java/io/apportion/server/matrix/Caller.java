package io.apportion.server.matrix;

import java.util.Map;

/**
 * On whose behalf something is done.
 *
 * @param actor for example {@code token:ci} or {@code agent:lpar1}
 * @param mayForce whether the role allows {@code force}
 * @param scope labels that a host must have for this caller to change anything there; empty: any host will do
 * @param requestId stored with every event
 */
public record Caller(String actor, boolean mayForce, Map<String, String> scope, String requestId) {

    /** What the server does of itself, such as ordering the repair of drift. */
    public static final Caller SERVER = new Caller("server", true, "-");

    /** One who may change any host. */
    public Caller(String actor, boolean mayForce, String requestId) {
        this(actor, mayForce, Map.of(), requestId);
    }
}
