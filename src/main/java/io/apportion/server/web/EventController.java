package io.apportion.server.web;

import io.apportion.server.matrix.EventRecord;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.Stay;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.enums.ParameterIn;
import io.swagger.v3.oas.annotations.media.Content;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.responses.ApiResponse;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.json.JsonMapper;

@RestController
@RequestMapping("/api/v1/events")
@Tag(name = "Events")
final class EventController {

    private static final int BATCH = 200;
    private static final Duration HEARTBEAT = Duration.ofSeconds(10);

    private final MatrixQueries queries;
    private final EventNews news;
    private final JsonMapper json;

    EventController(MatrixQueries queries, EventNews news, JsonMapper json) {
        this.queries = queries;
        this.news = news;
        this.json = json;
    }

    @GetMapping(produces = MediaType.APPLICATION_JSON_VALUE)
    @Operation(
            operationId = "listEvents",
            summary = "Lists what happened, the oldest first; or streams it as it happens",
            description =
                    "As text/event-stream the answer stays open: each event comes with its id, and whoever connects"
                            + " again with that id as Last-Event-ID misses none. Without Last-Event-ID and after, the"
                            + " stream begins with what happens next. A position that was pruned is gone, and so is one"
                            + " that was given by a database which was lost and restored from a backup.")
    @Problems({ProblemKind.GONE, ProblemKind.TOO_MANY_STREAMS})
    PageView<EventView> list(
            @Parameter(description = "Only those of this host") @RequestParam(required = false) @Nullable String host,
            @Parameter(description = "Only those of this mdev") @RequestParam(required = false) @Nullable UUID mdev,
            @Parameter(description = "Only those of this type, such as guest.adapter.unplugged")
                    @RequestParam(required = false)
                    @Nullable
                    String type,
            @Parameter(description = "Only those after this id") @RequestParam(required = false) @Nullable Long after,
            @RequestParam(defaultValue = Cursor.DEFAULT_LIMIT) @Min(1) @Max(Cursor.MAX_LIMIT) int limit,
            @Parameter(description = "Instead of after") @RequestParam(required = false) @Nullable String cursor) {
        if (after != null && cursor != null) {
            throw new ProblemException(
                    ProblemKind.MALFORMED_REQUEST, "The parameters after and cursor exclude each other.");
        }
        List<EventRecord> found =
                queries.events(host, mdev, type, cursor == null ? after : Cursor.EVENTS.after(cursor), limit + 1);
        return Cursor.EVENTS.page(found, limit, EventRecord::position, EventView::of);
    }

    /** Holds the request's virtual thread, and between two looks nothing else. */
    @GetMapping(produces = MediaType.TEXT_EVENT_STREAM_VALUE)
    @ApiResponse(
            responseCode = "200",
            content =
                    @Content(
                            mediaType = MediaType.TEXT_EVENT_STREAM_VALUE,
                            schema = @Schema(implementation = EventView.class)))
    @Operation(operationId = "listEvents")
    void stream(
            @RequestParam(required = false) @Nullable String host,
            @RequestParam(required = false) @Nullable UUID mdev,
            @RequestParam(required = false) @Nullable String type,
            @RequestParam(required = false) @Nullable Long after,
            @Parameter(
                            name = "Last-Event-ID",
                            in = ParameterIn.HEADER,
                            description = "For a stream: the id of the last event received. Goes before after")
                    @RequestHeader(name = "Last-Event-ID", required = false)
                    @Nullable
                    Long lastEventId,
            Stay stay,
            HttpServletRequest request,
            HttpServletResponse response)
            throws IOException, InterruptedException {
        Long resumed = lastEventId == null ? after : lastEventId;
        long position = resumed == null ? queries.newestEvent() : resumed;
        // Before anything is sent: a position that is gone is a problem, not a stream that breaks off.
        List<EventRecord> found = queries.events(host, mdev, type, position, BATCH);
        response.setContentType(MediaType.TEXT_EVENT_STREAM_VALUE);
        response.setCharacterEncoding(StandardCharsets.UTF_8);
        response.setHeader(HttpHeaders.CACHE_CONTROL, "no-store");
        response.setHeader("X-Accel-Buffering", "no");
        if (HttpMethod.HEAD.matches(request.getMethod())) {
            return;
        }
        stay.whenOver(news::wake);
        Writer out = response.getWriter();
        out.write("id: " + position + "\n\n");
        while (!stay.isOver()) {
            for (EventRecord event : found) {
                position = event.position();
                out.write("id: " + position + "\ndata: " + json.writeValueAsString(EventView.of(event)) + "\n\n");
            }
            response.flushBuffer();
            if (found.size() < BATCH) {
                long newest = news.await(position, HEARTBEAT, stay);
                if (newest < 0) {
                    return;
                }
                found = newest > position ? queries.events(host, mdev, type, position, BATCH) : List.of();
                if (found.isEmpty()) {
                    // None up to there concerns this stream: it resumes after it, however long ago its last one was.
                    position = Math.max(position, newest);
                    out.write(": still here\nid: " + position + "\n\n");
                }
            } else {
                found = queries.events(host, mdev, type, position, BATCH);
            }
        }
    }
}
