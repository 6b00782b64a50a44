package io.apportion.demo;

import io.apportion.ap.Matrix;
import io.apportion.ap.Notation;
import io.apportion.ap.Queue;
import java.util.List;
import java.util.UUID;

/** A simulated machine. {@code guests} shows the masks of each guest's control block: what it really has. */
record MachineView(
        String host,
        List<CardView> cards,
        List<String> domains,
        List<String> absentQueues,
        List<RunningGuestView> guests) {

    record CardView(String adapter, String type, String mode, boolean configured, boolean checkstopped) {}

    record RunningGuestView(
            String name, UUID mdev, List<String> adapters, List<String> domains, List<String> controlDomains) {}

    static MachineView of(String name, DemoHost host) {
        Machine machine = host.machine();
        return new MachineView(
                name,
                machine.cards().entrySet().stream()
                        .map(card -> new CardView(
                                Notation.adapter(card.getKey()),
                                card.getValue().type(),
                                card.getValue().mode(),
                                card.getValue().configured(),
                                card.getValue().checkstopped()))
                        .toList(),
                Notation.domains(machine.domains()),
                machine.absent().stream().map(Queue::toString).toList(),
                machine.guests().entrySet().stream()
                        .map(guest -> {
                            Matrix matrix = host.simulated().guestMatrix(guest.getValue());
                            return new RunningGuestView(
                                    guest.getKey(),
                                    guest.getValue(),
                                    Notation.adapters(matrix.adapters()),
                                    Notation.domains(matrix.domains()),
                                    Notation.domains(matrix.controlDomains()));
                        })
                        .toList());
    }
}
