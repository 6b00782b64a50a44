package io.apportion.server.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.server.ServerApplication;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.ConfigurableApplicationContext;

@ExtendWith(OutputCaptureExtension.class)
class FirstAdminTests {

    @TempDir
    Path folder;

    @Test
    void firstAdminGetsInAndIsNotMadeAnewUntilNoAdminCan(CapturedOutput output) throws IOException {
        Path file = folder.resolve("deep/admin-token");
        String first;
        try (var server = start(file)) {
            first = Files.readString(file).strip();
            TokenService tokens = server.getBean(TokenService.class);
            assertThat(tokens.identify(first).orElseThrow())
                    .extracting(Identity::actor, Identity::role, Identity::scope)
                    .containsExactly("token:first-admin", Role.ADMIN, Map.of());
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                    .isEqualTo("rw-------");
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file.getParent())))
                    .isEqualTo("rwx------");
            assertThat(file.getParent()).isDirectoryContaining(only -> only.equals(file));
            assertThat(output).contains(file.toString()).doesNotContain(first);
        }
        try (var server = start(file)) {
            assertThat(Files.readString(file).strip()).isEqualTo(first);
            TokenService tokens = server.getBean(TokenService.class);
            tokens.list(null, 10).forEach(token -> tokens.revoke(token.id()));
        }
        try (var server = start(file)) {
            String second = Files.readString(file).strip();
            TokenService tokens = server.getBean(TokenService.class);
            assertThat(tokens.identify(first)).isEmpty();
            assertThat(tokens.identify(second)).isPresent();
        }
    }

    private ConfigurableApplicationContext start(Path file) {
        return new SpringApplicationBuilder(ServerApplication.class)
                .web(WebApplicationType.NONE)
                .run(
                        "--spring.datasource.url=jdbc:h2:file:" + folder.resolve("db") + ";WRITE_DELAY=0",
                        "--apportion.identity.admin-token-file=" + file);
    }
}
