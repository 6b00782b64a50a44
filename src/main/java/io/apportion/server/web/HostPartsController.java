package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.Mdev;
import io.apportion.ap.Queue;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.util.List;
import java.util.UUID;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** What a host has, as its agent reported it, and who has it: adapters, domains, queues. */
@RestController
@RequestMapping(path = "/api/v1/hosts/{host}", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Adapters, domains, queues")
final class HostPartsController {

    private final MatrixQueries queries;

    HostPartsController(MatrixQueries queries) {
        this.queries = queries;
    }

    @GetMapping("/adapters")
    @Operation(
            operationId = "listAdapters",
            summary = "Lists a host's adapters by number",
            description = "Those reported, those in the host configuration, and those assigned to an mdev.")
    PageView<AdapterView> adapters(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @RequestParam(defaultValue = Cursor.DEFAULT_LIMIT) @Min(1) @Max(Cursor.MAX_LIMIT) int limit,
            @RequestParam(required = false) @Nullable String cursor,
            HttpServletResponse response) {
        HostQueues parts = parts(host, response);
        return page(parts.adapters(), cursor, limit, parts::adapter);
    }

    @GetMapping("/adapters/{adapter}")
    @Operation(operationId = "getAdapter", summary = "Shows an adapter")
    AdapterView adapter(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @Parameter(example = "0x04") @PathVariable AdapterNumber adapter,
            HttpServletResponse response) {
        HostQueues parts = parts(host, response);
        if (!parts.adapters().has(adapter.value())) {
            throw notFound("Host " + host + " has no adapter " + adapter + ".");
        }
        return parts.adapter(adapter.value());
    }

    @GetMapping("/domains")
    @Operation(
            operationId = "listDomains",
            summary = "Lists a host's domains by number",
            description = "Those in the host configuration, for usage or control, those of queues that are there, and"
                    + " those assigned to an mdev.")
    PageView<DomainView> domains(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @RequestParam(defaultValue = Cursor.DEFAULT_LIMIT) @Min(1) @Max(Cursor.MAX_LIMIT) int limit,
            @RequestParam(required = false) @Nullable String cursor,
            HttpServletResponse response) {
        HostQueues parts = parts(host, response);
        return page(parts.domains(), cursor, limit, parts::domain);
    }

    @GetMapping("/domains/{domain}")
    @Operation(operationId = "getDomain", summary = "Shows a domain")
    DomainView domain(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @Parameter(example = "0x0047") @PathVariable DomainNumber domain,
            HttpServletResponse response) {
        HostQueues parts = parts(host, response);
        if (!parts.domains().has(domain.value())) {
            throw notFound("Host " + host + " has no domain " + domain + ".");
        }
        return parts.domain(domain.value());
    }

    @GetMapping("/queues")
    @Operation(
            operationId = "listQueues",
            summary = "Lists a host's queues by adapter and domain",
            description = "Those in the host configuration, those that are there, and those assigned to an mdev.")
    PageView<QueueView> queues(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @Parameter(description = "Only those of this adapter") @RequestParam(required = false) @Nullable
                    AdapterNumber adapter,
            @Parameter(description = "Only those of this domain") @RequestParam(required = false) @Nullable
                    DomainNumber domain,
            @Parameter(description = "Only those of this mdev") @RequestParam(required = false) @Nullable UUID mdev,
            @Parameter(description = "Whether bound to vfio_ap") @RequestParam(required = false) @Nullable
                    Boolean bound,
            @Parameter(description = "Whether a new mdev could be assigned it")
                    @RequestParam(required = false)
                    @Nullable
                    Boolean free,
            @RequestParam(defaultValue = Cursor.DEFAULT_LIMIT) @Min(1) @Max(Cursor.MAX_LIMIT) int limit,
            @RequestParam(required = false) @Nullable String cursor,
            HttpServletResponse response) {
        Queue after = Cursor.QUEUES.after(cursor);
        HostQueues parts = parts(host, response);
        List<Queue> found = parts.queues()
                .filter(queue -> after == null || queue.compareTo(after) > 0)
                .filter(queue -> adapter == null || queue.adapter() == adapter.value())
                .filter(queue -> domain == null || queue.domain() == domain.value())
                .filter(queue -> mdev == null || isOf(mdev, parts.owner(queue)))
                .filter(queue -> bound == null || parts.isBound(queue) == bound)
                .filter(queue -> free == null || parts.isFree(queue) == free)
                .limit(limit + 1L)
                .toList();
        return Cursor.QUEUES.page(found, limit, queue -> queue, parts::view);
    }

    private static boolean isOf(UUID mdev, @Nullable Mdev owner) {
        return owner != null && owner.uuid().equals(mdev);
    }

    @GetMapping("/queues/{queue}")
    @Operation(operationId = "getQueue", summary = "Shows a queue: its driver, its state, and who has it")
    QueueView queue(
            @Parameter(example = Examples.HOST) @PathVariable String host,
            @Parameter(example = "04.0053") @PathVariable Queue queue,
            HttpServletResponse response) {
        HostQueues parts = parts(host, response);
        if (!parts.knows(queue)) {
            throw notFound("Host " + host + " has no queue " + queue + ".");
        }
        return parts.view(queue);
    }

    private HostQueues parts(String host, HttpServletResponse response) {
        HostState state = queries.host(host);
        EntityTag.set(response, state);
        return new HostQueues(state);
    }

    private static <V> PageView<V> page(ApMask numbers, @Nullable String cursor, int limit, IntFunction<V> view) {
        Integer after = Cursor.NUMBERS.after(cursor);
        List<Integer> found = numbers.numbers()
                .filter(number -> after == null || number > after)
                .limit(limit + 1L)
                .boxed()
                .toList();
        return Cursor.NUMBERS.page(found, limit, number -> number, view::apply);
    }

    private static ProblemException notFound(String detail) {
        return new ProblemException(ProblemKind.NOT_FOUND, detail);
    }
}
