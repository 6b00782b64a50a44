/** Who calls and what they may: tokens and roles. */
@NullMarked
package io.apportion.server.identity;

import org.jspecify.annotations.NullMarked;
