/** Rows and repositories; nothing here decides. */
@NullMarked
package io.apportion.server.store;

import org.jspecify.annotations.NullMarked;
