package io.apportion.server.web;

import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.Written;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.validation.Valid;
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
@RequestMapping(path = "/api/v1/hosts/{host}/queues/{queue}/driver", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Drivers and reservation")
final class QueueDriverController {

    private final MatrixService matrix;
    private final MatrixQueries queries;
    private final ChangeAnswers answers;

    QueueDriverController(MatrixService matrix, MatrixQueries queries, ChangeAnswers answers) {
        this.matrix = matrix;
        this.queries = queries;
        this.answers = answers;
    }

    @GetMapping
    @Operation(operationId = "getQueueDriver", summary = "Shows which driver a queue has and shall have")
    QueueDriverView get(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @Parameter(example = "04.0053") @PathVariable Queue queue,
            HttpServletResponse response) {
        HostState state = queries.host(host);
        EntityTag.set(response, state);
        return QueueDriverView.of(state, queue);
    }

    @PutMapping
    @Operation(
            operationId = "putQueueDriver",
            summary = "Says which driver a queue shall have",
            description = "Kept over reboots and over the card's absence. Taking the queue from a running guest needs"
                    + " force.")
    @Problems({
        ProblemKind.QUEUE_RESERVED,
        ProblemKind.GUEST_ATTACHED,
        ProblemKind.HOST_CANNOT_HOT_PLUG,
        ProblemKind.DRIVER_NOT_CHANGEABLE
    })
    ResponseEntity<QueueDriverView> put(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @Parameter(example = "04.0053") @PathVariable Queue queue,
            @Valid @RequestBody DriverRequest request,
            @RequestParam(defaultValue = "false") boolean force,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return set(host, queue, request.driver(), conditions.mode(force, dryRun), dryRun, conditions);
    }

    @DeleteMapping
    @Operation(
            operationId = "deleteQueueDriver",
            summary = "Makes a queue's driver unmanaged again",
            description = "The queue stays where it is. No guest loses anything by it.")
    @Problems(ProblemKind.HOST_CANNOT_HOT_PLUG)
    ResponseEntity<QueueDriverView> delete(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @Parameter(example = "04.0053") @PathVariable Queue queue,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return set(host, queue, null, conditions.mode(dryRun), dryRun, conditions);
    }

    private ResponseEntity<QueueDriverView> set(
            String host,
            Queue queue,
            @Nullable QueueDriver driver,
            MatrixService.Mode mode,
            boolean dryRun,
            Conditions conditions) {
        Written written = matrix.setDriver(host, queue, driver, mode);
        return answers.host(
                written,
                conditions,
                dryRun,
                (commit, effects) -> QueueDriverView.of(written.after(), queue, commit, effects));
    }
}
