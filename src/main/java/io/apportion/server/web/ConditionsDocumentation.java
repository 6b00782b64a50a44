package io.apportion.server.web;

import io.swagger.v3.oas.models.Operation;
import io.swagger.v3.oas.models.headers.Header;
import io.swagger.v3.oas.models.media.StringSchema;
import io.swagger.v3.oas.models.parameters.HeaderParameter;
import io.swagger.v3.oas.models.parameters.Parameter;
import jakarta.servlet.http.HttpServletResponse;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.springdoc.core.customizers.GlobalOperationCustomizer;
import org.springdoc.core.utils.SpringDocUtils;
import org.springframework.stereotype.Component;
import org.springframework.web.method.HandlerMethod;

/** Documents what is the same for every change and for every list, once for all of them. */
@Component
final class ConditionsDocumentation implements GlobalOperationCustomizer {

    static {
        SpringDocUtils.getConfig().addRequestWrapperToIgnore(Conditions.class);
    }

    private static final Map<String, String> PARAMETERS = Map.of(
            "dryRun", "The same checks and the same answer, and nothing is stored",
            "force", "Also if running guests lose queues by it. Only for admins",
            "limit", "How many items at most",
            "cursor", "The next of the page before");

    @Override
    public Operation customize(Operation operation, HandlerMethod method) {
        List<Parameter> parameters = operation.getParameters();
        if (parameters != null) {
            for (Parameter parameter : parameters) {
                if (parameter.getDescription() == null) {
                    parameter.setDescription(PARAMETERS.get(parameter.getName()));
                }
            }
        }
        boolean changes = takes(method, Conditions.class);
        if (changes) {
            operation
                    .addParametersItem(header(
                            "If-Match",
                            "Tags in double quotes, or *: changes the resource only if it has one of them."
                                    + " Otherwise stale"))
                    .addParametersItem(header(
                            "If-None-Match",
                            "Only *: changes nothing if the resource is there already. Otherwise stale"))
                    .addParametersItem(header(
                            "Prefer",
                            "wait=SECONDS, at most 60 (more is taken as 60): answers when the host has applied the"
                                + " change, when it has failed, or when the time is up. At once pending if no agent is"
                                + " connected or the policy is paused"));
            success(operation, "Preference-Applied", "If the caller waits", "wait=10");
        }
        boolean showsTag = takes(method, HttpServletResponse.class) && !method.isVoid();
        if (changes || showsTag) {
            success(
                    operation,
                    "ETag",
                    "Of the desired part of the resource alone: reports of the host do not change it",
                    "\"118-5\"");
        }
        return operation;
    }

    private static boolean takes(HandlerMethod method, Class<?> type) {
        return Arrays.stream(method.getMethodParameters()).anyMatch(parameter -> parameter.getParameterType() == type);
    }

    private static Parameter header(String name, String description) {
        return new HeaderParameter()
                .name(name)
                .description(description)
                .required(false)
                .schema(new StringSchema());
    }

    private static void success(Operation operation, String header, String description, String example) {
        operation.getResponses().forEach((status, response) -> {
            if (status.startsWith("2")) {
                response.addHeaderObject(
                        header, new Header().description(description).schema(new StringSchema().example(example)));
            }
        });
    }
}
