package io.apportion.packaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.config.YamlMapFactoryBean;
import org.springframework.beans.factory.config.YamlPropertiesFactoryBean;
import org.springframework.core.io.FileSystemResource;

/** What can be told of the image without building it; packaging/image/build-locally.sh builds and starts it. */
class ImageTests {

    private static final Path IMAGE = Path.of("packaging/image");
    private static final String HOME = "/opt/apportion/";

    private record Instruction(String name, String arguments) {}

    private final List<Instruction> all = instructions();
    private final List<Instruction> lastStage = all.subList(
            all.lastIndexOf(
                    all.stream().filter(i -> i.name().equals("FROM")).toList().getLast()),
            all.size());

    ImageTests() throws IOException {}

    private static List<Instruction> instructions() throws IOException {
        List<Instruction> instructions = new ArrayList<>();
        String text = Files.readString(Path.of("Dockerfile"))
                .replaceAll("(?m)^#.*\n", "")
                .replace("\\\n", " ");
        for (String line : text.lines().filter(line -> !line.isBlank()).toList()) {
            String[] parts = line.split("\\s+", 2);
            instructions.add(
                    new Instruction(parts[0], parts[1].replaceAll("\\s+", " ").strip()));
        }
        return instructions;
    }

    private List<String> inLastStage(String name) {
        return lastStage.stream()
                .filter(instruction -> instruction.name().equals(name))
                .map(Instruction::arguments)
                .toList();
    }

    @Test
    void namesExactlyWhatItIsMadeFrom() {
        List<String> images = all.stream()
                .filter(instruction -> instruction.name().equals("ARG"))
                .map(Instruction::arguments)
                .filter(argument -> argument.matches("(JDK|BASE)=.*"))
                .toList();
        assertThat(images).hasSize(2).allMatch(image -> image.matches("\\w+=[^:]+/[^:]+:[\\w.-]+"), "has a tag");
        assertThat(images).noneMatch(image -> image.endsWith(":latest"));
        assertThat(all.stream()
                        .filter(i -> i.name().equals("FROM"))
                        .map(i -> i.arguments().replaceFirst("--platform=\\S+ ", "")))
                .allMatch(from -> from.startsWith("${JDK}") || from.equals("${BASE}"));
    }

    @Test
    void needsNoShellToRun() {
        assertThat(inLastStage("RUN")).isEmpty();
        assertThat(inLastStage("CMD")).containsExactly("[\"server\"]");
        assertThat(inLastStage("ENTRYPOINT")).containsExactly("[]");
        assertThat(inLastStage("HEALTHCHECK"))
                .singleElement()
                .asString()
                .endsWith("CMD [\"health\", \"http://127.0.0.1:8081/actuator/health/liveness\"]");
    }

    @Test
    void runsAsNobodyWhoHasAName() {
        assertThat(inLastStage("USER")).containsExactly("10001:10001");
        assertThat(inLastStage("COPY"))
                .contains("--from=made --chown=10001:10001 /var/lib/apportion/ /var/lib/apportion/");
        assertThat(inLastStage("WORKDIR")).containsExactly("/var/lib/apportion");
        assertThat(inLastStage("VOLUME")).containsExactly("/var/lib/apportion");
    }

    @Test
    void saysWhatItIs() throws IOException {
        String labels = String.join(" ", inLastStage("LABEL"));
        assertThat(Pattern.compile("org\\.opencontainers\\.image\\.([\\w.]+)=\"[^\"]+\"")
                        .matcher(labels)
                        .results()
                        .map(label -> label.group(1)))
                .containsExactlyInAnyOrder("title", "description", "vendor", "version", "revision", "base.name");
        Matcher version = Pattern.compile("<artifactId>apportion</artifactId>\\s*<version>([^<]+)</version>")
                .matcher(Files.readString(Path.of("pom.xml")));
        assertThat(version.find()).isTrue();
        assertThat(inLastStage("ARG")).contains("VERSION=" + version.group(1));
        assertThat(Files.readString(Path.of("packaging/compose/compose.yaml")))
                .contains("image: apportion:" + version.group(1) + "\n");
    }

