package io.apportion.demo;

import io.apportion.agent.Agent;
import io.apportion.agent.AgentMemory;
import io.apportion.agent.AgentSettings;
import io.apportion.agent.KernelRefusal;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.Refusal;
import io.apportion.server.matrix.NotDone;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost;
import java.net.URI;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;

/**
 * One simulated host with its agent, and what a person does to it.
 *
 * <p>Every change goes to the file before it is answered, so that a restart of the demo finds the machine as it was.
 */
final class DemoHost implements AutoCloseable {

    private final String name;
    private final URI server;
    private final MachineFile file;
    private final SimulatedHost host;
    private final AgentMemory memory = AgentMemory.ofThisProcess();
    private final ExecutorService starter = Executors.newSingleThreadExecutor(
            Thread.ofVirtual().name("demo-guests").factory());

    private Machine machine;

    /** Guests that ran before the demo was restarted, until their mdev is there again. */
    private final Map<String, UUID> toStart;

    private Agent agent;

    DemoHost(String name, Machine machine, MachineFile file, URI server) {
        this.name = name;
        this.server = server;
        this.file = file;
        this.machine = machine;
        this.host = machine.boot(name);
        this.toStart = new TreeMap<>(machine.guests());
        host.tellEverything(true);
        this.agent = newAgent();
        file.write(machine);
    }

    void start() {
        host.onChange(() -> {
            if (!starter.isShutdown()) {
                starter.execute(this::follow);
            }
        });
        agent.start();
    }

    private Agent newAgent() {
        return new Agent(
                new AgentSettings(name, server, null, ObservedHost.Keep.NOTHING, AgentSettings.Timings.DEFAULT),
                host,
                memory,
                RandomGenerator.getDefault());
    }

    private synchronized void follow() {
        List<ObservedHost.ObservedMdev> mdevs =
                Objects.requireNonNull(host.read().mdevs());
        startGuests(mdevs);
        Map<UUID, Matrix> handMade = new HashMap<>(machine.handMade());
        handMade.keySet()
                .retainAll(mdevs.stream().map(ObservedHost.ObservedMdev::uuid).collect(Collectors.toSet()));
        handMade.keySet().removeAll(memory.recall().own().keySet());
        if (handMade.size() < machine.handMade().size()) {
            keep(machine.withHandMade(handMade));
        }
    }

    private void startGuests(List<ObservedHost.ObservedMdev> mdevs) {
        for (ObservedHost.ObservedMdev mdev : mdevs) {
            boolean configured = mdev.assigned() != null && !mdev.assigned().isEmpty();
            for (Map.Entry<String, UUID> guest : List.copyOf(toStart.entrySet())) {
                if (configured && guest.getValue().equals(mdev.uuid())) {
                    toStart.remove(guest.getKey());
                    try {
                        host.openGuest(guest.getKey(), mdev.uuid());
                    } catch (KernelRefusal refusal) {
                        keep(machine.withGuests(running()));
                    }
                }
            }
        }
    }

    private Map<String, UUID> running() {
        Map<String, UUID> running = new HashMap<>(toStart);
        running.putAll(host.guests());
        return running;
    }

    private void keep(Machine changed) {
        machine = changed;
        file.write(changed);
    }

    synchronized Machine machine() {
        return machine.withGuests(running());
    }

    SimulatedHost simulated() {
        return host;
    }

    /** Puts a card in, or changes the state of the one that is there. */
    synchronized void putCard(int adapter, boolean configured, boolean checkstopped) {
        Machine.CardState present = machine.cards().get(adapter);
        Machine.CardState base = present == null ? Machine.card(adapter) : present;
        Machine.CardState wanted =
                new Machine.CardState(base.type(), base.mode(), base.serial(), configured, checkstopped);
        if (present == null) {
            host.addCard(Machine.simulated(adapter, wanted));
        }
        boolean wasConfigured = present == null || present.configured();
        if (wasConfigured != configured) {
            if (configured) {
                host.configureCard(adapter);
            } else {
                host.deconfigureCard(adapter);
            }
        }
        boolean wasBroken = present != null && present.checkstopped();
        if (wasBroken != checkstopped) {
            if (checkstopped) {
                host.breakCard(adapter);
            } else {
                host.repairCard(adapter);
            }
        }
        keep(machine.withCard(adapter, wanted));
    }

