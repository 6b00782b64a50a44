/**
 * A KVM host without one: Linux 7.2's AP bus and vfio_ap as they really behave, behind the agent's port.
 *
 * <p>From the ground up: {@link io.apportion.simulator.ApHardware} is the machine, {@link io.apportion.simulator.ApBus}
 * and {@link io.apportion.simulator.VfioAp} are the two parts of the kernel, {@link
 * io.apportion.simulator.SimulatedKernel} is sysfs (texts in, texts and errnos out), and {@link
 * io.apportion.simulator.SimulatedHost} is a whole host that a person or a test can play with.
 */
@NullMarked
package io.apportion.simulator;

import org.jspecify.annotations.NullMarked;
