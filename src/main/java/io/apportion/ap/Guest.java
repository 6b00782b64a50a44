package io.apportion.ap;

import org.jspecify.annotations.Nullable;

/**
 * The virtual machine that has an mdev open.
 *
 * @param identity boot, process and start time of the holder in one word, as the host's agent saw it: another identity is
 *     another attach, whatever the name. A guest that was told through the API has {@code told}, as no agent sees it
 * @param name how people call it; the identity where the holder tells no name
 */
public record Guest(@Nullable String identity, String name) {}
