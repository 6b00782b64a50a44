package io.apportion.ap;

/** What planning a change comes to: both are expected. */
public sealed interface Outcome permits Plan, Refusal {}
