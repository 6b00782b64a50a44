/** The agent of one host: makes it what the server says and tells what it sees, through the port HostKernel. */
@NullMarked
package io.apportion.agent;

import org.jspecify.annotations.NullMarked;
