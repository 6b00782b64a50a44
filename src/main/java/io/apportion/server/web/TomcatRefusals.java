package io.apportion.server.web;

import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.core.StandardHost;
import org.apache.catalina.valves.ErrorReportValve;
import org.apache.coyote.ActionCode;
import org.apache.tomcat.util.ExceptionUtils;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.tomcat.servlet.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.stereotype.Component;
import tools.jackson.databind.json.JsonMapper;

/**
 * What Tomcat refuses by itself, before a filter sees it, becomes a problem too: paths such as {@code %zz}, a missing
 * {@code Host}, headers that are too large.
 *
 * <p>Comes last of all customizers: of two valves that report errors, the inner one does, which is the one added later.
 */
@Component
@Order(Ordered.LOWEST_PRECEDENCE)
final class TomcatRefusals implements WebServerFactoryCustomizer<TomcatServletWebServerFactory> {

    private final JsonMapper json;

    TomcatRefusals(JsonMapper json) {
        this.json = json;
    }

    @Override
    public void customize(TomcatServletWebServerFactory factory) {
        factory.addContextCustomizers(context -> {
            StandardHost host = (StandardHost) context.getParent();
            host.setErrorReportValveClass(ProblemValve.class.getName());
            host.getPipeline().addValve(new ProblemValve(json));
        });
        // A form's fields are no parameters: whoever wants force=true says so in the query.
        factory.addConnectorCustomizers(connector -> connector.setParseBodyMethods(""));
    }

    /** Public, and known by its name, as Tomcat asks for. */
    static final class ProblemValve extends ErrorReportValve {

        private static final Logger LOG = LoggerFactory.getLogger(ProblemValve.class);

        private final JsonMapper json;

        ProblemValve(JsonMapper json) {
            this.json = json;
        }

        @Override
        protected void report(Request request, Response response, @Nullable Throwable thrown) {
            int status = response.getStatus();
            if (status < 400 || response.getContentWritten() > 0 || !response.setErrorReported()) {
                return;
            }
            AtomicBoolean mayAnswer = new AtomicBoolean();
            response.getCoyoteResponse().action(ActionCode.IS_IO_ALLOWED, mayAnswer);
            if (!mayAnswer.get()) {
                return;
            }
            String requestId = RequestIds.of(request);
            if (thrown != null && status >= 500) {
                LOG.error("{} {} [{}]", request.getMethod(), request.getRequestURI(), requestId, thrown);
            }
            try {
                Problem problem = problem(status);
                String path = request.getRequestURI();
                response.setStatus(problem.kind().status());
                SafeHeaders.on(response);
                response.setHeader(RequestIds.HEADER, requestId);
                response.setContentType(Problem.MEDIA_TYPE);
                response.setCharacterEncoding(StandardCharsets.UTF_8);
                Writer writer = response.getReporter();
                if (writer != null) {
                    writer.write(json.writeValueAsString(problem.view(path == null ? "" : path, requestId)));
                    response.finishResponse();
                }
            } catch (IOException | RuntimeException e) {
                ExceptionUtils.handleThrowable(e);
                LOG.debug("Nobody is there to be told of status {}", status, e);
            }
        }

        private static Problem problem(int status) {
            return switch (status) {
                case 401 -> new Problem(ProblemKind.UNAUTHENTICATED, "This needs a token.");
                case 403 -> new Problem(ProblemKind.FORBIDDEN, "This is not allowed.");
                case 404 -> new Problem(ProblemKind.NOT_FOUND, "There is no such resource.");
                case 405 -> new Problem(ProblemKind.METHOD_NOT_ALLOWED, "The method is not for this resource.");
                case 413, 414, 431 -> new Problem(ProblemKind.TOO_LARGE, "The request is too large.");
                default ->
                    status < 500 || status == 501 || status == 505
                            ? new Problem(
                                    ProblemKind.MALFORMED_REQUEST,
                                    "The request line, a header or the framing of the body is not as HTTP has it.")
                            : new Problem(ProblemKind.INTERNAL, "The server could not answer this request.");
            };
        }
    }
}
