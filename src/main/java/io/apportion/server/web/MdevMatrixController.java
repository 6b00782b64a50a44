package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MdevState;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletResponse;
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

/** What is assigned to an mdev, number by number or all at once, and what its guest gets of it. */
@RestController
@RequestMapping(path = "/api/v1/mdevs/{uuid}", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Matrix of an mdev")
final class MdevMatrixController {

    private static final String SYSFS_FORM =
            "As text/plain in the form of sysfs: one line for each queue, 04.0047; with"
                    + " adapters alone 04. and with domains alone .0047.";

    private final MatrixService matrix;
    private final MatrixQueries queries;
    private final ChangeAnswers answers;

    MdevMatrixController(MatrixService matrix, MatrixQueries queries, ChangeAnswers answers) {
        this.matrix = matrix;
        this.queries = queries;
        this.answers = answers;
    }

    @PutMapping("/adapters/{adapter}")
    @Operation(operationId = "assignAdapter", summary = "Assigns an adapter; one that is assigned is no error")
    @Problems({
        ProblemKind.QUEUE_IN_USE,
        ProblemKind.QUEUE_RESERVED,
        ProblemKind.HOST_CANNOT_HOT_PLUG,
        ProblemKind.MDEV_REMOVING
    })
    ResponseEntity<MdevView> assignAdapter(
            @Parameter(example = Examples.MDEV) @PathVariable UUID uuid,
            @Parameter(example = "0x05") @PathVariable AdapterNumber adapter,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return assign(uuid, adapter(adapter), dryRun, conditions);
    }

    @DeleteMapping("/adapters/{adapter}")
    @Operation(operationId = "unassignAdapter", summary = "Unassigns an adapter; one that is not assigned is no error")
    @Problems({ProblemKind.HOST_CANNOT_HOT_PLUG, ProblemKind.MDEV_REMOVING})
    ResponseEntity<MdevView> unassignAdapter(
            @Parameter(example = Examples.MDEV) @PathVariable UUID uuid,
            @Parameter(example = "0x05") @PathVariable AdapterNumber adapter,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return unassign(uuid, adapter(adapter), dryRun, conditions);
    }

    @PutMapping("/domains/{domain}")
    @Operation(operationId = "assignDomain", summary = "Assigns a usage domain; one that is assigned is no error")
    @Problems({
        ProblemKind.QUEUE_IN_USE,
        ProblemKind.QUEUE_RESERVED,
        ProblemKind.HOST_CANNOT_HOT_PLUG,
        ProblemKind.MDEV_REMOVING
    })
    ResponseEntity<MdevView> assignDomain(
            @Parameter(example = Examples.MDEV) @PathVariable UUID uuid,
            @Parameter(example = "0x0047") @PathVariable DomainNumber domain,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return assign(uuid, domain(domain), dryRun, conditions);
    }

    @DeleteMapping("/domains/{domain}")
    @Operation(
            operationId = "unassignDomain",
            summary = "Unassigns a usage domain; one that is not assigned is no error")
    @Problems({ProblemKind.HOST_CANNOT_HOT_PLUG, ProblemKind.MDEV_REMOVING})
    ResponseEntity<MdevView> unassignDomain(
            @Parameter(example = Examples.MDEV) @PathVariable UUID uuid,
            @Parameter(example = "0x0047") @PathVariable DomainNumber domain,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return unassign(uuid, domain(domain), dryRun, conditions);
    }

    @PutMapping("/control-domains/{domain}")
    @Operation(
            operationId = "assignControlDomain",
            summary = "Assigns a control domain; one that is assigned is no error")
    @Problems({
        ProblemKind.QUEUE_IN_USE,
        ProblemKind.QUEUE_RESERVED,
        ProblemKind.HOST_CANNOT_HOT_PLUG,
        ProblemKind.MDEV_REMOVING
    })
    ResponseEntity<MdevView> assignControlDomain(
            @Parameter(example = Examples.MDEV) @PathVariable UUID uuid,
            @Parameter(example = "0x0047") @PathVariable DomainNumber domain,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return assign(uuid, controlDomain(domain), dryRun, conditions);
    }

    @DeleteMapping("/control-domains/{domain}")
    @Operation(
            operationId = "unassignControlDomain",
            summary = "Unassigns a control domain; one that is not assigned is no error")
    @Problems({ProblemKind.HOST_CANNOT_HOT_PLUG, ProblemKind.MDEV_REMOVING})
    ResponseEntity<MdevView> unassignControlDomain(
            @Parameter(example = Examples.MDEV) @PathVariable UUID uuid,
            @Parameter(example = "0x0047") @PathVariable DomainNumber domain,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return unassign(uuid, controlDomain(domain), dryRun, conditions);
    }

    @GetMapping("/matrix")
    @Operation(operationId = "getMatrix", summary = "Shows what is assigned", description = SYSFS_FORM)
    MatrixView matrix(@Parameter(example = Examples.MDEV) @PathVariable UUID uuid, HttpServletResponse response) {
        return MatrixView.of(tagged(uuid, queries.hostOf(uuid), response).mdev().assigned());
    }

    @GetMapping(path = "/matrix", produces = MediaType.TEXT_PLAIN_VALUE)
    @Operation(operationId = "getMatrix")
    String matrixAsText(@Parameter(example = Examples.MDEV) @PathVariable UUID uuid, HttpServletResponse response) {
        return SysfsText.of(tagged(uuid, queries.hostOf(uuid), response).mdev().assigned());
    }

    @PutMapping("/matrix")
    @Operation(
            operationId = "putMatrix",
            summary = "Replaces all that is assigned, all or nothing",
            description =
                    "Adapters, domains and control domains at once, as the kernel's ap_config. A list that is left out"
                            + " is empty.")
    @Problems({
        ProblemKind.QUEUE_IN_USE,
        ProblemKind.QUEUE_RESERVED,
        ProblemKind.HOST_CANNOT_HOT_PLUG,
        ProblemKind.MDEV_REMOVING
    })
    ResponseEntity<MdevView> putMatrix(
            @Parameter(example = Examples.MDEV) @PathVariable UUID uuid,
            @RequestBody MatrixRequest request,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Conditions conditions) {
        return answers.mdev(matrix.replaceMatrix(uuid, request.matrix(), conditions.mode(dryRun)), conditions, dryRun);
    }

    @GetMapping("/guest-matrix")
    @Operation(
            operationId = "getGuestMatrix",
            summary = "Shows what the guest gets, by the rules and on the host, and why not more",
            description = SYSFS_FORM)
    GuestMatrixView guestMatrix(
            @Parameter(example = Examples.MDEV) @PathVariable UUID uuid, HttpServletResponse response) {
        HostState host = queries.hostOf(uuid);
        return GuestMatrixView.of(host, tagged(uuid, host, response));
    }

    @GetMapping(path = "/guest-matrix", produces = MediaType.TEXT_PLAIN_VALUE)
    @Operation(operationId = "getGuestMatrix")
    String guestMatrixAsText(
            @Parameter(example = Examples.MDEV) @PathVariable UUID uuid, HttpServletResponse response) {
        return SysfsText.of(tagged(uuid, queries.hostOf(uuid), response).mdev().guestMatrix());
    }

    private static MdevState tagged(UUID uuid, HostState host, HttpServletResponse response) {
        MdevState mdev = Objects.requireNonNull(host.mdevs().get(uuid));
        EntityTag.set(response, mdev);
        return mdev;
    }

    private ResponseEntity<MdevView> assign(UUID uuid, Matrix added, boolean dryRun, Conditions conditions) {
        return answers.mdev(matrix.assign(uuid, added, conditions.mode(dryRun)), conditions, dryRun);
    }

    private ResponseEntity<MdevView> unassign(UUID uuid, Matrix taken, boolean dryRun, Conditions conditions) {
        return answers.mdev(matrix.unassign(uuid, taken, conditions.mode(dryRun)), conditions, dryRun);
    }

    private static Matrix adapter(AdapterNumber adapter) {
        return new Matrix(ApMask.of(adapter.value()), ApMask.NONE, ApMask.NONE);
    }

    private static Matrix domain(DomainNumber domain) {
        return new Matrix(ApMask.NONE, ApMask.of(domain.value()), ApMask.NONE);
    }

    private static Matrix controlDomain(DomainNumber domain) {
        return new Matrix(ApMask.NONE, ApMask.NONE, ApMask.of(domain.value()));
    }
}
