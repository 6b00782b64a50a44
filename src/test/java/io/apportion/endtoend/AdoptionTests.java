package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.agent.HostKernel;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.endtoend.LiveServer.RunningHost;
import io.apportion.simulator.GuestCommit;
import io.apportion.simulator.SimulatedHost;
import io.apportion.simulator.SimulatedSysfs;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.beans.factory.annotation.Autowired;
import tools.jackson.databind.JsonNode;

/** What somebody made by hand becomes Apportion's, as it is: the server asked over HTTP, the host written to as files. */
@LiveServer.Tried
class AdoptionTests {

    private static final Matrix BY_HAND = new Matrix(ApMask.of(4, 5), ApMask.of(4, 0x47), ApMask.of(0x47));

    @Autowired
    LiveServer server;

    /** Of each test another: a server has one mdev of a UUID. */
    private final UUID old = UUID.randomUUID();

    private final SimulatedHost machine = SimulatedHost.builder()
            .cards(4, 5, 6)
            .domains(4, 0x47, 0x54)
            .allForGuests()
            .build();
    private final List<GuestCommit> commits = new CopyOnWriteArrayList<>();

    private void define(Path folder, String start) throws Exception {
        Path definitions = Files.createDirectories(folder.resolve("definitions"));
        Files.writeString(definitions.resolve(old.toString()), """
            {
              "mdev_type": "vfio_ap-passthrough",
              "start": "%s",
              "attrs": [
                {"assign_adapter": "5"}, {"assign_adapter": "0x4"},
                {"assign_domain": "04"}, {"assign_domain": "71"},
                {"assign_control_domain": "0x47"}
              ]
            }
            """.formatted(start));
    }

    private JsonNode listed(String host) throws Exception {
        return server.get("/api/v1/hosts/" + host + "/foreign-mdevs").get("items");
    }

    /**
     * What is outside of the host configuration is no part of a claim: a kernel that got it back later, with a hole, would
     * take the adapter from the guest.
     */
    @Test
    void takesOnlyNumbersOutsideTheHostConfigurationFromItsMatrixAndNothingFromTheGuest(@TempDir Path folder)
            throws Exception {
        machine.createForeign(old, new Matrix(ApMask.of(4, 5), ApMask.of(4, 0x20, 0x47), ApMask.of(0x47)));
        machine.openGuest("old-vm", old);
        machine.onCommit(commits::add);
        String name = server.newHost("{}");
        try (var files = new SimulatedSysfs(machine);
                HostKernel kernel = files.open(folder);
                RunningHost host = server.run(name, machine, kernel)) {
            server.change("POST", "/api/v1/hosts/" + name + "/foreign-mdevs/" + old + "/adopt", null);
            host.awaitSettled();
            assertThat(files.writes).singleElement().asString().contains(old + "/ap_config 0x");
            assertThat(commits).isEmpty();
            assertThat(machine.guestMatrix(old)).isEqualTo(BY_HAND);
            assertThat(server.get("/api/v1/mdevs/" + old)
                            .at("/assigned/domains")
                            .valueStream()
                            .map(JsonNode::asString))
                    .containsExactly("0x0004", "0x0020", "0x0047");

            machine.addDomain(0x20);
            await().untilAsserted(
                            () -> assertThat(machine.guestMatrix(old).domains()).isEqualTo(ApMask.of(4, 0x20, 0x47)));
        }
    }

    @Test
    void writesNothingAndTheGuestKeepsEverything(@TempDir Path folder) throws Exception {
        define(folder, "auto");
        machine.createForeign(old, BY_HAND);
        machine.openGuest("old-vm", old);
        machine.onCommit(commits::add);
        String name = server.newHost("{}");
        try (var files = new SimulatedSysfs(machine);
                HostKernel kernel = files.open(folder);
                RunningHost host = server.run(name, machine, kernel)) {
            JsonNode foreign = listed(name).get(0);
            assertThat(foreign.at("/uuid").asString()).isEqualTo(old.toString());
            assertThat(foreign.at("/guest").asString()).isEqualTo("old-vm");
            assertThat(foreign.at("/definition/start").asString()).isEqualTo("auto");
            assertThat(foreign.at("/definition/differs").asBoolean(true)).isFalse();
            assertThat(foreign.at("/definition/assigned")).isEqualTo(foreign.get("assigned"));

            JsonNode adopted =
                    server.change("POST", "/api/v1/hosts/" + name + "/foreign-mdevs/" + old + "/adopt", null);
            assertThat(adopted.at("/definition/remedy").asString()).contains("mdevctl undefine -u " + old);
            host.awaitSettled();
            JsonNode shown = server.get("/api/v1/mdevs/" + old);
            assertThat(shown.get("assigned")).isEqualTo(foreign.get("assigned"));
            assertThat(shown.at("/guest/name").asString()).isEqualTo("old-vm");
            assertThat(shown.at("/commit/state").asString()).isEqualTo("applied");
            assertThat(shown.at("/drifted").asBoolean()).isFalse();
            assertThat(machine.guestMatrix(old)).isEqualTo(BY_HAND);
            assertThat(listed(name)).isEmpty();
            assertThat(files.writes).isEmpty();
            assertThat(commits).isEmpty();

            // From now on it is changed like any other.
            server.change("PUT", "/api/v1/mdevs/" + old + "/domains/0x54", null);
            host.awaitSettled();
            assertThat(machine.guestMatrix(old).domains()).isEqualTo(ApMask.of(4, 0x47, 0x54));
            assertThat(files.writes).singleElement().asString().contains(old + "/ap_config 0x");
            assertThat(server.get("/api/v1/mdevs/" + old)
                            .at("/definition/differs")
                            .asBoolean(false))
                    .isTrue();

            define(folder, "manual");
            machine.deconfigureCard(6);
            await().until(() -> server.get("/api/v1/mdevs/" + old)
                    .at("/definition/start")
                    .asString()
                    .equals("manual"));
            assertThat(server.get("/api/v1/mdevs/" + old).at("/definition").has("remedy"))
                    .isFalse();
        }
    }
}
