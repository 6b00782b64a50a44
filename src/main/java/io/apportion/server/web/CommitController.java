package io.apportion.server.web;

import io.apportion.ap.CommitState;
import io.apportion.server.matrix.CommitRecord;
import io.apportion.server.matrix.MatrixQueries;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.Pattern;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

@RestController
@RequestMapping(path = "/api/v1/commits", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Commits")
final class CommitController {

    private final MatrixQueries queries;

    CommitController(MatrixQueries queries) {
        this.queries = queries;
    }

    @GetMapping
    @Operation(operationId = "listCommits", summary = "Lists commits, the newest first")
    PageView<CommitView> list(
            @Parameter(description = "Only those of this host") @RequestParam(required = false) @Nullable String host,
            @Parameter(description = "Only those that touch this mdev") @RequestParam(required = false) @Nullable
                    UUID mdev,
            @Parameter(
                            description = "Only those of which at least one object is so",
                            schema = @Schema(allowableValues = {"pending", "applied", "failed", "superseded"}))
                    @RequestParam(required = false)
                    @Pattern(regexp = "pending|applied|failed|superseded", message = "is no state of a commit")
                    @Nullable
                    String state,
            @RequestParam(defaultValue = Cursor.DEFAULT_LIMIT) @Min(1) @Max(Cursor.MAX_LIMIT) int limit,
            @RequestParam(required = false) @Nullable String cursor) {
        return Cursor.COMMITS.page(
                queries.commits(
                        host,
                        mdev,
                        state == null ? null : TextForms.parseWord(CommitState.class, state),
                        Cursor.COMMITS.after(cursor),
                        limit + 1),
                limit,
                CommitRecord::id,
                CommitView::of);
    }

    @GetMapping("/{id}")
    @Operation(operationId = "getCommit", summary = "Shows a commit with what became of each of its objects")
    CommitView get(@Parameter(example = "1") @PathVariable long id) {
        return CommitView.of(queries.commit(id));
    }
}
