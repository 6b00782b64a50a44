package io.apportion.agent.sysfs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class ServiceNoticeTests {

    @Test
    void tellsTheServiceManagerAtItsPath(@TempDir Path folder) throws IOException {
        tells(folder.resolve("notify").toString());
    }

    @Test
    void tellsTheServiceManagerAtItsAbstractName() throws IOException {
        tells("@apportion-" + UUID.randomUUID());
    }

    private static void tells(String name) throws IOException {
        try (NotifySocket manager = new NotifySocket(name)) {
            ServiceNotice notice = new ServiceNotice(name);
            notice.ready("the stored state is applied");
            assertThat(manager.take()).isEqualTo("READY=1\nSTATUS=the stored state is applied");
            notice.stopping();
            assertThat(manager.take()).isEqualTo("STOPPING=1");
        }
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", "/nowhere/notify"})
    void hurtsNobodyWhereThereIsNone(String name) {
        new ServiceNotice(name).stopping();
        new ServiceNotice(name == null ? null : name + "x".repeat(200)).stopping();
    }
}
