/** The API for people and programs: parses, delegates, answers. */
@NullMarked
package io.apportion.server.web;

import org.jspecify.annotations.NullMarked;
