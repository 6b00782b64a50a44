package io.apportion.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.apportion.agent.AgentSettings.Timings;
import io.apportion.wire.ObservedHost.Keep;
import java.net.URI;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AgentSettingsTests {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://apportion.example",
                "https://10.0.0.1:8443/apportion/",
                "http://localhost:8080",
                "HTTP://LOCALHOST",
                "http://127.0.0.1:8080",
                "http://127.3.2.1",
                "http://[::1]:8080"
            })
    void takesHttpsAndItsOwnMachine(String server) {
        assertThat(settings(server).toString()).contains(server).doesNotContain("secret");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://apportion.example",
                "http://10.0.0.1",
                "http://localhost.example",
                "http://127.0.0.1.example",
                "http://[fe80::1]",
                "http://0.0.0.0",
                "ftp://localhost",
                "localhost:8080",
                "/apportion"
            })
    void refusesToSendItsTokenInTheClear(String server) {
        assertThatIllegalArgumentException().isThrownBy(() -> settings(server)).withMessageContaining(server);
    }

    private static AgentSettings settings(String server) {
        return new AgentSettings("lpar1", URI.create(server), "secret", Keep.NOTHING, Timings.DEFAULT);
    }
}
