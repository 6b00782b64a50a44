package io.apportion.server.web;

import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MdevState;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.validation.Valid;
import java.util.Objects;
import java.util.UUID;
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

/** Who has an mdev open. Told here only for hosts whose agent cannot see it. */
@RestController
@RequestMapping(path = "/api/v1/mdevs/{uuid}/guest", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Guest of an mdev")
final class MdevGuestController {

    private final MatrixService matrix;
    private final MatrixQueries queries;
    private final ChangeAnswers answers;

    MdevGuestController(MatrixService matrix, MatrixQueries queries, ChangeAnswers answers) {
        this.matrix = matrix;
        this.queries = queries;
        this.answers = answers;
    }

    @GetMapping
    @Operation(operationId = "getGuest", summary = "Shows which guest is attached")
    GuestView get(@Parameter(example = Examples.MDEV) @PathVariable UUID uuid, HttpServletResponse response) {
        HostState host = queries.hostOf(uuid);
        MdevState mdev = Objects.requireNonNull(host.mdevs().get(uuid));
        EntityTag.set(response, mdev);
        return GuestView.of(mdev);
    }

    @PutMapping
    @Operation(
            operationId = "attachGuest",
            summary = "Tells that a guest is attached",
            description = "Only for hosts whose agent cannot see guests (features.guests is false).")
    @Problems({
        ProblemKind.GUEST_ATTACHED,
        ProblemKind.GUEST_HAS_MDEV,
        ProblemKind.MDEV_REMOVING,
        ProblemKind.GUEST_OBSERVED
    })
    ResponseEntity<MdevView> attach(
            @Parameter(example = Examples.MDEV_OF_UNSEEN_GUEST) @PathVariable UUID uuid,
            @Valid @RequestBody GuestRequest request,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return answers.mdev(matrix.attachGuest(uuid, request.name(), conditions.mode(dryRun)), conditions, dryRun);
    }

    @DeleteMapping
    @Operation(
            operationId = "releaseGuest",
            summary = "Tells that no guest is attached any more",
            description = "Only for hosts whose agent cannot see guests (features.guests is false).")
    @Problems(ProblemKind.GUEST_OBSERVED)
    ResponseEntity<MdevView> release(
            @Parameter(example = Examples.MDEV_OF_UNSEEN_GUEST) @PathVariable UUID uuid,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return answers.mdev(matrix.releaseGuest(uuid, conditions.mode(dryRun)), conditions, dryRun);
    }
}
