package io.apportion.server.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.apportion.server.ServerApplication;
import io.apportion.server.store.Tokens;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.util.Map;
import java.util.stream.Stream;
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

    @Test
    void aTokenThatIsGivenIsTheFirstAdmins(CapturedOutput output) throws IOException {
        String secret = "apportion_" + "x-Y_5".repeat(9).substring(2);
        Path given = Files.writeString(folder.resolve("given"), secret + "\n");
        Path file = folder.resolve("admin-token");
        String setting = "--apportion.identity.first-admin-token-file=" + given;
        try (var server = start(file, setting)) {
            TokenService tokens = server.getBean(TokenService.class);
            assertThat(tokens.identify(secret).orElseThrow())
                    .extracting(Identity::actor, Identity::role)
                    .containsExactly("token:first-admin", Role.ADMIN);
            assertThat(file).doesNotExist();
            TokenService ofAnotherReplica =
                    new TokenService(
                            server.getBean(Tokens.class),
                            server.getBean(IdentitySettings.class),
                            server.getBean(Clock.class)) {
                        private boolean looked;

                        @Override
                        boolean hasAdmin() {
                            boolean before = !looked;
                            looked = true;
                            return !before && super.hasAdmin();
                        }
                    };
            new FirstAdmin(ofAnotherReplica, server.getBean(IdentitySettings.class)).afterSingletonsInstantiated();
            assertThat(tokens.list(null, 10)).hasSize(1);
            tokens.list(null, 10).forEach(token -> tokens.revoke(token.id()));
        }
        try (var server = start(file, setting)) {
            assertThat(server.getBean(TokenService.class).identify(secret)).isPresent();
        }
        assertThat(output).contains(given.toString()).doesNotContain(secret);
    }

    @Test
    void aGivenTokenThatIsSomebodyElsesIsRefusedInWords() throws IOException {
        Path file = folder.resolve("admin-token");
        String viewers;
        try (var server = start(file)) {
            TokenService tokens = server.getBean(TokenService.class);
            tokens.list(null, 10).forEach(token -> tokens.revoke(token.id()));
            viewers =
                    tokens.issue("eye", Role.VIEWER, null, null, "test", false).secret();
        }
        Path given = Files.writeString(folder.resolve("given"), viewers);
        assertThatThrownBy(() -> start(file, "--apportion.identity.first-admin-token-file=" + given))
                .hasMessageContaining("the token in " + given + " is known, and no admin's any more");
    }

    @Test
    void whatIsNoTokenIsRefusedInWords() throws IOException {
        Path given = Files.writeString(folder.resolve("given"), "apportion_guess");
        assertThatThrownBy(() ->
                        start(folder.resolve("admin-token"), "--apportion.identity.first-admin-token-file=" + given))
                .hasMessageContaining(given + " has no token: apportion_ and 43 random characters");
    }

    private ConfigurableApplicationContext start(Path file, String... settings) {
        return new SpringApplicationBuilder(ServerApplication.class)
                .web(WebApplicationType.NONE)
                .run(Stream.concat(
                                Stream.of(
                                        "--spring.datasource.url=jdbc:h2:file:" + folder.resolve("db")
                                                + ";WRITE_DELAY=0",
                                        "--apportion.identity.admin-token-file=" + file),
                                Stream.of(settings))
                        .toArray(String[]::new));
    }
}