    @Test
    void takesOnlyFilesThatAreThereAndAreSent() throws IOException {
        List<String> sent = Files.readAllLines(Path.of(".dockerignore")).stream()
                .filter(line -> line.startsWith("!"))
                .map(line -> line.substring(1))
                .toList();
        List<String> taken = all.stream()
                .filter(instruction -> instruction.name().equals("COPY"))
                .map(Instruction::arguments)
                .filter(arguments -> !arguments.contains("--from="))
                .flatMap(arguments -> Stream.of(
                        arguments.substring(0, arguments.lastIndexOf(' ')).split(" ")))
                .toList();
        assertThat(taken).isNotEmpty().allSatisfy(path -> {
            assertThat(Path.of(path)).exists();
            assertThat(sent).anyMatch(open -> Path.of(path).startsWith(open));
        });
    }

    @Test
    void startsEachRoleByAFileOfItsName() throws IOException {
        String usage = Files.readString(Path.of("src/main/java/io/apportion/Apportion.java"));
        try (Stream<Path> files = Files.list(IMAGE.resolve("bin"))) {
            assertThat(files.toList())
                    .extracting(file -> file.getFileName().toString())
                    .containsExactlyInAnyOrder("server", "agent", "token", "restore-mark", "health")
                    .allSatisfy(role -> {
                        Path file = IMAGE.resolve("bin").resolve(role);
                        assertThat(usage).contains("case \"" + role + "\" ->");
                        assertThat(file).isExecutable();
                        assertThat(file).content().matches("#!/opt/jre/bin/java @" + HOME + "java/[a-z]+\n");
                        assertThat(javaOptions(Files.readString(file).strip().replaceFirst(".*/", "")))
                                .endsWith("-jar", HOME + "apportion.jar");
                    });
        }
    }

    @Test
    void givesEachLongRoleACacheOfItsOwn() throws IOException {
        for (String role : List.of("server", "agent")) {
            assertThat(javaOptions(role)).contains("-XX:AOTCache=" + HOME + role + ".aot");
            assertThat(inLastStage("COPY")).anyMatch(copy -> copy.contains(" " + HOME + role + ".aot "));
        }
    }

    /** Memory apart, which is given from outside. */
    @Test
    void runsTheAgentWithTheOptionsOfItsUnit() throws IOException {
        Set<String> otherwiseHere =
                Set.of("-Xms16m", "-Xmx96m", "-XX:AOTCache=/usr/lib/apportion/agent.aot", "-Xlog:aot=off");
        assertThat(javaOptions("agent"))
                .containsAll(UnitFile.read("apportion-agent.service").all("Environment").stream()
                        .map(word -> word.replace("\"", "").replace("APPORTION_JAVA_OPTS=", ""))
                        .filter(word -> !otherwiseHere.contains(word))
                        .toList());
    }

    @Test
    void listensWhereItCanBeReached() {
        var yaml = new YamlPropertiesFactoryBean();
        yaml.setResources(new FileSystemResource(IMAGE.resolve("application.yaml")));
        Properties settings = yaml.getObject();
        assertThat(settings)
                .containsOnlyKeys("server.address", "management.server.address")
                .containsValue("0.0.0.0");
    }

    /** As the servers run it: nothing writable but /tmp and the data, no password in the file. */
    @Test
    void isComposedOfServersThatMayDoNothingElse() {
        var yaml = new YamlMapFactoryBean();
        yaml.setResources(new FileSystemResource("packaging/compose/compose.yaml"));
        Map<String, Object> compose = yaml.getObject();
        assertThat(compose).isNotNull();
        Map<?, ?> services = (Map<?, ?>) compose.get("services");
        for (String replica : List.of("server-1", "server-2")) {
            Map<?, ?> server = (Map<?, ?>) services.get(replica);
            assertThat(server.get("read_only")).isEqualTo(true);
            assertThat(server.get("tmpfs")).isEqualTo(List.of("/tmp"));
            assertThat(server.get("cap_drop")).isEqualTo(List.of("ALL"));
            assertThat(server.get("volumes")).isEqualTo(List.of(replica + ":/var/lib/apportion"));
            assertThat(server.get("environment").toString()).doesNotContainIgnoringCase("password");
        }
    }

    private static List<String> javaOptions(String file) throws IOException {
        try (Stream<String> lines = Files.lines(IMAGE.resolve("java").resolve(file))) {
            return lines.filter(line -> !line.startsWith("#"))
                    .flatMap(line -> Stream.of(line.split(" ")))
                    .toList();
        }
    }
}
