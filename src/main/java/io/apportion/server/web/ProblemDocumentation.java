package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import io.apportion.server.web.ProblemView.BadNumber;
import io.apportion.server.web.ProblemView.Conflict;
import io.swagger.v3.core.converter.AnnotatedType;
import io.swagger.v3.core.converter.ModelConverters;
import io.swagger.v3.core.converter.ResolvedSchema;
import io.swagger.v3.oas.models.Components;
import io.swagger.v3.oas.models.OpenAPI;
import io.swagger.v3.oas.models.Operation;
import io.swagger.v3.oas.models.examples.Example;
import io.swagger.v3.oas.models.headers.Header;
import io.swagger.v3.oas.models.media.Content;
import io.swagger.v3.oas.models.media.MediaType;
import io.swagger.v3.oas.models.media.Schema;
import io.swagger.v3.oas.models.media.StringSchema;
import io.swagger.v3.oas.models.responses.ApiResponse;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.springdoc.core.customizers.GlobalOpenApiCustomizer;
import org.springdoc.core.customizers.GlobalOperationCustomizer;
import org.springframework.core.MethodParameter;
import org.springframework.stereotype.Component;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.method.HandlerMethod;
import tools.jackson.databind.json.JsonMapper;

/**
 * Documents the problems of each operation: what every request of its kind may end in, as its parameters show, and what its
 * method says by {@link Problems}.
 */
@Component
final class ProblemDocumentation implements GlobalOperationCustomizer, GlobalOpenApiCustomizer {

    private static final String RESPONSES = "#/components/responses/";
    private static final String AND = ".";

    private static final Set<Class<?>> NUMBERS =
            Set.of(AdapterNumber.class, DomainNumber.class, Queue.class, ApMask.class);

    private final JsonMapper json;

    ProblemDocumentation(JsonMapper json) {
        this.json = json;
    }

    @Override
    public Operation customize(Operation operation, HandlerMethod method) {
        Map<Integer, List<ProblemKind>> byStatus = kinds(method).stream()
                .collect(Collectors.groupingBy(ProblemKind::status, TreeMap::new, Collectors.toList()));
        byStatus.forEach((status, kinds) -> operation
                .getResponses()
                .addApiResponse(String.valueOf(status), new ApiResponse().$ref(reference(kinds))));
        return operation;
    }

    private static Set<ProblemKind> kinds(HandlerMethod method) {
        Set<ProblemKind> kinds = EnumSet.of(
                ProblemKind.MALFORMED_REQUEST,
                ProblemKind.UNAUTHENTICATED,
                ProblemKind.FORBIDDEN,
                ProblemKind.TOO_MANY_FAILED_LOGINS,
                ProblemKind.NOT_ACCEPTABLE,
                ProblemKind.DATABASE_UNAVAILABLE,
                ProblemKind.IDENTITY_PROVIDER_UNAVAILABLE);
        for (MethodParameter parameter : method.getMethodParameters()) {
            if (parameter.hasParameterAnnotation(PathVariable.class)) {
                kinds.add(ProblemKind.NOT_FOUND);
            }
            if (parameter.hasParameterAnnotation(RequestBody.class)) {
                kinds.add(ProblemKind.UNSUPPORTED_MEDIA_TYPE);
                kinds.add(ProblemKind.TOO_LARGE);
            }
            if (hasNumbers(parameter.getGenericParameterType())) {
                kinds.add(ProblemKind.MALFORMED_NUMBER);
                kinds.add(ProblemKind.AMBIGUOUS_NUMBER);
                kinds.add(ProblemKind.NUMBER_OUT_OF_RANGE);
            }
            if (parameter.getParameterType() == Conditions.class) {
                kinds.add(ProblemKind.STALE);
                kinds.add(ProblemKind.BUSY);
            }
        }
        Problems own = method.getMethodAnnotation(Problems.class);
        if (own != null) {
            kinds.addAll(List.of(own.value()));
        }
        return kinds;
    }

    private static boolean hasNumbers(Type type) {
        return switch (type) {
            case ParameterizedType list ->
                Arrays.stream(list.getActualTypeArguments()).anyMatch(ProblemDocumentation::hasNumbers);
            case Class<?> one
            when one.isRecord() && !NUMBERS.contains(one) ->
                Arrays.stream(one.getRecordComponents())
                        .map(RecordComponent::getGenericType)
                        .anyMatch(ProblemDocumentation::hasNumbers);
            default -> NUMBERS.contains(type);
        };
    }

