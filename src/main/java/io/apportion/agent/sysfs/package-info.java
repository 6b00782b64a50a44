/** The real host: every privileged read and write of the program, through sysfs, procfs and netlink, and nothing else. */
@NullMarked
package io.apportion.agent.sysfs;

import org.jspecify.annotations.NullMarked;
