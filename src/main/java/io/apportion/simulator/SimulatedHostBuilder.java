package io.apportion.simulator;

import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import io.apportion.ap.Reservation;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** What a host is made of. Unless told otherwise: no card, no domain, masks full, a kernel that can everything. */
public final class SimulatedHostBuilder {

    String machineId = UUID.randomUUID().toString().replace("-", "");
    int maxAdapter = 255;
    int maxDomain = 255;
    final List<Card> cards = new ArrayList<>();
    ApMask domains = ApMask.NONE;

    @Nullable
    ApMask controlDomains;

    Reservation bootMasks = new Reservation(ApMask.ALL, ApMask.ALL);
    final List<Queue> holes = new ArrayList<>();
    boolean apConfig = true;
    boolean guestMatrix = true;
    boolean guests = true;

    SimulatedHostBuilder() {}

    public SimulatedHostBuilder machineId(String id) {
        machineId = id;
        return this;
    }

    /** The highest numbers of the machine, 1..255. */
    public SimulatedHostBuilder highest(int adapter, int domain) {
        maxAdapter = adapter;
        maxDomain = domain;
        return this;
    }

    public SimulatedHostBuilder card(int adapter, String type, String mode, String serial) {
        cards.add(new Card(adapter, type, mode, serial));
        return this;
    }

    /** CEX8P cards in EP11 mode. */
    public SimulatedHostBuilder cards(int... adapters) {
        for (int adapter : adapters) {
            card(adapter, "CEX8P", "EP11-Coproc", "93AADH%02X".formatted(adapter));
        }
        return this;
    }

    /** The host's usage domains. */
    public SimulatedHostBuilder domains(int... numbers) {
        domains = ApMask.of(numbers);
        return this;
    }

    /** The host's control domains; without this call the same as its usage domains. */
    public SimulatedHostBuilder controlDomains(int... numbers) {
        controlDomains = ApMask.of(numbers);
        return this;
    }

    /** What each boot sets the masks to ({@code ap.apmask=}, {@code ap.aqmask=}). */
    public SimulatedHostBuilder bootMasks(ApMask apmask, ApMask aqmask) {
        bootMasks = new Reservation(apmask, aqmask);
        return this;
    }

    /** Every queue is for vfio_ap from the boot on. */
    public SimulatedHostBuilder allForGuests() {
        return bootMasks(ApMask.NONE, ApMask.NONE);
    }

    /** Queues that somebody has taken from their driver, until a reboot. */
    public SimulatedHostBuilder holes(Queue... queues) {
        holes.addAll(List.of(queues));
        return this;
    }

    /** A kernel whose mdevs have the single-number attributes only. */
    public SimulatedHostBuilder withoutApConfig() {
        apConfig = false;
        return this;
    }

    /**
     * A kernel that changes nothing under a guest: each write to the matrix of an mdev in use is EBUSY, and nobody can
     * read {@code guest_matrix}. In everything else it is the kernel that it always is here.
     */
    public SimulatedHostBuilder withoutGuestMatrix() {
        guestMatrix = false;
        return this;
    }

    /** An agent that cannot see who holds an mdev. */
    public SimulatedHostBuilder withoutGuests() {
        guests = false;
        return this;
    }

    public SimulatedHost build() {
        return new SimulatedHost(this);
    }
}