    /** One response for all operations that may end in the same problems of one status. */
    private static String reference(List<ProblemKind> kinds) {
        return RESPONSES + kinds.stream().map(ProblemKind::slug).collect(Collectors.joining(AND));
    }

    private static ApiResponse response(List<String> slugs) {
        MediaType problem = new MediaType().schema(new Schema<>().$ref("#/components/schemas/Problem"));
        slugs.forEach(slug -> problem.addExamples(slug, new Example().$ref("#/components/examples/" + slug)));
        ApiResponse response = new ApiResponse()
                .description(String.join(", ", slugs))
                .content(new Content().addMediaType(Problem.MEDIA_TYPE, problem));
        response.addHeaderObject(RequestIds.HEADER, new Header().$ref(RequestIds.HEADER));
        if (slugs.contains(ProblemKind.UNAUTHENTICATED.slug())) {
            response.addHeaderObject("WWW-Authenticate", header("How to be let in", "Bearer"));
        }
        if (slugs.contains(ProblemKind.DATABASE_UNAVAILABLE.slug())
                || slugs.contains(ProblemKind.TOO_MANY_FAILED_LOGINS.slug())) {
            response.addHeaderObject("Retry-After", header("Seconds", "1"));
        }
        return response;
    }

    private static Header header(String description, String example) {
        return new Header().description(description).schema(new StringSchema().example(example));
    }

    @Override
    public void customise(OpenAPI contract) {
        Components components = contract.getComponents();
        ResolvedSchema problem = ModelConverters.getInstance(true)
                .resolveAsResolvedSchema(new AnnotatedType(ProblemView.class).resolveAsRef(true));
        problem.referencedSchemas.forEach(components::addSchemas);
        contract.getPaths().values().stream()
                .flatMap(path -> path.readOperations().stream())
                .flatMap(operation -> operation.getResponses().values().stream())
                .map(ApiResponse::get$ref)
                .filter(Objects::nonNull)
                .map(reference -> reference.substring(RESPONSES.length()))
                .forEach(name -> components.addResponses(name, response(List.of(name.split(Pattern.quote(AND))))));
        for (ProblemKind kind : ProblemKind.values()) {
            components.addExamples(
                    kind.slug(), new Example().summary(kind.title()).value(example(kind)));
        }
    }

    private Object example(ProblemKind kind) {
        UUID mdev = UUID.fromString("62177883-f1bb-47f0-914d-32a22e3a8804");
        Problem problem = switch (kind) {
            case MALFORMED_NUMBER, AMBIGUOUS_NUMBER, NUMBER_OUT_OF_RANGE -> {
                BadNumber number = number(kind);
                yield new Problem(kind, number.at() + ": " + number.detail() + ".").numbers(List.of(number));
            }
            case QUEUE_IN_USE ->
                new Problem(kind, "On host lpar1: 05.0047 is in use by mdev " + mdev + ".")
                        .conflicts(List.of(new Conflict("05.0047", mdev, null, null, "lpar1")));
            case QUEUE_RESERVED ->
                new Problem(kind, "On host lpar1: 05.0047 is reserved by the host's masks.")
                        .conflicts(List.of(new Conflict("05.0047", null, null, "masks", "lpar1")));
            case GUEST_ATTACHED ->
                new Problem(kind, "Guest vm17 is attached to mdev " + mdev + ".").mdevs(List.of(mdev));
            case HOST_NOT_EMPTY -> new Problem(kind, "Host lpar1 has 1 mdevs.").mdevs(List.of(mdev));
            case GONE -> new Problem(kind, "Positions up to 90209 were pruned.").oldest(90210);
            default -> new Problem(kind, kind.title() + ".");
        };
        return json.convertValue(problem.view("/api/v1/mdevs/" + mdev, "3c5e7f2a"), Map.class);
    }

    private static BadNumber number(ProblemKind kind) {
        try {
            NumberForms.parse(
                    switch (kind) {
                        case AMBIGUOUS_NUMBER -> "08";
                        case NUMBER_OUT_OF_RANGE -> "256";
                        default -> "0x";
                    });
            throw new IllegalStateException("not a bad number");
        } catch (NumberException bad) {
            return bad.at("/adapters/0");
        }
    }
}
