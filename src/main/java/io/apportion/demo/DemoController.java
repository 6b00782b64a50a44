package io.apportion.demo;

import io.apportion.ap.Queue;
import io.apportion.server.web.AdapterNumber;
import io.apportion.server.web.DomainNumber;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.media.Content;
import io.swagger.v3.oas.annotations.media.ExampleObject;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.validation.Valid;
import jakarta.validation.constraints.NotNull;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;

/** What a person does to the simulated machines: hardware that comes, goes, is deconfigured or breaks, and guests. */
@RestController
@RequestMapping(path = "/demo/v1/hosts/{host}", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Demo", description = "The simulated machines of the demo. Not part of a server.")
final class DemoController {

    private final DemoHosts hosts;

    DemoController(DemoHosts hosts) {
        this.hosts = hosts;
    }

    /**
     * @param configured null: true
     * @param checkstopped null: false
     */
    record CardRequest(
            @Nullable Boolean configured, @Nullable Boolean checkstopped) {}

    record StartRequest(@NotNull UUID mdev) {}

    @GetMapping
    @Operation(operationId = "getMachine", summary = "Shows a simulated machine, and what its guests really have")
    MachineView get(@Parameter(example = "lpar1") @PathVariable String host) {
        return MachineView.of(host, hosts.host(host));
    }

    @PutMapping(path = "/cards/{adapter}", consumes = MediaType.APPLICATION_JSON_VALUE)
    @Operation(
            operationId = "putCard",
            summary = "Puts a card in, or deconfigures, breaks or repairs it",
            requestBody =
                    @io.swagger.v3.oas.annotations.parameters.RequestBody(
                            content =
                                    @Content(
                                            examples =
                                                    @ExampleObject("{\"configured\": true, \"checkstopped\": true}"))))
    MachineView putCard(
            @Parameter(example = "lpar1") @PathVariable String host,
            @Parameter(example = "0x04") @PathVariable AdapterNumber adapter,
            @Valid @RequestBody CardRequest request) {
        DemoHost machine = hosts.host(host);
        machine.putCard(
                adapter.value(),
                !Boolean.FALSE.equals(request.configured()),
                Boolean.TRUE.equals(request.checkstopped()));
        return MachineView.of(host, machine);
    }

    @DeleteMapping("/cards/{adapter}")
    @Operation(operationId = "deleteCard", summary = "Takes a card out")
    MachineView deleteCard(
            @Parameter(example = "lpar1") @PathVariable String host,
            @Parameter(example = "0x04") @PathVariable AdapterNumber adapter) {
        DemoHost machine = hosts.host(host);
        machine.removeCard(adapter.value());
        return MachineView.of(host, machine);
    }

    @PutMapping("/domains/{domain}")
    @Operation(operationId = "putDomain", summary = "Gives the machine a domain")
    MachineView putDomain(
            @Parameter(example = "lpar1") @PathVariable String host,
            @Parameter(example = "0x0055") @PathVariable DomainNumber domain) {
        DemoHost machine = hosts.host(host);
        machine.putDomain(domain.value());
        return MachineView.of(host, machine);
    }

    @DeleteMapping("/domains/{domain}")
    @Operation(operationId = "deleteDomain", summary = "Takes a domain from the machine")
    MachineView deleteDomain(
            @Parameter(example = "lpar1") @PathVariable String host,
            @Parameter(example = "0x0055") @PathVariable DomainNumber domain) {
        DemoHost machine = hosts.host(host);
        machine.removeDomain(domain.value());
        return MachineView.of(host, machine);
    }

    @PutMapping("/queues/{queue}")
    @Operation(operationId = "putQueue", summary = "Lets a queue answer again")
    MachineView putQueue(
            @Parameter(example = "lpar1") @PathVariable String host,
            @Parameter(example = "05.0054") @PathVariable Queue queue) {
        DemoHost machine = hosts.host(host);
        machine.putQueue(queue);
        return MachineView.of(host, machine);
    }

    @DeleteMapping("/queues/{queue}")
    @Operation(operationId = "deleteQueue", summary = "Makes a queue vanish: its card and its domain stay")
    MachineView deleteQueue(
            @Parameter(example = "lpar1") @PathVariable String host,
            @Parameter(example = "05.0054") @PathVariable Queue queue) {
        DemoHost machine = hosts.host(host);
        machine.removeQueue(queue);
        return MachineView.of(host, machine);
    }

    @PutMapping(path = "/guests/{name}", consumes = MediaType.APPLICATION_JSON_VALUE)
    @Operation(
            operationId = "startGuest",
            summary = "Starts a guest, which opens that mdev",
            requestBody =
                    @io.swagger.v3.oas.annotations.parameters.RequestBody(
                            content =
                                    @Content(
                                            examples = @ExampleObject("{\"mdev\":"
                                                            + " \"c2e8f4a6-1b7d-4930-b5c8-9a0d6e3f7b03\"}"))))
    MachineView putGuest(
            @Parameter(example = "lpar2") @PathVariable String host,
            @Parameter(example = "vault-vm") @PathVariable String name,
            @Valid @RequestBody StartRequest request) {
        DemoHost machine = hosts.host(host);
        machine.openGuest(name, request.mdev());
        return MachineView.of(host, machine);
    }

    @DeleteMapping("/guests/{name}")
    @Operation(operationId = "stopGuest", summary = "Stops a guest, which lets its mdev go")
    MachineView deleteGuest(
            @Parameter(example = "lpar2") @PathVariable String host,
            @Parameter(example = "vault-vm") @PathVariable String name) {
        DemoHost machine = hosts.host(host);
        machine.closeGuest(name);
        return MachineView.of(host, machine);
    }

    @PostMapping("/reboot")
    @Operation(operationId = "reboot", summary = "Boots the host: its kernel forgets everything, its guests are gone")
    MachineView reboot(@Parameter(example = "lpar1") @PathVariable String host) {
        DemoHost machine = hosts.host(host);
        machine.reboot();
        return MachineView.of(host, machine);
    }
}
