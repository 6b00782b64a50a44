package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.Placement;
import io.apportion.ap.Policy;
import io.apportion.ap.QueueSet;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.HostState.AdapterState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.web.PlacementsView.PlacementView;
import io.apportion.server.web.PlacementsView.RejectedView;
import io.apportion.server.web.PlacementsView.RejectionReason;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

@RestController
@RequestMapping(path = "/api/v1/placements", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Placements")
final class PlacementController {

    /** Hosts read at once. */
    private static final int BATCH = 100;

    private static final Comparator<PlacementView> BEST_FIRST = Comparator.comparing(
                    (PlacementView placement) -> !placement.connected() || placement.paused())
            .thenComparingInt(placement -> placement.bind().size())
            .thenComparing(
                    Comparator.comparingInt(PlacementView::freeQueuesLeft).reversed())
            .thenComparing(PlacementView::host);

    private final MatrixQueries queries;

    PlacementController(MatrixQueries queries) {
        this.queries = queries;
    }

    @GetMapping
    @Operation(
            operationId = "findPlacements",
            summary = "Finds where a new mdev could be placed",
            description =
                    "On each host the free rectangle of so many adapters and domains with the fewest queues to bind. A"
                        + " free queue is in the host configuration, there and not impaired, reserved by nobody, not"
                        + " given away, in no mdev, and bound to vfio_ap or free for it to be bound. Hosts with a"
                        + " connected agent and a policy other than paused come first; then those with fewer queues to"
                        + " bind; then those with more free queues left. Nothing is held: the POST of the mdev"
                        + " decides. Hosts are searched to the end unless both sides are long and the holes are many;"
                        + " reason NOT_FOUND_IN_TIME says so.")
    @Problems(ProblemKind.NOT_FOUND)
    PlacementsView find(
            @Parameter(description = "How many") @RequestParam(defaultValue = "1") @Min(1) @Max(ApMask.BITS)
                    int adapters,
            @Parameter(description = "How many") @RequestParam(defaultValue = "1") @Min(1) @Max(ApMask.BITS)
                    int domains,
            @Parameter(description = "Only adapters of this type, such as CEX8P")
                    @RequestParam(required = false)
                    @Nullable
                    String type,
            @Parameter(description = "Only hosts with this label, key=value") @RequestParam(required = false) @Nullable
                    String label,
            @Parameter(description = "Only this host") @RequestParam(required = false) @Nullable String host,
            @Parameter(description = "How many placements and how many rejected hosts at most")
                    @RequestParam(defaultValue = Cursor.DEFAULT_LIMIT)
                    @Min(1)
                    @Max(Cursor.MAX_LIMIT)
                    int limit) {
        String filter = Labels.checkedFilter(label);
        List<PlacementView> placements = new ArrayList<>();
        List<RejectedView> rejected = new ArrayList<>();
        List<HostState> batch;
        String after = null;
        do {
            batch = host == null ? queries.hosts(after, BATCH) : List.of(queries.host(host));
            for (HostState candidate : batch) {
                after = candidate.name();
                if (Labels.match(candidate.labels(), filter)) {
                    place(candidate, adapters, domains, type, placements, rejected);
                }
            }
        } while (batch.size() == BATCH);
        placements.sort(BEST_FIRST);
        return new PlacementsView(
                placements.stream().limit(limit).toList(),
                rejected.stream().limit(limit).toList());
    }

    private static void place(
            HostState host,
            int adapters,
            int domains,
            @Nullable String type,
            List<PlacementView> placements,
            List<RejectedView> rejected) {
        if (!host.matrix().inventory().reported()) {
            rejected.add(new RejectedView(
                    host.name(), RejectionReason.HOST_NEVER_REPORTED, "Its agent has never reported."));
            return;
        }
        ApMask cards = ApMask.of(host.adapters().values().stream()
                .filter(card -> type == null || type.equals(card.type()))
                .filter(card -> card.configured() && !card.checkstopped())
                .mapToInt(AdapterState::adapter)
                .toArray());
        if (cards.isEmpty()) {
            rejected.add(new RejectedView(
                    host.name(),
                    RejectionReason.NO_SUCH_ADAPTER,
                    "It has no adapter" + (type == null ? "" : " of type " + type)
                            + " that is configured and not check-stopped."));
            return;
        }
        QueueSet free = Placement.free(host.matrix());
        QueueSet usable = free.within(cards, ApMask.ALL);
        Placement.Found found = Placement.find(usable, host.matrix().inventory().bound(), adapters, domains);
        Placement placement = found.placement();
        if (placement != null) {
            placements.add(new PlacementView(
                    host.name(),
                    AdapterNumber.in(placement.adapters()),
                    DomainNumber.in(placement.domains()),
                    placement.toBind().queues().toList(),
                    host.agent().connected(),
                    host.policy() == Policy.PAUSED,
                    free.count() - adapters * domains));
            return;
        }
        long wideEnough = cards.numbers()
                .filter(card -> usable.domains(card).count() >= domains)
                .count();
        if (wideEnough < adapters) {
            rejected.add(new RejectedView(
                    host.name(),
                    RejectionReason.TOO_FEW_FREE_ADAPTERS,
                    "Adapters with at least " + domains + " free domains: " + wideEnough + " of " + adapters + "."));
        } else if (found.complete()) {
            rejected.add(new RejectedView(
                    host.name(),
                    RejectionReason.NO_COMMON_DOMAINS,
                    "No " + adapters + " adapters have " + domains + " free domains in common."));
        } else {
            rejected.add(new RejectedView(
                    host.name(), RejectionReason.NOT_FOUND_IN_TIME, "The search was cut short; there may be one."));
        }
    }
}
