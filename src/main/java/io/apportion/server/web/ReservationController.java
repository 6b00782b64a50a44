package io.apportion.server.web;

import io.apportion.ap.Reservation;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.Written;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletResponse;
import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

@RestController
@RequestMapping(path = "/api/v1/hosts/{host}/reservation", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Drivers and reservation")
final class ReservationController {

    private final MatrixService matrix;
    private final MatrixQueries queries;
    private final ChangeAnswers answers;

    ReservationController(MatrixService matrix, MatrixQueries queries, ChangeAnswers answers) {
        this.matrix = matrix;
        this.queries = queries;
        this.answers = answers;
    }

    @GetMapping
    @Operation(operationId = "getReservation", summary = "Shows what a host keeps for its own drivers")
    ReservationView get(@Parameter(example = Examples.HOST) @PathVariable String host, HttpServletResponse response) {
        HostState state = queries.host(host);
        EntityTag.set(response, state);
        return ReservationView.of(state);
    }

    @PutMapping
    @Operation(
            operationId = "putReservation",
            summary = "Says what a host keeps for its own drivers",
            description = "A queue is kept if its adapter is in apmask and its domain is in aqmask; all others are"
                    + " free for guests. Refused with all conflicts if a newly set adapter or domain touches any queue"
                    + " that is assigned to an mdev, with the other mask taken as all ones: the kernel's own rule.")
    @Problems({ProblemKind.QUEUE_IN_USE, ProblemKind.QUEUE_RESERVED, ProblemKind.DRIVER_NOT_CHANGEABLE})
    ResponseEntity<ReservationView> put(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @RequestBody ReservationRequest request,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return reserve(host, request.reservation(), dryRun, conditions);
    }

    @DeleteMapping
    @Operation(
            operationId = "deleteReservation",
            summary = "Makes a host's reservation unmanaged again",
            description = "The host's masks stay as they are.")
    ResponseEntity<ReservationView> delete(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return reserve(host, null, dryRun, conditions);
    }

    private ResponseEntity<ReservationView> reserve(
            String host, @Nullable Reservation reservation, boolean dryRun, Conditions conditions) {
        Written written = matrix.reserve(host, reservation, conditions.mode(dryRun));
        return answers.host(
                written,
                conditions,
                dryRun,
                (commit, effects) -> ReservationView.of(written.after(), written.plan(), commit, effects));
    }
}
