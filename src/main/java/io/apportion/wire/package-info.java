/** What server and agent send each other: records and their JSON, nothing else. */
@NullMarked
package io.apportion.wire;

import org.jspecify.annotations.NullMarked;
