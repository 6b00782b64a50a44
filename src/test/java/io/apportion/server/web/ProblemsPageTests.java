package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** {@code docs/problems.md} is what the catalogue says; {@code -Dapportion.problems=write} writes it anew. */
class ProblemsPageTests {

    private static final Path PAGE = Path.of("docs/problems.md");

    private static final String HEAD = """
        # Problems

        Every refusal is an RFC 9457 problem, `application/problem+json`, with one of these types. The type is a path at the
        server, where the same words stand; it never changes its meaning, and clients decide by it. The `detail` of an answer
        says what it is about, `conflicts`, `numbers` and `queues` name all that is in the way, `requestId` is in the server's
        log, and `errno` is the kernel's word for it, where it has one. Nothing was changed, unless the words here say otherwise.

        This page is made from the server's catalogue; a test compares it.

        | type | status | errno | what it says | what to do |
        |---|---|---|---|---|
        """;

    @Test
    void pageIsWhatTheCatalogueSays() throws IOException {
        String page = HEAD
                + Arrays.stream(ProblemKind.values())
                        .map(kind -> "| `" + kind.type() + "` | " + kind.status() + " | "
                                + (kind.errno() == null ? "" : kind.errno()) + " | " + kind.title() + " | "
                                + kind.remedy()
                                + " |\n")
                        .collect(Collectors.joining());
        if ("write".equals(System.getProperty("apportion.problems"))) {
            Files.writeString(PAGE, page);
        }
        assertThat(PAGE)
                .as("if the change is meant, run this test with -Dapportion.problems=write")
                .hasContent(page);
    }
}
