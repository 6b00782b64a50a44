package io.apportion.packaging;

import com.sun.source.doctree.DocCommentTree;
import com.sun.source.doctree.ParamTree;
import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.util.DocTrees;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TreePathScanner;
import java.io.IOException;
import java.lang.reflect.Parameter;
import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.core.env.ConfigurableEnvironment;

/**
 * A setting of Apportion's own, as its record documents it.
 *
 * <p>Not as {@code META-INF/spring-configuration-metadata.json} says it: there a component whose name begins another's, such
 * as {@code read} and {@code ready}, has the other's text.
 *
 * @param value the default as one writes it in a file; an example, if {@code isDefault} is not
 * @param meaning the text of its {@code @param}, with {@code {@code}} in backticks
 */
record Setting(String name, String value, boolean isDefault, String meaning) {

    private static final Path SOURCES = Path.of("src/main/java");
    private static final Pattern CODE = Pattern.compile("\\{@code (.*?)}");
    private static final Pattern EXAMPLE = Pattern.compile("for example `(.*?)`");

    /** In the order of the record's components. */
    static List<Setting> of(Class<?> properties, ConfigurableEnvironment application) throws IOException {
        String prefix = properties.getAnnotation(ConfigurationProperties.class).value();
        Object bound = Binder.get(application).bindOrCreate(prefix, Bindable.of(properties));
        List<Setting> settings = new ArrayList<>();
        add(settings, prefix, bound, application, documentation(properties));
        return settings;
    }

    private static void add(
            List<Setting> settings,
            String prefix,
            Object bound,
            ConfigurableEnvironment application,
            Map<String, Map<String, String>> documentation) {
        // Of the canonical constructor: the annotation is for parameters, and their components do not have it.
        Parameter[] parameters = bound.getClass().getDeclaredConstructors()[0].getParameters();
        RecordComponent[] components = bound.getClass().getRecordComponents();
        for (int i = 0; i < components.length; i++) {
            RecordComponent component = components[i];
            String name = prefix + "."
                    + component.getName().replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
            Object value = value(component, bound);
            if (value instanceof Record) {
                add(settings, name, value, application, documentation);
                continue;
            }
            String meaning = documentation
                    .getOrDefault(bound.getClass().getSimpleName(), Map.of())
                    .get(component.getName());
            if (meaning == null) {
                throw new AssertionError(name + " is not documented: " + bound.getClass() + " has no @param for it");
            }
            String written = written(asItStands(application, name), parameters[i], value);
            Matcher example = EXAMPLE.matcher(meaning);
            settings.add(
                    written == null
                            ? new Setting(name, example.find() ? example.group(1) : "", false, meaning)
                            : new Setting(name, written, true, meaning));
        }
    }

    private static @Nullable Object value(RecordComponent component, Object bound) {
        try {
            component.getAccessor().setAccessible(true);
            return component.getAccessor().invoke(bound);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Not resolved: {@code ${apportion.data}} is what one writes. */
    static @Nullable String asItStands(ConfigurableEnvironment environment, String name) {
        return environment.getPropertySources().stream()
                .map(source -> source.getProperty(name))
                .filter(Objects::nonNull)
                .map(Object::toString)
                .findFirst()
                .orElse(null);
    }

    private static @Nullable String written(@Nullable String application, Parameter parameter, @Nullable Object value) {
        DefaultValue byDefault = parameter.getAnnotation(DefaultValue.class);
        if (application != null) {
            return application;
        }
        if (value instanceof List || value instanceof Map) {
            return value.toString().replace('=', ':').replace(":", ": ");
        }
        return byDefault == null ? null : byDefault.value()[0];
    }

    /** By the simple names of the file's records, and of their components. */
    private static Map<String, Map<String, String>> documentation(Class<?> record) throws IOException {
        Path source = SOURCES.resolve(record.getName().replace('.', '/') + ".java");
        Map<String, Map<String, String>> documentation = new HashMap<>();
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
            JavacTask task = (JavacTask)
                    compiler.getTask(null, files, null, List.of("-proc:none"), null, files.getJavaFileObjects(source));
            DocTrees docs = DocTrees.instance(task);
            for (CompilationUnitTree unit : task.parse()) {
                new TreePathScanner<@Nullable Void, @Nullable Void>() {
                    @Override
                    public @Nullable Void visitClass(ClassTree type, @Nullable Void unused) {
                        DocCommentTree comment = docs.getDocCommentTree(getCurrentPath());
                        if (comment != null) {
                            documentation.put(type.getSimpleName().toString(), parameters(comment));
                        }
                        return super.visitClass(type, unused);
                    }
                }.scan(unit, null);
            }
        }
        return documentation;
    }

    private static Map<String, String> parameters(DocCommentTree comment) {
        return comment.getBlockTags().stream()
                .filter(ParamTree.class::isInstance)
                .map(ParamTree.class::cast)
                .collect(Collectors.toMap(param -> param.getName().toString(), Setting::text));
    }

    private static String text(ParamTree param) {
        String text = param.getDescription().stream()
                .map(Object::toString)
                .collect(Collectors.joining())
                .replaceAll("\\s+", " ");
        return CODE.matcher(text).replaceAll(code -> Matcher.quoteReplacement("`" + code.group(1) + "`"));
    }
}
