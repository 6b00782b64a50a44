package io.apportion.server.web;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.server.FullServer;
import io.apportion.server.web.RawHttp.Answer;
import io.apportion.server.web.RawHttp.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.test.web.server.LocalServerPort;

/** Swagger UI under the policy that its own pages are sent with. */
@FullServer
class SwaggerPagesTests {

    private static final String PAGE = "/swagger-ui/index.html";

    private static final List<Path> BROWSERS = Stream.of("chromium", "chromium-headless-shell")
            .map(name -> Path.of("/usr/bin", name))
            .toList();

    @LocalServerPort
    int port;

    @TempDir
    Path folder;

    @Test
    void pagesLoadOnlyWhatLiesBesideThem() {
        Answer page = new RawHttp(port).send(Request.of("GET", PAGE));
        assertThat(page.header("content-security-policy")).contains("script-src 'self';");
        assertThat(page.body()).doesNotContain("<style", " onclick", " onload", "javascript:");
        assertThat(found("<script([^>]*)>", page.body())).isNotEmpty().allMatch(tag -> tag.contains(" src="));
        List<String> loaded = found("(?:src|href)=\"([^\"]+)\"", page.body());
        assertThat(loaded).isNotEmpty().noneMatch(address -> address.contains("//"));
        for (String address : loaded) {
            Answer file = new RawHttp(port).send(Request.of("GET", "/swagger-ui/" + address.replaceFirst("^\\./", "")));
            assertThat(file.status()).as(address).isEqualTo(200);
        }
    }

    private static List<String> found(String pattern, String text) {
        return Pattern.compile(pattern)
                .matcher(text)
                .results()
                .map((MatchResult match) -> match.group(1))
                .toList();
    }

    /** In the browser that CI installs. */
    @Test
    void browserShowsTheContractAndComplainsOfNothing() throws Exception {
        Path browser = BROWSERS.stream().filter(Files::isExecutable).findFirst().orElse(null);
        Assumptions.assumeTrue(browser != null, "no Chromium is installed");
        Path dom = folder.resolve("dom");
        Path log = folder.resolve("log");
        Process chromium = new ProcessBuilder(
                        browser.toString(),
                        "--headless",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--disable-dev-shm-usage",
                        "--no-first-run",
                        "--user-data-dir=" + folder.resolve("profile"),
                        "--enable-logging=stderr",
                        "--virtual-time-budget=20000",
                        "--dump-dom",
                        "http://127.0.0.1:" + port + PAGE)
                .redirectOutput(dom.toFile())
                .redirectError(log.toFile())
                .start();
        try {
            assertThat(chromium.waitFor(3, TimeUnit.MINUTES)).as(read(log)).isTrue();
        } finally {
            chromium.destroyForcibly();
            chromium.waitFor();
        }
        assertThat(read(dom)).as(read(log)).contains("operations-Mdevs-listMdevs", "/api/v1/hosts");
        // What a page says, and what is refused to it, is in the log.
        assertThat(read(log).lines().filter(line -> line.contains("CONSOLE"))).isEmpty();
    }

    private static String read(Path file) throws IOException {
        return Files.readString(file, UTF_8);
    }
}
