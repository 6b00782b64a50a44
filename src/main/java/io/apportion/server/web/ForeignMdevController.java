package io.apportion.server.web;

import io.apportion.ap.Inventory.ForeignMdev;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixService;
import io.apportion.wire.ObservedHost.ObservedDefinition;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.responses.ApiResponse;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/**
 * The mdevs of a host that Apportion did not make: listed and never touched, until somebody adopts one. Beside them those
 * that mdevctl would make, which are not there yet.
 */
@RestController
@RequestMapping(path = "/api/v1/hosts/{host}/foreign-mdevs", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Foreign mdevs")
final class ForeignMdevController {

    private final MatrixService matrix;
    private final MatrixQueries queries;
    private final ChangeAnswers answers;

    ForeignMdevController(MatrixService matrix, MatrixQueries queries, ChangeAnswers answers) {
        this.matrix = matrix;
        this.queries = queries;
        this.answers = answers;
    }

    @GetMapping
    @Operation(
            operationId = "listForeignMdevs",
            summary = "Lists the mdevs of a host that Apportion did not make, by UUID",
            description =
                    "Their queues count as in use. Those that mdevctl has defined are listed with their definition,"
                        + " also while they are not on the host: then their queues are not in use, and they cannot be"
                        + " adopted. mdevctl makes one whose start is auto at each boot of the host.")
    PageView<ForeignMdevView> list(
            @Parameter(example = Examples.HOST_OF_FOREIGN_MDEV) @PathVariable String host,
            @RequestParam(defaultValue = Cursor.DEFAULT_LIMIT) @Min(1) @Max(Cursor.MAX_LIMIT) int limit,
            @RequestParam(required = false) @Nullable String cursor,
            HttpServletResponse response) {
        UUID after = Cursor.MDEVS.after(cursor);
        HostState state = queries.host(host);
        EntityTag.set(response, state);
        Map<UUID, ForeignMdev> active = state.matrix().inventory().foreign();
        Map<UUID, ObservedDefinition> defined = state.definitions().byMdev();
        List<UUID> found = Stream.concat(
                        active.keySet().stream(),
                        defined.keySet().stream().filter(uuid -> !state.mdevs().containsKey(uuid)))
                .distinct()
                .filter(uuid -> after == null || uuid.toString().compareTo(after.toString()) > 0)
                .sorted(Comparator.comparing(UUID::toString))
                .limit(limit + 1L)
                .toList();
        return Cursor.MDEVS.page(found, limit, uuid -> uuid, uuid -> {
            ForeignMdev mdev = active.get(uuid);
            ObservedDefinition definition = defined.get(uuid);
            return mdev != null
                    ? ForeignMdevView.of(uuid, host, mdev, definition)
                    : ForeignMdevView.defined(uuid, host, Objects.requireNonNull(definition));
        });
    }

    @PostMapping("/{uuid}/adopt")
    @ApiResponse(responseCode = "200", description = "A dry run", useReturnTypeSchema = true)
    @ApiResponse(responseCode = "201", description = "Created", useReturnTypeSchema = true)
    @Operation(
            operationId = "adoptForeignMdev",
            summary = "Adopts an mdev that Apportion did not make, as it is",
            description = "Its guest keeps everything, and nothing is written to the host, unless the mdev has numbers"
                    + " outside of the host configuration: they stay assigned, and leave the kernel's matrix of it"
                    + " until the host gets them. It is one of Apportion's from then on. Where mdevctl has a"
                    + " definition of it whose start is auto, both would make it at each boot of the host: the"
                    + " answer's definition then says how to end that.")
    @Problems({ProblemKind.QUEUE_IN_USE, ProblemKind.MDEV_ELSEWHERE})
    ResponseEntity<MdevView> adopt(
            @Parameter(example = Examples.HOST_OF_FOREIGN_MDEV) @PathVariable String host,
            @Parameter(example = Examples.FOREIGN_MDEV) @PathVariable UUID uuid,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return answers.mdev(matrix.adopt(host, uuid, conditions.mode(dryRun)), conditions, dryRun);
    }
}
