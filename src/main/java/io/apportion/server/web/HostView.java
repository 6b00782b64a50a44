package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.ApMask;
import io.apportion.ap.Inventory;
import io.apportion.ap.Matrix;
import io.apportion.ap.Mdev;
import io.apportion.ap.Placement;
import io.apportion.ap.Policy;
import io.apportion.ap.Queue;
import io.apportion.ap.Reservation;
import io.apportion.server.matrix.Definitions;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MdevState;
import io.apportion.wire.ObservedHost.ObservedDefinition;
import io.swagger.v3.oas.annotations.media.Schema;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A host: what users set of it, and what its agent reported.
 *
 * @param features null, as are the limits and the host configuration: no agent ever reported
 * @param effects only in the answer to a change, as is the commit
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record HostView(
        @Schema(example = "lpar1") String name,
        Map<String, String> labels,
        String description,

        @Schema(allowableValues = {"incremental", "recompute"})
        String filter,

        @Schema(allowableValues = {"repair", "repair-all", "report", "paused"})
        String policy,

        @Schema(description = "The policy is paused: nothing is pushed to this host")
        boolean paused,

        @Schema(
                allowableValues = {"masks", "override"},
                description = "As set by an admin, or else as the host shows")
        String bindingMode,

        long version,
        @Schema(description = "Of the host's desired state") long generation,
        Instant createdAt,
        AgentView agent,
        @Nullable FeaturesView features,
        @Nullable LimitsView limits,
        @Nullable HostConfigurationView hostConfiguration,

        @Schema(description = "In numbers and whole: the host's reservation")
        ReservedMasksView reservation,

        @Schema(description = "What the host's administrator never lets Apportion touch")
        KeepView keep,

        @Schema(description = "What mdevctl has defined on this host")
        DefinitionsView definitions,

        DriftView drift,
        CountsView counts,
        @Nullable CommitStateView commit,
        @Nullable List<EffectView> effects) {

    static HostView of(HostState host) {
        return of(host, null, null);
    }

    static HostView of(HostState host, @Nullable CommitStateView commit, @Nullable List<EffectView> effects) {
        Inventory inventory = host.matrix().inventory();
        boolean reported = inventory.reported();
        return new HostView(
                host.name(),
                host.labels(),
                host.description(),
                host.matrix().filter().toString(),
                host.policy().toString(),
                host.policy() == Policy.PAUSED,
                host.matrix().bindingMode().toString(),
                host.version(),
                host.generation(),
                host.createdAt(),
                AgentView.of(host.agent()),
                reported
                        ? new FeaturesView(inventory.hotPlug(), host.agent().apConfig(), inventory.seesGuests())
                        : null,
                reported
                        ? new LimitsView(
                                new AdapterNumber(inventory.maxAdapter()), new DomainNumber(inventory.maxDomain()))
                        : null,
                reported ? HostConfigurationView.of(inventory.hostConfiguration()) : null,
                ReservedMasksView.of(host),
                new KeepView(
                        AdapterNumber.in(inventory.keep().adapters()),
                        DomainNumber.in(inventory.keep().domains())),
                DefinitionsView.of(host.definitions()),
                DriftView.of(host),
                CountsView.of(host),
                commit,
                effects);
    }

    /** @param appliedGeneration the newest generation that the agent reported */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record AgentView(
            @Schema(description = "Heard of in the last 30 s")
            boolean connected,

            @Nullable Instant lastSeen,

            @Schema(description = "Of the machine that claimed this host") @Nullable
            String machineId,

            @Nullable String bootId,
            @Nullable String kernelRelease,
            @Nullable Long appliedGeneration,
            @Nullable Instant reportedAt) {

        static AgentView of(HostState.AgentState agent) {
            return new AgentView(
                    agent.connected(),
                    agent.lastSeen(),
                    agent.machineId(),
                    agent.bootId(),
                    agent.kernelRelease(),
                    agent.appliedGeneration(),
                    agent.reportedAt());
        }
    }

    record FeaturesView(
            @Schema(description = "The kernel changes the matrix of a running guest")
            boolean guestMatrix,

            @Schema(description = "The kernel takes a whole matrix in one write")
            boolean apConfig,

            @Schema(description = "The agent sees which guest has an mdev")
            boolean guests) {}

    /** The highest numbers of the machine. */
    record LimitsView(AdapterNumber maxAdapter, DomainNumber maxDomain) {}

    /** What the machine gives the host, as numbers and as masks. */
    record HostConfigurationView(
            List<AdapterNumber> adapters,
            List<DomainNumber> domains,
            List<DomainNumber> controlDomains,
            ApMask apm,
            ApMask aqm,
            ApMask adm) {

        static HostConfigurationView of(Matrix configuration) {
            return new HostConfigurationView(
                    AdapterNumber.in(configuration.adapters()),
                    DomainNumber.in(configuration.domains()),
                    DomainNumber.in(configuration.controlDomains()),
                    configuration.adapters(),
                    configuration.domains(),
                    configuration.controlDomains());
        }
    }

    /**
     * What the host keeps for its own drivers, as sysfs would print it: the numbers alone could be 512.
     *
     * @param observed null: no agent ever reported
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record ReservedMasksView(
            @Schema(description = "Set through Apportion; otherwise it is only what the host shows")
            boolean managed,

            ApMask apmask,
            ApMask aqmask,
            ReservationView.@Nullable MasksView observed) {

        static ReservedMasksView of(HostState host) {
            Reservation reservation = host.matrix().reservation();
            return new ReservedMasksView(
                    host.matrix().managedReservation() != null,
                    reservation.apmask(),
                    reservation.aqmask(),
                    ReservationView.MasksView.observed(host));
        }
    }

    record KeepView(List<AdapterNumber> adapters, List<DomainNumber> domains) {}

    /** Those of mdevs are in the list of foreign mdevs, and with Apportion's own. */
    record DefinitionsView(
            @Schema(description = "The agent has read them") boolean known,
            int count,

            @Schema(description = "Those of mdevs that mdevctl makes at each boot of the host")
            int auto,

            @Schema(example = "[]") List<NotUnderstoodView> notUnderstood) {

        static DefinitionsView of(Definitions definitions) {
            return new DefinitionsView(
                    definitions.known(),
                    definitions.all().size(),
                    (int) definitions.all().stream()
                            .filter(ObservedDefinition::auto)
                            .count(),
                    definitions.all().stream()
                            .filter(definition -> definition.words() != null)
                            .map(definition ->
                                    new NotUnderstoodView(definition.name(), String.valueOf(definition.words())))
                            .toList());
        }
    }

    record NotUnderstoodView(
            @Schema(description = "Of the file") String name,
            @Schema(example = "it is no JSON") String why) {}

    /** What was applied and is not so on the host any more. */
    record DriftView(boolean reservation, List<Queue> drivers, List<UUID> mdevs) {

        static DriftView of(HostState host) {
            return new DriftView(
                    host.reservationDrifted(),
                    host.driftedDrivers(),
                    host.mdevs().values().stream()
                            .filter(MdevState::drifted)
                            .map(MdevState::uuid)
                            .toList());
        }
    }

    record CountsView(
            int adapters,
            @Schema(description = "Queue devices") int queues,

            @Schema(description = "Queue devices that are bound to vfio_ap")
            int boundQueues,

            @Schema(description = "Queues that a new mdev could be assigned")
            int freeQueues,

            int impairedQueues,
            int mdevs,

            @Schema(description = "Mdevs with something assigned that is not in the guest matrix")
            int filteredMdevs,

            int foreignMdevs,

            @Schema(description = "Mdevs with a guest attached")
            int guests,

            @Schema(description = "Queues that the attached guests have")
            int guestQueues) {

        static CountsView of(HostState host) {
            Inventory inventory = host.matrix().inventory();
            Collection<Mdev> mdevs = host.matrix().mdevs().values();
            return new CountsView(
                    host.adapters().size(),
                    inventory.devices().count(),
                    inventory.bound().count(),
                    Placement.free(host.matrix()).count(),
                    inventory.impaired().count(),
                    mdevs.size(),
                    (int) mdevs.stream()
                            .filter(mdev -> !mdev.assigned().isIn(mdev.guestMatrix())
                                    || !mdev.kernelFiltered().isEmpty())
                            .count(),
                    inventory.foreign().size(),
                    (int) mdevs.stream().filter(mdev -> mdev.guest() != null).count(),
                    mdevs.stream()
                            .filter(mdev -> mdev.guest() != null)
                            .mapToInt(mdev -> mdev.guestMatrix().queueCount())
                            .sum());
        }
    }
}
