/** The API for agents: streams desired states down, takes reports up. */
@NullMarked
package io.apportion.server.push;

import org.jspecify.annotations.NullMarked;
