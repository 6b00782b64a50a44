package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.apportion.client.ApiClient;
import io.apportion.client.ApiException;
import io.apportion.client.api.EventsApi;
import io.apportion.client.api.HostsApi;
import io.apportion.client.api.MatrixOfAnMdevApi;
import io.apportion.client.api.MdevsApi;
import io.apportion.client.model.AdapterForm;
import io.apportion.client.model.CommitStateView;
import io.apportion.client.model.DomainForm;
import io.apportion.client.model.EventView;
import io.apportion.client.model.HostRequest;
import io.apportion.client.model.MdevRequest;
import io.apportion.client.model.MdevView;
import io.apportion.client.model.Problem;
import io.apportion.endtoend.LiveServer.RunningHost;
import io.apportion.simulator.SimulatedHost;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;

/** What openapi-generator makes of the contract can be worked with: a day of an operator, in the client's own types. */
@LiveServer.Tried
class ClientTests {

    @Autowired
    LiveServer server;

    @Test
    void makesAnMdevAndReadsWhatBecameOfItAndWhyAnotherIsRefused() throws Exception {
        ApiClient client = new ApiClient();
        client.updateBaseUri(server.address().toString());
        HostsApi hosts = new HostsApi(client);
        MdevsApi mdevs = new MdevsApi(client);

        String name = "client-" + UUID.randomUUID();
        hosts.putHost(name, new HostRequest().putLabelsItem("zone", "a"), null, null, null, null, null);
        SimulatedHost machine = SimulatedHost.builder()
                .cards(4, 5)
                .domains(4, 0x47)
                .allForGuests()
                .build();
        try (RunningHost host = server.run(name, machine)) {
            assertThat(hosts.getHost(name).getLabels()).containsEntry("zone", "a");

            UUID first = UUID.randomUUID();
            MdevView made = mdevs.putMdev(
                    first,
                    new MdevRequest()
                            .host(name)
                            .addAdaptersItem(new AdapterForm(4))
                            .addDomainsItem(new DomainForm("0x0004")),
                    null,
                    null,
                    null,
                    "wait=30");
            assertThat(made.getAssigned().getAdapters()).containsExactly("0x04");
            assertThat(made.getGuestMatrix().getQueues()).containsExactly("04.0004");
            assertThat(made.getCommit().getState()).isEqualTo(CommitStateView.StateEnum.APPLIED);

            MatrixOfAnMdevApi matrix = new MatrixOfAnMdevApi(client);
            matrix.assignDomain(first, "0x47", null, null, null, "wait=30");
            assertThat(matrix.getGuestMatrix(first).getComputed().getQueues()).containsExactly("04.0004", "04.0047");

            UUID second = UUID.randomUUID();
            ApiException refused = catchThrowableOfType(
                    ApiException.class,
                    () -> mdevs.putMdev(
                            second,
                            new MdevRequest()
                                    .host(name)
                                    .addAdaptersItem(new AdapterForm("0x04"))
                                    .addDomainsItem(new DomainForm(71)),
                            null,
                            null,
                            null,
                            null));
            assertThat(refused.getCode()).isEqualTo(409);
            Problem problem = client.getObjectMapper().readValue(refused.getResponseBody(), Problem.class);
            assertThat(problem.getType()).isEqualTo("/problems/queue-in-use");
            assertThat(problem.getConflicts()).singleElement().satisfies(conflict -> {
                assertThat(conflict.getQueue()).isEqualTo("04.0047");
                assertThat(conflict.getMdev()).isEqualTo(first);
            });
            assertThat(problem.getRemedy()).isNotBlank();

            assertThat(new EventsApi(client)
                            .listEvents(null, null, name, null, first, null, null)
                            .getItems())
                    .extracting(EventView::getType)
                    .contains("mdev.created", "mdev.assigned");
            assertThat(mdevs.deleteMdev(first, null, null, null, null, "wait=30")
                            .getState())
                    .hasToString("removed");
            assertThat(catchThrowableOfType(ApiException.class, () -> mdevs.getMdev(first))
                            .getCode())
                    .isEqualTo(404);
        }
    }
}
