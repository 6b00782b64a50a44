package io.apportion.server.matrix;

import java.util.UUID;

/** By what a host's desired state and its agent's session are told from older ones. */
public record HostNumbers(String host, UUID incarnation, long generation, long session) {}
