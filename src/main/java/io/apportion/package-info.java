/** Apportion: shares the cryptographic adapters of IBM Z hosts among guests. */
@NullMarked
package io.apportion;

import org.jspecify.annotations.NullMarked;
