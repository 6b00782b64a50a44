package io.apportion.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * Whoever follows the README's walk sees what it shows. Its own text is read: the commands run as they stand there, in their
 * order, against a demo that was just started, and each has to answer what stands below it.
 */
class ReadmeTests {

    private static final Pattern VARIABLE = Pattern.compile("[A-Z]=.*");

    /** Of step 9: what is done, and what the guest then has under each filter. */
    private static final Pattern ROW = Pattern.compile("\\| (?:`(curl .*)`|the guest starts) \\| (.*) \\| (.*) \\|");

    /** How step 9 looks at what the guest has. */
    private static final Pattern LOOK = Pattern.compile(".*\\(`(curl .*)`\\).*");

    private static final int INCREMENTAL = 2;
    private static final int RECOMPUTE = 3;

    @TempDir
    Path folder;

    private ConfigurableApplicationContext demo;
    private List<String> readme = List.of();

    /** As the reader has set them so far. */
    private final List<String> variables = new ArrayList<>();

    /** @param answer to the last of the commands; null: none is shown */
    private record Step(List<String> commands, @Nullable String answer) {}

    @BeforeEach
    void start() throws Exception {
        for (String tool : List.of("bash", "curl")) {
            try {
                new ProcessBuilder(tool, "--version")
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start()
                        .waitFor();
            } catch (IOException missing) {
                throw new AssertionError("This test needs " + tool + ": apt-get install " + tool, missing);
            }
        }
        Files.writeString(folder.resolve(".curlrc"), "fail-with-body\n");
        demo = DemoApplication.start("--server.port=0", "--apportion.data=" + folder);
        readme = page("README.md");
        follow(steps(section("## Try it", "### One missing queue"), INCREMENTAL));
        await().untilAsserted(() ->
                assertThat(run(List.of("curl -s $A/mdevs"), false)).contains("shop-vm", "bank-vm"));
    }

    @AfterEach
    void stop() {
        demo.close();
    }

    @Test
    void showsWhatTheDemoAnswers() throws Exception {
        List<Step> steps = steps(section("### One missing queue", "## Test it"), INCREMENTAL);
        assertThat(steps).hasSizeGreaterThan(20);
        follow(steps);
    }

    @Test
    void showsWhatTheOtherFilterWouldHaveDone() throws Exception {
        run(List.of("curl -s -X PUT $D/queues/05.0054"), false);
        run(List.of("curl -s -X PUT $A/hosts/lpar1 -H \"$J\" -d '{\"filter\":\"recompute\"}'"), false);
        List<Step> steps = steps(section("### A running guest keeps", "**10.**"), RECOMPUTE);
        assertThat(steps).hasSizeGreaterThan(9);
        follow(steps);
    }

    @Test
    void pageOfTheApiShowsWhatTheDemoAnswers() throws Exception {
        List<Step> steps = steps(page("docs/api.md"), INCREMENTAL);
        assertThat(steps).hasSizeGreaterThan(12);
        variables.clear();
        follow(steps);
    }

    // ---- the text

    private List<String> page(String file) throws IOException {
        int port = ((ServletWebServerApplicationContext) demo).getWebServer().getPort();
        return Files.readString(Path.of(file))
                .replace("localhost:8080", "localhost:" + port)
                .lines()
                .toList();
    }

    private List<String> section(String from, String to) {
        List<String> section = readme.stream()
                .dropWhile(line -> !line.startsWith(from))
                .takeWhile(line -> !line.startsWith(to))
                .toList();
        assertThat(section).as(from).isNotEmpty();
        return section;
    }

    /** @param column of the table */
    private static List<Step> steps(List<String> text, int column) {
        List<Step> steps = new ArrayList<>();
        String look = "";
        for (int i = 0; i < text.size(); i++) {
            String line = text.get(i);
            Matcher looks = LOOK.matcher(line);
            Matcher row = ROW.matcher(line);
            if (line.equals("```sh")) {
                steps.add(new Step(fenced(text, i), null));
            } else if (line.equals("```json")) {
                fenced(text, i).forEach(part -> addToAnswer(steps, part.strip(), ""));
            } else if (line.startsWith("    ") && !steps.isEmpty()) {
                addToAnswer(steps, line.strip(), "\n");
            } else if (looks.matches()) {
                look = looks.group(1);
            } else if (row.matches()) {
                String change = row.group(1);
                steps.add(new Step(
                        change == null ? List.of(look) : List.of(change, look),
                        row.group(column).replace("nothing", "")));
            }
            if (line.startsWith("```")) {
                i += fenced(text, i).size() + 1;
            }
        }
        return steps;
    }

