/** The pure core: masks, the filters, and what a change makes of a host's matrix. Knows no framework. */
@NullMarked
package io.apportion.ap;

import org.jspecify.annotations.NullMarked;
