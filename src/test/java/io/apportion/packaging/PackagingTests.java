package io.apportion.packaging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.attribute.PosixFilePermissions.asFileAttribute;
import static java.nio.file.attribute.PosixFilePermissions.fromString;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.beans.factory.config.YamlPropertiesFactoryBean;
import org.springframework.core.io.FileSystemResource;

/** The server's unit, the files that go with it, and the program that finds a Java. */
class PackagingTests {

    private static final Path PACKAGING = Path.of("packaging");

    @TempDir
    private Path folder;

    // The server's unit.

    private final UnitFile unit = UnitFile.read("apportion-server.service");

    PackagingTests() throws IOException {}

    @Test
    void serverRunsAsAUserThatMayDoNothingElse() throws IOException {
        String user = unit.one("User");
        assertThat(Files.readString(PACKAGING.resolve("sysusers.d/apportion.conf")))
                .containsPattern("(?m)^u " + user + " - \"[^\"]+\" /var/lib/apportion$");
        assertThat(unit.one("Group")).isEqualTo(user);
        assertThat(unit.all("CapabilityBoundingSet")).containsExactly("");
        assertThat(unit.one("NoNewPrivileges")).isEqualTo("yes");
        assertThat(unit.one("ProtectSystem")).isEqualTo("strict");
        assertThat(unit.directives()).doesNotContain("ReadWritePaths", "AmbientCapabilities");
    }

    @Test
    void serverKeepsItsDataWhereItAloneMayWrite() throws IOException {
        Path data = Path.of("/var/lib", unit.one("StateDirectory"));
        assertThat(unit.one("StateDirectoryMode")).isEqualTo("0700");
        assertThat(unit.one("WorkingDirectory")).isEqualTo(data.toString());
        assertThat(Files.readString(PACKAGING.resolve("tmpfiles.d/apportion.conf")))
                .contains("d " + data + " 0700 apportion apportion\n")
                .contains("z /etc/apportion/server.yaml 0640 root apportion\n");
    }

    @Test
    void serverIsGivenTheTimeToAnswerWhatIsUnderWay() {
        var yaml = new YamlPropertiesFactoryBean();
        yaml.setResources(new FileSystemResource("src/main/resources/application.yaml"));
        Properties application = yaml.getObject();
        assertThat(application).isNotNull();
        Duration phase = Duration.parse("PT" + application.getProperty("spring.lifecycle.timeout-per-shutdown-phase"));
        assertThat(Duration.parse("PT" + unit.one("TimeoutStopSec"))).isGreaterThan(phase.multipliedBy(2));
        assertThat(unit.one("KillMode")).isEqualTo("mixed");
    }

    @Test
    void serverWaitsForItsDatabaseForEverAndForAJavaNever() {
        assertThat(unit.one("Restart")).isEqualTo("always");
        assertThat(unit.one("StartLimitIntervalSec")).isEqualTo("0");
        assertThat(unit.one("RestartPreventExitStatus")).isEqualTo("2");
        assertThat(unit.one("Type")).isEqualTo("exec");
        assertThat(unit.all("ExecStart"))
                .containsExactly(
                        "/usr/bin/apportion",
                        "server",
                        "--spring.config.additional-location=file:/etc/apportion/server.yaml");
    }

    /** What the files of /etc/default say of themselves. */
    @Test
    void bothUnitsTakeTheirJavaFromEtcDefault() throws IOException {
        for (String role : List.of("server", "agent")) {
            UnitFile ofRole = UnitFile.read("apportion-" + role + ".service");
            assertThat(ofRole.one("EnvironmentFile")).isEqualTo("-/etc/default/apportion-" + role);
            assertThat(ofRole.all("Environment")).first().asString().startsWith("\"APPORTION_JAVA_OPTS=");
            assertThat(Files.readString(PACKAGING.resolve("default/apportion-" + role)))
                    .contains("#APPORTION_JAVA=", "#APPORTION_JAVA_OPTS=")
                    // All of it is commented out: what is there is what the unit says.
                    .doesNotContainPattern("(?m)^[^#\n]");
        }
    }

    // The packages' scripts.

