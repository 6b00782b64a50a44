package io.apportion.server.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.apportion.server.ServerApplication;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

@ExtendWith(OutputCaptureExtension.class)
class H2WriteDelayTests {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "jdbc:h2:file:./x",
                "jdbc:h2:./x",
                "jdbc:h2:~/x;MODE=PostgreSQL",
                "jdbc:h2:nio:./x",
                "jdbc:h2:tcp://localhost/x",
                "JDBC:H2:file:./x",
                "jdbc:h2:file:./x;WRITE_DELAY=500",
                "jdbc:h2:file:./x;WRITE_DELAY=00500",
                "jdbc:h2:file:./x;WRITE_DELAY=0500",
                "jdbc:h2:file:./x;WRITE_DELAY=0;WRITE_DELAY=500",
                "jdbc:h2:file:./x;WRITE_DELAY=0;INIT=SET WRITE_DELAY 500",
                "jdbc:h2:file:./WRITE_DELAY=0"
            })
    void refusesWhatMayLoseAcknowledgedChanges(String url) {
        assertThatThrownBy(() -> H2WriteDelay.check(url)).isInstanceOf(H2WriteDelay.Delayed.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "jdbc:h2:file:./x;WRITE_DELAY=0",
                "jdbc:h2:file:./x;write_delay=0;MODE=PostgreSQL",
                "jdbc:h2:mem:x",
                "jdbc:postgresql://localhost/x"
            })
    void takesWhatLosesNothing(String url) {
        assertThatCode(() -> H2WriteDelay.check(url)).doesNotThrowAnyException();
    }

    @Test
    void serverDoesNotStartAndSaysWhy(@TempDir Path folder, CapturedOutput output) {
        var server = new SpringApplication(ServerApplication.class);
        assertThatThrownBy(() ->
                        server.run("--spring.datasource.url=jdbc:h2:file:" + folder.resolve("x"), "--server.port=0"))
                .hasRootCauseInstanceOf(H2WriteDelay.Delayed.class);
        assertThat(output).contains("Add ;WRITE_DELAY=0 to spring.datasource.url");
        assertThat(folder).isEmptyDirectory();
    }
}
