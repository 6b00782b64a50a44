package io.apportion.packaging;

import com.marcnuri.helm.Helm;
import com.marcnuri.helm.LintResult;
import com.marcnuri.helm.TemplateCommand;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The Helm chart of this repository, as Helm itself sees it. No cluster is asked.
 *
 * @param folder a copy, in which the test pod is no hook and the notes are in a ConfigMap: Helm would print neither
 */
record Chart(Path folder) {

    static final Path SOURCE = Path.of("helm/apportion").toAbsolutePath();
    static final String RELEASE = "site";
    static final String NAMESPACE = "crypto";

    private static final String NOTES = """
        {{- if .Values.global }}
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: notes
        data:
          notes: |
            {{- include "apportion/templates/NOTES.txt" . | nindent 4 }}
        {{- end }}
        """;

    static Chart copiedTo(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(SOURCE)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = folder.resolve(SOURCE.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                String text = Files.readString(file);
                Files.writeString(copy, text.replaceAll("helm.sh/hook(?!-)", "example.com/hook"));
            }
        }
        Files.writeString(folder.resolve("templates/shown-notes.yaml"), NOTES);
        return new Chart(folder);
    }

    static LintResult lint() {
        return new Helm(SOURCE).lint().strict().call();
    }

    /**
     * @param values a file of {@code ci}, without its ending
     * @param settings in place of what that file says, as with {@code --set}
     * @return YAML documents
     * @throws IllegalStateException with Helm's words: the chart refuses these values
     */
    String render(String values, Map<String, ?> settings) {
        TemplateCommand template = new Helm(folder)
                .template()
                .withName(RELEASE)
                .withNamespace(NAMESPACE)
                .withKubeVersion("1.33.0")
                .withValuesFile(SOURCE.resolve("ci/" + values + "-values.yaml"));
        settings.forEach(template::set);
        return template.call();
    }

    /** What Helm tells at the end of an installation. */
    String notes(String values) {
        return KubernetesObjects.read(render(values, Map.of("global.notes", "true")))
                .file("notes");
    }
}