    @Test
    void packagesStartNothingAndStopOnlyWhatIsRemoved() throws IOException {
        for (String script : List.of("postinst", "prerm", "postrm")) {
            Path file = PACKAGING.resolve("package").resolve(script);
            assertThat(Files.readAllLines(file).stream()
                            .map(String::strip)
                            .filter(line -> line.contains("systemctl") && !line.startsWith("echo")))
                    .as(script)
                    .isNotEmpty()
                    .allMatch(line -> line.matches("systemctl daemon-reload|if systemctl --quiet is-active .*")
                            || (script.equals("prerm") && line.startsWith("systemctl disable --now ")));
        }
        // A package is upgraded by removing the one before, as dpkg and rpm say it.
        assertThat(Files.readString(PACKAGING.resolve("package/prerm")))
                .contains("    remove | 0) ;;\n    *) exit 0 ;;");
    }

    @Test
    void packagesKeepTheData() throws IOException {
        for (String script : List.of("postinst", "prerm", "postrm")) {
            assertThat(Files.readAllLines(PACKAGING.resolve("package").resolve(script)))
                    .filteredOn(line -> line.matches("\\s*(rm|find) .*"))
                    .allMatch(line ->
                            line.strip().equals("rm -f /usr/lib/apportion/server.aot /usr/lib/apportion/agent.aot"));
        }
    }

    // The program that finds a Java: it is tried with programs in place of Java, which say their name and their
    // arguments.

    @Test
    void runsTheJarBesideItWithTheJavaThatIsNamed() throws Exception {
        Path java = java("named", "25.0.3");
        Said said =
                run(Map.of("APPORTION_JAVA", java.toString(), "APPORTION_JAVA_OPTS", "-Xmx1g -Xms1m"), "token", "a b");
        assertThat(said.code()).isZero();
        assertThat(said.text()).isEqualTo("named\n-Xmx1g\n-Xms1m\n-jar\n" + jar() + "\ntoken\na b\n");
    }

    @Test
    void takesTheFirstJavaThatWillDo() throws Exception {
        String old = java("old", "17.0.15").getParent().toString();
        String right = java("right", "26").getParent().toString();
        String home = java("home", "25").getParent().getParent().toString();
        assertThat(run(Map.of("PATH", old + ":/usr/bin:/bin", "JAVA_HOME", home))
                        .text())
                .startsWith("home\n");
        assertThat(run(Map.of("PATH", right + ":/usr/bin:/bin")).text()).startsWith("right\n");
    }

    @Test
    void refusesAJavaThatIsTooOldInWords() throws Exception {
        Said said = run(Map.of("APPORTION_JAVA", java("old", "24.0.2").toString()), "server");
        assertThat(said.code()).isEqualTo(2);
        assertThat(said.text()).contains("old/bin/java is no Java 25 or later");
        assertThat(run(Map.of("APPORTION_JAVA", "/nowhere/java")).code()).isEqualTo(2);
    }

    private record Said(int code, String text) {}

    private Path jar() throws IOException {
        return program().resolve("../../lib/apportion/apportion.jar").normalize();
    }

    /** As the packages install it, called through a link. */
    private Path program() throws IOException {
        Path program = folder.toRealPath().resolve("usr/bin/apportion");
        if (Files.notExists(program)) {
            Files.createDirectories(program.getParent());
            Files.copy(PACKAGING.resolve("bin/apportion"), program);
            assertThat(program).isExecutable();
            Files.createSymbolicLink(folder.resolve("apportion"), program);
        }
        return program;
    }

    private Path java(String name, String version) throws IOException {
        Path home = Files.createDirectories(folder.resolve(name));
        Files.writeString(home.resolve("release"), "IMPLEMENTOR=\"Somebody\"\nJAVA_VERSION=\"" + version + "\"\n");
        Path java = Files.createDirectories(home.resolve("bin")).resolve("java");
        Files.createFile(java, asFileAttribute(fromString("rwxr-xr-x")));
        return Files.writeString(java, "#!/bin/sh\nprintf '%s\\n' " + name + " \"$@\"\n");
    }

    private Said run(Map<String, String> environment, String... arguments) throws IOException, InterruptedException {
        program();
        List<String> command =
                new ArrayList<>(List.of(folder.resolve("apportion").toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().keySet().retainAll(List.of("PATH"));
        builder.environment().putAll(environment);
        Process process = builder.start();
        String text = new String(process.getInputStream().readAllBytes(), UTF_8);
        return new Said(process.waitFor(), text);
    }
}
