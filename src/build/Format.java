import com.palantir.javaformat.java.Formatter;
import com.palantir.javaformat.java.FormatterException;
import com.palantir.javaformat.java.JavaFormatterOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Checks or repairs the layout of text files: {@code java Format.java check|apply MEMORY FILE-OR-FOLDER...}.
 *
 * <p>Java is laid out by palantir-java-format, which also sorts imports and drops unused ones; in other text, blanks at
 * a line's end go and the file ends with one newline. This is a program of its own because that formatter parses with
 * the javac of the Java it runs on, and Maven may run on one that is too old for our sources.
 *
 * <p>MEMORY is a file that lists what was found in order, so that the next run looks only at what changed.
 */
final class Format {

    private static final Pattern OTHER_TEXT =
            Pattern.compile(".*\\.(cnf|css|html|js|json|md|mjs|properties|sh|sql|svg|tpl|xml|ya?ml)|Dockerfile");

    private static final Pattern BLANKS_AT_LINE_END = Pattern.compile("[ \\t]+$", Pattern.MULTILINE);

    /** See palantir-java-format's issue 1614. */
    private static final String UNNAMED_PATTERN_HINT = " (the formatter cannot read the pattern _: write var _)";

    private final Formatter java = Formatter.createFormatter(JavaFormatterOptions.builder()
            .style(JavaFormatterOptions.Style.PALANTIR)
            .build());
    private final Set<String> knownInOrder;
    private final Set<String> inOrder = new ConcurrentSkipListSet<>();
    private final Set<String> wrong = new ConcurrentSkipListSet<>();
    private final boolean apply;

    private Format(boolean apply, Set<String> knownInOrder) {
        this.apply = apply;
        this.knownInOrder = knownInOrder;
    }

    public static void main(String[] args) throws IOException {
        var memory = Path.of(args[1]);
        var known = Files.exists(memory) ? new TreeSet<>(Files.readAllLines(memory)) : new TreeSet<String>();
        var format = new Format(args[0].equals("apply"), known);
        Arrays.stream(args)
                .skip(2)
                .map(Path::of)
                .flatMap(Format::textFiles)
                .collect(Collectors.toCollection(TreeSet::new))
                .parallelStream()
                .forEach(format::layOut);
        Files.createDirectories(memory.toAbsolutePath().getParent());
        Files.write(memory, format.inOrder);

        if (format.wrong.isEmpty()) {
            return;
        }
        format.wrong.forEach(System.err::println);
        if (!format.apply) {
            System.err.println("Not laid out as agreed. Repair all of them with: ./mvnw -Pformat");
        }
        System.exit(1);
    }

    private static Stream<Path> textFiles(Path top) {
        if (Files.notExists(top)) {
            return Stream.empty();
        }
        try (var files = Files.walk(top)) {
            return files
                    .filter(Files::isRegularFile)
                    .filter(file -> isJava(file) || isOtherText(file))
                    .toList()
                    .stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean isJava(Path file) {
        return file.toString().endsWith(".java");
    }

    private static boolean isOtherText(Path file) {
        return OTHER_TEXT.matcher(file.getFileName().toString()).matches();
    }

    private void layOut(Path file) {
        try {
            var text = Files.readString(file);
            if (knownInOrder.contains(mark(file, text))) {
                inOrder.add(mark(file, text));
                return;
            }
            var better = isJava(file) ? java.formatSourceAndFixImports(text) : tidy(text);
            if (better.equals(text)) {
                inOrder.add(mark(file, text));
            } else if (apply) {
                Files.writeString(file, better);
                inOrder.add(mark(file, better));
                System.out.println("repaired " + file);
            } else {
                wrong.add(file + ":" + firstDifference(text, better));
            }
        } catch (FormatterException e) {
            var hint = e.getMessage().contains("expected token: '_'") ? UNNAMED_PATTERN_HINT : "";
            wrong.add(file + ": " + e.getMessage() + hint);
        } catch (IOException e) {
            throw new UncheckedIOException(file.toString(), e);
        }
    }

    private static String tidy(String text) {
        return BLANKS_AT_LINE_END.matcher(text.stripTrailing()).replaceAll("") + "\n";
    }

    /** Stands for one file with one content. Two contents of one mark would only miss a check. */
    private static String mark(Path file, String text) {
        return "%08x %d %s".formatted(text.hashCode(), text.length(), file);
    }

    private static int firstDifference(String left, String right) {
        var ours = left.lines().toList();
        var theirs = right.lines().toList();
        int line = 0;
        while (line < ours.size() && line < theirs.size() && ours.get(line).equals(theirs.get(line))) {
            line++;
        }
        return line + 1;
    }
}
