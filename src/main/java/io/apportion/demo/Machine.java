package io.apportion.demo;

import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.simulator.Card;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedHostBuilder;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;

/**
 * What of a simulated host outlives the process: its hardware, its boot masks, what somebody made by hand, and which guests
 * run. Everything else is the kernel's, and gone as after a reboot.
 *
 * @param freeAdapters those that the boot masks leave to vfio_ap, with every domain
 * @param absent queues of the machine that do not answer
 * @param seesGuests whether its agent sees who has an mdev open
 * @param handMade mdevs that somebody made by hand, until the next reboot or until Apportion has them
 * @param guests names with the mdev that each has open
 */
record Machine(
        SortedMap<Integer, CardState> cards,
        ApMask domains,
        ApMask freeAdapters,
        SortedSet<Queue> absent,
        boolean seesGuests,
        SortedMap<UUID, Matrix> handMade,
        SortedMap<String, UUID> guests) {

    /** @param checkstopped broken */
    record CardState(String type, String mode, String serial, boolean configured, boolean checkstopped) {}

    static Machine of(Set<Integer> cards, ApMask domains, ApMask freeAdapters, Set<Queue> absent) {
        SortedMap<Integer, CardState> states = new TreeMap<>();
        for (int card : cards) {
            states.put(card, card(card));
        }
        return new Machine(
                states, domains, freeAdapters, new TreeSet<>(absent), true, new TreeMap<>(), new TreeMap<>());
    }

    static CardState card(int adapter) {
        boolean cca = adapter % 2 == 0;
        return new CardState(
                cca ? "CEX8C" : "CEX8P",
                cca ? "CCA-Coproc" : "EP11-Coproc",
                "93AADF%02X".formatted(adapter),
                true,
                false);
    }

    SimulatedHost boot(String name) {
        SimulatedHostBuilder builder = SimulatedHost.builder()
                .machineId("demo-" + name)
                .highest(0x3f, 0xff)
                .domains(domains.numbers().toArray())
                .bootMasks(freeAdapters.complement(), ApMask.ALL);
        cards.forEach((adapter, card) -> builder.card(adapter, card.type(), card.mode(), card.serial()));
        if (!seesGuests) {
            builder.withoutGuests();
        }
        SimulatedHost host = builder.build();
        absent.forEach(host::removeQueue);
        cards.forEach((adapter, card) -> {
            if (!card.configured()) {
                host.deconfigureCard(adapter);
            }
            if (card.checkstopped()) {
                host.breakCard(adapter);
            }
        });
        handMade.forEach((mdev, matrix) -> makeByHand(host, mdev, matrix));
        return host;
    }

    private static void makeByHand(SimulatedHost host, UUID mdev, Matrix matrix) {
        try {
            host.createForeign(mdev, matrix);
        } catch (KernelRefusal refusal) {
            throw new IllegalStateException("no kernel that has just booted refuses this", refusal);
        }
    }

    Machine withCard(int adapter, CardState card) {
        SortedMap<Integer, CardState> others = new TreeMap<>(cards);
        others.put(adapter, card);
        return new Machine(others, domains, freeAdapters, absent, seesGuests, handMade, guests);
    }

    Machine withoutCard(int adapter) {
        SortedMap<Integer, CardState> others = new TreeMap<>(cards);
        others.remove(adapter);
        return new Machine(others, domains, freeAdapters, absent, seesGuests, handMade, guests);
    }

    Machine withDomains(ApMask others) {
        return new Machine(cards, others, freeAdapters, absent, seesGuests, handMade, guests);
    }

    Machine withAbsent(Queue queue, boolean isAbsent) {
        SortedSet<Queue> others = new TreeSet<>(absent);
        if (isAbsent) {
            others.add(queue);
        } else {
            others.remove(queue);
        }
        return new Machine(cards, domains, freeAdapters, others, seesGuests, handMade, guests);
    }

    Machine withGuests(Map<String, UUID> running) {
        return new Machine(cards, domains, freeAdapters, absent, seesGuests, handMade, new TreeMap<>(running));
    }

    Machine withHandMade(Map<UUID, Matrix> mdevs) {
        return new Machine(cards, domains, freeAdapters, absent, seesGuests, new TreeMap<>(mdevs), guests);
    }

    Machine withUnseenGuests() {
        return new Machine(cards, domains, freeAdapters, absent, false, handMade, guests);
    }

    static Card simulated(int adapter, CardState card) {
        return new Card(adapter, card.type(), card.mode(), card.serial());
    }
}
