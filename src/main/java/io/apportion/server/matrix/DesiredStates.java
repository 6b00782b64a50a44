package io.apportion.server.matrix;

import io.apportion.ap.Guest;
import io.apportion.ap.HostMatrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Policy;
import io.apportion.wire.DesiredHost;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;

/** What is pushed to an agent of a host's state: always the whole. */
public final class DesiredStates {

    private DesiredStates() {}

    public static DesiredHost of(HostState host) {
        HostMatrix matrix = host.matrix();
        List<DesiredHost.DesiredDriver> drivers = matrix.drivers().entrySet().stream()
                .map(entry -> new DesiredHost.DesiredDriver(
                        entry.getKey(), entry.getValue(), host.driverRepairs().getOrDefault(entry.getKey(), 0)))
                .sorted(Comparator.comparing(DesiredHost.DesiredDriver::queue))
                .toList();
        List<DesiredHost.DesiredMdev> mdevs = new ArrayList<>();
        for (Mdev mdev : matrix.mdevs().values()) {
            Guest guest = mdev.guest();
            mdevs.add(new DesiredHost.DesiredMdev(
                    mdev.uuid(),
                    matrix.claim(mdev),
                    mdev.guestMatrix(),
                    guest == null ? null : guest.identity(),
                    mdev.removing(),
                    Objects.requireNonNull(host.mdevs().get(mdev.uuid())).repair()));
        }
        return new DesiredHost(
                host.name(),
                host.incarnation(),
                host.generation(),
                host.policy() == Policy.PAUSED,
                matrix.bindingMode(),
                matrix.managedReservation(),
                host.reservationRepair(),
                drivers,
                mdevs);
    }
}
