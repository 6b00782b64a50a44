package io.apportion.server.web;

import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixQueries.MdevOnHost;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MdevSelection;
import io.apportion.server.matrix.MdevState;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.media.Content;
import io.swagger.v3.oas.annotations.media.ExampleObject;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.responses.ApiResponse;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.Pattern;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

@RestController
@RequestMapping(path = "/api/v1/mdevs", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Mdevs")
final class MdevController {

    private final MatrixService matrix;
    private final MatrixQueries queries;
    private final ChangeAnswers answers;

    MdevController(MatrixService matrix, MatrixQueries queries, ChangeAnswers answers) {
        this.matrix = matrix;
        this.queries = queries;
        this.answers = answers;
    }

    @GetMapping
    @Operation(
            operationId = "listMdevs",
            summary = "Lists mdevs of all hosts by UUID",
            description = "Those that meet every condition given.")
    PageView<MdevView> list(
            @Parameter(description = "Only those of this host") @RequestParam(required = false) @Nullable String host,
            @Parameter(description = "Only those with this adapter assigned") @RequestParam(required = false) @Nullable
                    AdapterNumber adapter,
            @Parameter(description = "Only those with this usage domain assigned")
                    @RequestParam(required = false)
                    @Nullable
                    DomainNumber domain,
            @Parameter(description = "Only those with this label, key=value") @RequestParam(required = false) @Nullable
                    String label,
            @Parameter(description = "Whether something assigned is not in the guest matrix")
                    @RequestParam(required = false)
                    @Nullable
                    Boolean filtered,
            @Parameter(description = "Whether the host shows something else than was applied")
                    @RequestParam(required = false)
                    @Nullable
                    Boolean drifted,
            @Parameter(description = "Whether the guest matrix has queues that are useless")
                    @RequestParam(required = false)
                    @Nullable
                    Boolean impaired,
            @Parameter(
                            description = "Only those whose running guest would get less at its next start",
                            schema = @Schema(allowableValues = "less"))
                    @RequestParam(required = false)
                    @Pattern(regexp = "less", message = "is not less")
                    @Nullable
                    String atNextStart,
            @RequestParam(defaultValue = Cursor.DEFAULT_LIMIT) @Min(1) @Max(Cursor.MAX_LIMIT) int limit,
            @RequestParam(required = false) @Nullable String cursor) {
        List<MdevOnHost> found = queries.mdevs(new MdevSelection(
                host,
                adapter == null ? null : adapter.value(),
                domain == null ? null : domain.value(),
                Labels.checkedFilter(label),
                filtered,
                drifted,
                impaired,
                atNextStart == null ? null : true,
                Cursor.MDEVS.after(cursor),
                limit + 1));
        return Cursor.MDEVS.page(
                found, limit, item -> item.mdev().uuid(), item -> MdevView.of(item.host(), item.mdev()));
    }

    @PostMapping
    @ApiResponse(responseCode = "200", description = "A dry run", useReturnTypeSchema = true)
    @ApiResponse(responseCode = "201", description = "Created", useReturnTypeSchema = true)
    @Operation(
            operationId = "createMdev",
            summary = "Creates an mdev",
            description = "The server picks the UUID; to be able to repeat a request, pick one and PUT.",
            requestBody =
                    @io.swagger.v3.oas.annotations.parameters.RequestBody(
                            content = @Content(examples = @ExampleObject(Examples.MDEV_OF_OTHER_HOST))))
    @Problems({ProblemKind.NOT_FOUND, ProblemKind.QUEUE_IN_USE, ProblemKind.QUEUE_RESERVED})
    ResponseEntity<MdevView> create(
            @Valid @RequestBody MdevRequest request,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return answers.mdev(
                matrix.createMdev(UUID.randomUUID(), request.settings(), conditions.mode(dryRun)), conditions, dryRun);
    }

    @GetMapping("/{uuid}")
    @Operation(operationId = "getMdev", summary = "Shows an mdev: assigned, guest matrix, observed, and why not")
    MdevView get(@Parameter(example = Examples.MDEV) @PathVariable UUID uuid, HttpServletResponse response) {
        HostState host = queries.hostOf(uuid);
        MdevState mdev = Objects.requireNonNull(host.mdevs().get(uuid));
        EntityTag.set(response, mdev);
        return MdevView.of(host, mdev);
    }

    @PutMapping("/{uuid}")
    @ApiResponse(responseCode = "200", description = "Changed, or as it was, or a dry run", useReturnTypeSchema = true)
    @ApiResponse(responseCode = "201", description = "Created", useReturnTypeSchema = true)
    @Operation(
            operationId = "putMdev",
            summary = "Creates or replaces an mdev",
            description =
                    "A list that is left out is empty; labels that are left out are kept. All or nothing. The host of"
                            + " an mdev never changes.")
    @Problems({
        ProblemKind.QUEUE_IN_USE,
        ProblemKind.QUEUE_RESERVED,
        ProblemKind.HOST_CANNOT_HOT_PLUG,
        ProblemKind.MDEV_ELSEWHERE,
        ProblemKind.MDEV_REMOVING
    })
    ResponseEntity<MdevView> put(
            @Parameter(example = Examples.NEW_MDEV) @PathVariable UUID uuid,
            @Valid @RequestBody MdevRequest request,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return answers.mdev(matrix.putMdev(uuid, request.settings(), conditions.mode(dryRun)), conditions, dryRun);
    }

    @DeleteMapping("/{uuid}")
    @Operation(
            operationId = "deleteMdev",
            summary = "Deletes an mdev",
            description =
                    "Refused while a guest is attached, unless forced: then it loses everything at once, its state is"
                            + " removing, and it keeps its queues until the guest has let go.")
    @Problems({ProblemKind.GUEST_ATTACHED, ProblemKind.HOST_CANNOT_HOT_PLUG, ProblemKind.MDEV_REMOVING})
    ResponseEntity<MdevDeletedView> delete(
            @Parameter(example = Examples.NEW_MDEV) @PathVariable UUID uuid,
            @RequestParam(defaultValue = "false") boolean force,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return answers.deleted(uuid, matrix.deleteMdev(uuid, conditions.mode(force, dryRun)), conditions, dryRun);
    }
}
