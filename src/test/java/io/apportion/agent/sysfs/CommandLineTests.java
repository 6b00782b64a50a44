package io.apportion.agent.sysfs;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CommandLineTests {

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "-name|vm17|vm17",
                "--name|vm17|vm17",
                "-name|guest=vm17,debug-threads=on|vm17",
                "-name|debug-threads=on,guest=vm17|vm17",
                "-name|vm17,process=qemu17|vm17",
                "-name|guest=a,,b,debug-threads=on|a,b",
                "-name|debug-threads=on|",
                "-m|4096|"
            })
    void findsTheName(String option, String value, String name) {
        assertThat(CommandLine.of("/usr/bin/qemu-system-s390x\0-S\0" + option + "\0" + value + "\0-smp\0002\0")
                        .name())
                .isEqualTo(name);
    }

    @Test
    void findsTheUuid() {
        String uuid = "62177883-f1bb-47f0-914d-32a22e3a8804";
        assertThat(CommandLine.of("qemu\0-uuid\0" + uuid + "\0").uuid()).isEqualTo(UUID.fromString(uuid));
        assertThat(CommandLine.of("qemu\0-uuid\0none\0").uuid()).isNull();
    }

    @Test
    void knowsNothingOfOthers() {
        assertThat(CommandLine.of("fakevm\0-name\0")).isEqualTo(new CommandLine(null, null));
        assertThat(CommandLine.of("")).isEqualTo(new CommandLine(null, null));
    }
}
