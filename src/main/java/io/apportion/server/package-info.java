/** The service: composes web, push, matrix and store. */
@NullMarked
package io.apportion.server;

import org.jspecify.annotations.NullMarked;