    private static List<String> fenced(List<String> text, int fence) {
        return text.stream()
                .skip(fence + 1)
                .takeWhile(line -> !line.equals("```"))
                .toList();
    }

    private static void addToAnswer(List<Step> steps, String line, String separator) {
        Step last = steps.removeLast();
        steps.add(new Step(last.commands(), last.answer() == null ? line : last.answer() + separator + line));
    }

    // ---- what a reader does

    private void follow(List<Step> steps) throws Exception {
        for (Step step : steps) {
            List<String> commands = new ArrayList<>();
            for (String command : step.commands()) {
                (VARIABLE.matcher(command).matches() ? variables : commands).add(command);
            }
            if (!commands.isEmpty()) {
                // Whoever reads is slower than the agents.
                await().untilAsserted(() -> assertThat(run(List.of("curl -s $A/commits?state=pending"), false))
                        .isEqualTo("{\"items\":[]}"));
                follow(commands, step.answer());
            }
        }
    }

    private void follow(List<String> commands, @Nullable String answer) throws Exception {
        String last = commands.getLast();
        if (answer == null) {
            run(commands, false);
            return;
        }
        run(commands.subList(0, commands.size() - 1), false);
        boolean isProblem = answer.contains("/problems/");
        if (last.contains(" -X ")) {
            assertThat(masked(run(List.of(last), isProblem))).as(last).matches(shownAs(answer));
        } else {
            // What was done before has to get through to the host and back: a reader looks again.
            await().atMost(Duration.ofSeconds(30))
                    .untilAsserted(() -> assertThat(masked(run(List.of(last), isProblem)))
                            .as(last)
                            .matches(shownAs(answer)));
        }
    }

    /** @return what they print */
    private String run(List<String> commands, boolean isProblem) throws IOException, InterruptedException {
        List<String> script = new ArrayList<>(List.of("set -eo pipefail"));
        script.addAll(variables);
        script.addAll(commands);
        ProcessBuilder bash = new ProcessBuilder("bash", "-c", String.join("\n", script))
                .redirectError(folder.resolve("stderr").toFile());
        bash.environment().put("CURL_HOME", folder.toString());
        Process running = bash.start();
        try (BufferedReader printed = running.inputReader(UTF_8)) {
            if (String.join(" ", commands).contains("curl -N")) {
                String first = String.valueOf(printed.readLine());
                assertThat(first).as("what is told first of all that happened").startsWith("id:");
                return first;
            }
            String all = printed.lines().collect(Collectors.joining("\n"));
            // 22 is curl's word for an answer that is an error.
            assertThat(running.waitFor())
                    .as("%s: %s %s", commands, all, Files.readString(folder.resolve("stderr")))
                    .isEqualTo(isProblem ? 22 : 0);
            return all.strip();
        } finally {
            running.descendants().forEach(ProcessHandle::destroy);
            running.destroy();
        }
    }

    // ---- what it sees

    /** Without what is another at each run. */
    private static String masked(String text) {
        return text.replaceAll("\\d{4}-\\d\\d-\\d\\dT[0-9:.]+Z", "TIME")
                .replaceAll("\"requestId\":\"[^\"]*\"", "\"requestId\":ID")
                .replaceAll("\"(id|generation)\":\\d+", "\"$1\":N");
    }

    /** Where the README leaves something out, there may be anything. */
    private static Pattern shownAs(String answer) {
        return Pattern.compile(
                Stream.of(masked(answer).split(" ?… ?", -1)).map(Pattern::quote).collect(Collectors.joining(".*")),
                Pattern.DOTALL);
    }
}
