/** A server and three simulated hosts in one process, to try everything on a laptop. */
@NullMarked
package io.apportion.demo;

import org.jspecify.annotations.NullMarked;