    synchronized void removeCard(int adapter) {
        if (machine.cards().containsKey(adapter)) {
            host.removeCard(adapter);
            keep(machine.withoutCard(adapter));
        }
    }

    synchronized void putDomain(int domain) {
        if (!machine.domains().has(domain)) {
            host.addDomain(domain);
            keep(machine.withDomains(machine.domains().with(domain)));
        }
    }

    synchronized void removeDomain(int domain) {
        if (machine.domains().has(domain)) {
            host.removeDomain(domain);
            keep(machine.withDomains(machine.domains().without(domain)));
        }
    }

    /** The queue answers again. */
    synchronized void putQueue(Queue queue) {
        requirePlace(queue);
        if (machine.absent().contains(queue)) {
            host.restoreQueue(queue);
            keep(machine.withAbsent(queue, false));
        }
    }

    /** The queue answers no more; its card and its domain stay. */
    synchronized void removeQueue(Queue queue) {
        requirePlace(queue);
        if (!machine.absent().contains(queue)) {
            host.removeQueue(queue);
            keep(machine.withAbsent(queue, true));
        }
    }

    private void requirePlace(Queue queue) {
        if (!machine.cards().containsKey(queue.adapter()) || !machine.domains().has(queue.domain())) {
            throw new NotDone.NotFound("queue " + queue + " on the machine of host " + name);
        }
    }

    /** @throws NotDone if the kernel refuses it */
    synchronized void openGuest(String guest, UUID mdev) {
        UUID present = running().get(guest);
        if (mdev.equals(present)) {
            return;
        }
        if (present != null) {
            throw new NotDone.Refused(name, new Refusal.GuestHasMdev(guest, present));
        }
        try {
            host.openGuest(guest, mdev);
        } catch (KernelRefusal refusal) {
            throw refused(refusal, mdev);
        }
        keep(machine.withGuests(running()));
    }

    private NotDone refused(KernelRefusal refusal, UUID mdev) {
        if (refusal.errno().equals("ENOENT")) {
            return new NotDone.NotFound("mdev " + mdev + " on host " + name);
        }
        String holder = host.guests().entrySet().stream()
                .filter(entry -> entry.getValue().equals(mdev))
                .map(Map.Entry::getKey)
                .findFirst()
                .orElse("another guest");
        return new NotDone.Refused(name, new Refusal.GuestAttached(mdev, holder, List.of(), false));
    }

    synchronized void closeGuest(String guest) {
        toStart.remove(guest);
        if (host.guests().containsKey(guest)) {
            try {
                host.closeGuest(guest);
            } catch (KernelRefusal gone) {
                throw new NotDone.NotFound("guest " + guest + " on host " + name);
            }
        }
        keep(machine.withGuests(running()));
    }

    /** The kernel forgets everything; the guests are gone; the agent starts with the machine. */
    synchronized void reboot() {
        agent.close();
        toStart.clear();
        host.reboot();
        // Those that mdevctl has made again.
        Map<UUID, Matrix> handMade = new HashMap<>();
        Objects.requireNonNull(host.read().mdevs())
                .forEach(mdev -> handMade.put(mdev.uuid(), Objects.requireNonNull(mdev.assigned())));
        keep(machine.withGuests(Map.of()).withHandMade(handMade));
        agent = newAgent();
        // Those who listened to the boot before.
        host.close();
        start();
    }

    @Override
    public synchronized void close() {
        starter.shutdownNow();
        agent.close();
    }
}
