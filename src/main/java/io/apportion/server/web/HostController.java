package io.apportion.server.web;

import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.Written;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.responses.ApiResponse;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.Pattern;
import java.util.ArrayList;
import java.util.List;
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
@RequestMapping(path = "/api/v1/hosts", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Hosts")
final class HostController {

    private static final String NAME = "[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?";

    /** Hosts read at once while those of a label are looked for. */
    private static final int BATCH = 100;

    private final MatrixService matrix;
    private final MatrixQueries queries;
    private final ChangeAnswers answers;

    HostController(MatrixService matrix, MatrixQueries queries, ChangeAnswers answers) {
        this.matrix = matrix;
        this.queries = queries;
        this.answers = answers;
    }

    @GetMapping
    @Operation(operationId = "listHosts", summary = "Lists hosts by name")
    PageView<HostView> list(
            @Parameter(description = "Only those with this label, key=value") @RequestParam(required = false) @Nullable
                    String label,
            @RequestParam(defaultValue = Cursor.DEFAULT_LIMIT) @Min(1) @Max(Cursor.MAX_LIMIT) int limit,
            @RequestParam(required = false) @Nullable String cursor) {
        String filter = Labels.checkedFilter(label);
        String after = Cursor.HOSTS.after(cursor);
        if (filter == null) {
            return Cursor.HOSTS.page(queries.hosts(after, limit + 1), limit, HostState::name, HostView::of);
        }
        List<HostState> found = new ArrayList<>();
        List<HostState> batch;
        do {
            batch = queries.hosts(after, BATCH);
            for (HostState host : batch) {
                after = host.name();
                if (Labels.match(host.labels(), filter)) {
                    found.add(host);
                }
            }
        } while (batch.size() == BATCH && found.size() <= limit);
        return Cursor.HOSTS.page(found, limit, HostState::name, HostView::of);
    }

    @GetMapping("/{host}")
    @Operation(operationId = "getHost", summary = "Shows a host")
    HostView get(@Parameter(example = Examples.HOST) @PathVariable String host, HttpServletResponse response) {
        HostState state = queries.host(host);
        EntityTag.set(response, state);
        return HostView.of(state);
    }

    @PutMapping("/{host}")
    @ApiResponse(responseCode = "200", description = "Changed, or as it was, or a dry run", useReturnTypeSchema = true)
    @ApiResponse(responseCode = "201", description = "Created", useReturnTypeSchema = true)
    @Operation(
            operationId = "putHost",
            summary = "Creates or changes a host",
            description =
                    "What is left out keeps its value. Switching the filter runs it for every mdev of the host; if a"
                            + " running guest would lose a queue by it, that needs force.")
    @Problems({ProblemKind.GUEST_ATTACHED, ProblemKind.HOST_CANNOT_HOT_PLUG, ProblemKind.DRIVER_NOT_CHANGEABLE})
    ResponseEntity<HostView> put(
            @Parameter(example = Examples.NEW_HOST)
                    @PathVariable
                    @Pattern(
                            regexp = NAME,
                            message = "is not 1 to 63 lower-case letters, digits, dots and dashes that begin and end"
                                    + " with a letter or digit")
                    String host,
            @Valid @RequestBody HostRequest request,
            @RequestParam(defaultValue = "false") boolean force,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        Written written = matrix.putHost(host, request.settings(), conditions.mode(force, dryRun));
        return answers.host(
                written, conditions, dryRun, (commit, effects) -> HostView.of(written.after(), commit, effects));
    }

    @DeleteMapping("/{host}")
    @Operation(
            operationId = "deleteHost",
            summary = "Deletes a host without mdevs",
            description = "Answers with the host as it was last. Nothing is changed on the machine.")
    @Problems(ProblemKind.HOST_NOT_EMPTY)
    HostView delete(
            @Parameter(example = Examples.NEW_HOST) @PathVariable String host,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        Written written = matrix.deleteHost(host, conditions.mode(dryRun));
        return HostView.of(written.after(), null, List.of());
    }

    @DeleteMapping("/{host}/claim")
    @Operation(
            operationId = "releaseClaim",
            summary = "Lets another machine claim the host's name",
            description =
                    "A host is claimed by the first machine id that reports for it; another one is then refused as"
                            + " host-claimed until this is done.")
    ResponseEntity<HostView> releaseClaim(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        Written written = matrix.releaseClaim(host, conditions.mode(dryRun));
        return answers.host(
                written, conditions, dryRun, (commit, effects) -> HostView.of(written.after(), commit, effects));
    }
}
