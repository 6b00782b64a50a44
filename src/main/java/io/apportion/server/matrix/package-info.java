/** The only writer of any host's matrix, holder of the matrix lock, and its readers. */
@NullMarked
package io.apportion.server.matrix;

import org.jspecify.annotations.NullMarked;
