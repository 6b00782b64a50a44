package io.apportion.server.matrix;

import io.apportion.ap.HostMatrix;
import io.apportion.ap.Policy;
import io.apportion.ap.Queue;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Everything of one host at one moment: its settings, its matrix, its cards and its mdevs. What readers get, and what a
 * dry run shows as it would be.
 *
 * @param adapters cards by number, as last reported
 * @param mdevs by UUID; the keys are those of {@link HostMatrix#mdevs}
 * @param definitions of mdevctl on this host
 * @param reservationRepair counts the repairs of the masks that were ordered
 * @param driverRepairs the same for each managed driver that had any
 * @param reservationDrifted the host shows other masks than the managed ones, although they were applied
 * @param driftedDrivers managed queues that have another driver than the managed one, although it was applied
 */
public record HostState(
        String name,
        String description,
        Map<String, String> labels,
        Policy policy,
        long version,
        Instant createdAt,
        UUID incarnation,
        long generation,
        AgentState agent,
        HostMatrix matrix,
        SortedMap<Integer, AdapterState> adapters,
        SortedMap<UUID, MdevState> mdevs,
        Definitions definitions,
        int reservationRepair,
        Map<Queue, Integer> driverRepairs,
        boolean reservationDrifted,
        List<Queue> driftedDrivers) {

    /** Of the host's desired part alone: settings, reservation, managed drivers. Without quotes. */
    public String tag() {
        return incarnation.toString().substring(0, 8) + "-" + version;
    }

    /** With those settings that are no part of its matrix. */
    HostState withSettings(HostSettings settings) {
        return with(
                settings.description() == null ? description : settings.description(),
                settings.labels() == null ? labels : settings.labels(),
                settings.policy() == null ? policy : settings.policy(),
                version,
                generation,
                agent);
    }

    HostState numbered(long otherVersion, long otherGeneration) {
        return with(description, labels, policy, otherVersion, otherGeneration, agent);
    }

    HostState unclaimed() {
        return with(description, labels, policy, version, generation, agent.unclaimed());
    }

    private HostState with(
            String otherDescription,
            Map<String, String> otherLabels,
            Policy otherPolicy,
            long otherVersion,
            long otherGeneration,
            AgentState otherAgent) {
        return new HostState(
                name,
                otherDescription,
                otherLabels,
                otherPolicy,
                otherVersion,
                createdAt,
                incarnation,
                otherGeneration,
                otherAgent,
                matrix,
                adapters,
                mdevs,
                definitions,
                reservationRepair,
                driverRepairs,
                reservationDrifted,
                driftedDrivers);
    }

    /**
     * @param appliedGeneration the newest generation that the agent reported, null before the first
     * @param lastSeen null: never
     * @param connected heard of in the last 30 s
     */
    public record AgentState(
            @Nullable String machineId,
            @Nullable String instance,
            @Nullable String bootId,
            @Nullable String kernelRelease,
            boolean apConfig,
            @Nullable Long appliedGeneration,
            @Nullable Instant reportedAt,
            @Nullable Instant lastSeen,
            boolean connected) {

        AgentState unclaimed() {
            return new AgentState(
                    null,
                    instance,
                    bootId,
                    kernelRelease,
                    apConfig,
                    appliedGeneration,
                    reportedAt,
                    lastSeen,
                    connected);
        }
    }

    /** A card as last reported; its queues are in the inventory of the matrix. */
    public record AdapterState(
            int adapter,
            @Nullable String type,
            @Nullable String mode,
            @Nullable String serial,
            boolean online,
            boolean configured,
            boolean checkstopped) {}
}
