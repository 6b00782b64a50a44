package io.apportion.server.web;

import io.apportion.server.matrix.DatabaseWatch;
import io.apportion.server.matrix.NotDone;
import io.apportion.server.web.ProblemView.BadNumber;
import jakarta.persistence.LockTimeoutException;
import jakarta.persistence.PessimisticLockException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.tomcat.util.http.InvalidParameterException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.TypeMismatchException;
import org.springframework.dao.PessimisticLockingFailureException;
import org.springframework.dao.QueryTimeoutException;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.http.converter.HttpMessageNotReadableException;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.security.authentication.AuthenticationServiceException;
import org.springframework.security.core.AuthenticationException;
import org.springframework.security.web.firewall.RequestRejectedException;
import org.springframework.validation.BindException;
import org.springframework.validation.FieldError;
import org.springframework.web.ErrorResponse;
import org.springframework.web.HttpMediaTypeNotAcceptableException;
import org.springframework.web.HttpMediaTypeNotSupportedException;
import org.springframework.web.HttpRequestMethodNotSupportedException;
import org.springframework.web.bind.MissingServletRequestParameterException;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.RestControllerAdvice;
import org.springframework.web.context.request.ServletWebRequest;
import org.springframework.web.context.request.async.AsyncRequestNotUsableException;
import org.springframework.web.method.annotation.HandlerMethodValidationException;
import org.springframework.web.method.annotation.MethodArgumentTypeMismatchException;
import org.springframework.web.servlet.NoHandlerFoundException;
import org.springframework.web.servlet.resource.NoResourceFoundException;
import org.springframework.web.util.DisconnectedClientHelper;
import tools.jackson.core.JacksonException;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.databind.DatabindException;
import tools.jackson.databind.exc.MismatchedInputException;
import tools.jackson.databind.exc.UnrecognizedPropertyException;

/** Everything that can end a request without success, as one problem of the catalogue. Filters answer through it too. */
@RestControllerAdvice
final class ProblemAdvice {

    private static final Logger LOG = LoggerFactory.getLogger(ProblemAdvice.class);

    private static final Duration DATABASE_PAUSE = Duration.ofSeconds(5);

    private static final Duration PROVIDER_PAUSE = Duration.ofSeconds(30);

    private final DatabaseWatch watch;

    ProblemAdvice(DatabaseWatch watch) {
        this.watch = watch;
    }

    @ExceptionHandler
    @Nullable
    ResponseEntity<ProblemView> answer(Exception exception, ServletWebRequest request) {
        String databaseFault = watch.heed(exception);
        HttpServletResponse response = request.getResponse();
        if ((response != null && response.isCommitted())
                || exception instanceof AsyncRequestNotUsableException
                || DisconnectedClientHelper.isClientDisconnectedException(exception)) {
            return null; // nobody is there to be told
        }
        HttpHeaders headers = new HttpHeaders();
        if (exception instanceof ErrorResponse errorResponse) {
            headers.putAll(errorResponse.getHeaders()); // Allow, Accept
        }
        Problem problem = databaseFault == null
                ? problem(exception, request.getRequest(), headers)
                : databaseUnavailable(databaseFault);
        if (problem.retryAfter() != null) {
            // In whole seconds, rounded up.
            headers.set(
                    HttpHeaders.RETRY_AFTER,
                    String.valueOf(
                            Math.max(1, problem.retryAfter().plusMillis(999).toSeconds())));
        }
        headers.setContentType(MediaType.APPLICATION_PROBLEM_JSON);
        return ResponseEntity.status(problem.kind().status())
                .headers(headers)
                .body(problem.view(request.getRequest().getRequestURI(), RequestIds.of(request.getRequest())));
    }

    private static Problem problem(Exception exception, HttpServletRequest request, HttpHeaders headers) {
        return switch (exception) {
            case ProblemException ours -> ours.problem();
            case NotDone notDone -> notDone(notDone);
            case HttpMessageNotReadableException unreadable -> unreadable(unreadable);
            case JacksonException unreadable -> json(unreadable);
            case MethodArgumentTypeMismatchException mismatch -> mismatch(mismatch.getName(), mismatch);
            case BindException binding -> binding(binding);
            case MissingServletRequestParameterException missing ->
                malformed("The parameter " + missing.getParameterName() + " is missing.");
            case HandlerMethodValidationException invalid -> validation(invalid);
            case RequestRejectedException rejected -> malformed("The request's path or headers are not acceptable.");
            case InvalidParameterException invalid -> malformed("The query cannot be decoded.");
            case HttpRequestMethodNotSupportedException method ->
                new Problem(
                        ProblemKind.METHOD_NOT_ALLOWED,
                        method.getMethod() + " is not a method of " + request.getRequestURI() + ".");
            case HttpMediaTypeNotAcceptableException media ->
                new Problem(
                        ProblemKind.NOT_ACCEPTABLE,
                        "There is " + media.getSupportedMediaTypes() + " for this resource.");
            case HttpMediaTypeNotSupportedException media ->
                new Problem(
                        ProblemKind.UNSUPPORTED_MEDIA_TYPE,
                        media.getContentType() == null
                                ? "The request names no media type that can be read."
                                : media.getContentType() + " cannot be read here.");
            case NoHandlerFoundException none -> notFound(request);
            case NoResourceFoundException none -> notFound(request);
            case FailedLogins.TooMany many ->
                said(ProblemKind.TOO_MANY_FAILED_LOGINS, many).retryAfter(many.retryAfter());
            case AuthenticationServiceException unknown ->
                said(ProblemKind.IDENTITY_PROVIDER_UNAVAILABLE, unknown).retryAfter(PROVIDER_PAUSE);
            case AuthenticationException unauthenticated -> {
                headers.set(HttpHeaders.WWW_AUTHENTICATE, "Bearer");
                yield said(ProblemKind.UNAUTHENTICATED, unauthenticated);
            }
            case AccessDeniedException denied -> said(ProblemKind.FORBIDDEN, denied);
            case PessimisticLockingFailureException locked ->
                busy("A lock was not free in time.", Duration.ofSeconds(1));
            case PessimisticLockException locked -> busy("A lock was not free in time.", Duration.ofSeconds(1));
            case LockTimeoutException locked -> busy("A lock was not free in time.", Duration.ofSeconds(1));
            case QueryTimeoutException late -> busy("The database did not answer in time.", Duration.ofSeconds(1));
            case ErrorResponse other when other.getStatusCode().is4xxClientError() -> other(other);
            case Exception unexpected -> internal(unexpected, request);
        };
    }

    private static Problem notDone(NotDone notDone) {
        return switch (notDone) {
            case NotDone.Refused refused -> RefusalProblems.of(refused.host(), refused.refusal());
            case NotDone.NotFound missing ->
                new Problem(ProblemKind.NOT_FOUND, "There is no " + missing.getMessage() + ".");
            case NotDone.Stale stale -> said(ProblemKind.STALE, stale);
            case NotDone.Busy busy ->
                busy("The matrix lock of host " + busy.getMessage() + " was not free in time.", busy.retryAfter());
            case NotDone.HostNotEmpty host ->
                new Problem(
                                ProblemKind.HOST_NOT_EMPTY,
                                "Host " + host.host() + " has " + host.mdevs().size() + " mdevs.")
                        .mdevs(host.mdevs());
            case NotDone.MdevElsewhere mdev ->
                new Problem(ProblemKind.MDEV_ELSEWHERE, "Mdev " + mdev.mdev() + " is on host " + mdev.host() + ".")
                        .mdevs(List.of(mdev.mdev()));
            case NotDone.HostClaimed host ->
                new Problem(ProblemKind.HOST_CLAIMED, "Another machine has claimed host " + host.host() + ".");
            case NotDone.Forbidden forbidden -> said(ProblemKind.FORBIDDEN, forbidden);
            case NotDone.Gone gone -> said(ProblemKind.GONE, gone).oldest(gone.oldest());
        };
    }

    private static Problem unreadable(HttpMessageNotReadableException unreadable) {
        for (Throwable cause = unreadable; cause != null; cause = cause.getCause()) {
            if (cause instanceof ProblemException ours) {
                return ours.problem();
            }
        }
        return switch (unreadable.getCause()) {
            case JacksonException json -> json(json);
            case null -> malformed("The body is missing.");
            case Throwable other -> malformed("The body cannot be read.");
        };
    }

    /** Jackson's own words name classes; these name places in the body. */
    private static Problem json(JacksonException exception) {
        String at = pointer(exception);
        return malformed(
                switch (exception) {
                    case StreamConstraintsException limit ->
                        "The body is nested too deep, or a text or number in it is too long.";
                    case StreamReadException syntax ->
                        "The body is no JSON, or has a field twice, at line "
                                + syntax.getLocation().getLineNr() + ", column "
                                + syntax.getLocation().getColumnNr() + ".";
                    case UnrecognizedPropertyException unknown ->
                        at + " is unknown; known here: "
                                + (unknown.getKnownPropertyIds() == null
                                        ? "none"
                                        : unknown.getKnownPropertyIds().stream()
                                                .map(Object::toString)
                                                .sorted()
                                                .collect(Collectors.joining(", ")))
                                + ".";
                    case MismatchedInputException mismatch
                    when mismatch.getTargetType() != null ->
                        at + " is not " + TextForms.expected(mismatch.getTargetType()) + ".";
                    default -> at + " cannot be read.";
                });
    }

    private static String pointer(JacksonException exception) {
        if (!(exception instanceof DatabindException) || exception.getPath().isEmpty()) {
            return "The body";
        }
        return exception.getPath().stream()
                .map(step -> step.getPropertyName() == null ? "/" + step.getIndex() : "/" + step.getPropertyName())
                .collect(Collectors.joining());
    }

    private static Problem mismatch(String name, TypeMismatchException mismatch) {
        NumberException number = numberIn(mismatch);
        if (number != null) {
            return BadNumbers.problem(name, number);
        }
        Class<?> wanted = mismatch.getRequiredType();
        return malformed(name + " is not " + (wanted == null ? "readable" : TextForms.expected(wanted)) + ".");
    }

    private static Problem binding(BindException binding) {
        List<BadNumber> numbers = new ArrayList<>();
        List<String> others = new ArrayList<>();
        ProblemKind kind = ProblemKind.MALFORMED_REQUEST;
        for (FieldError error : binding.getFieldErrors()) {
            NumberException number = error.contains(TypeMismatchException.class)
                    ? numberIn(error.unwrap(TypeMismatchException.class))
                    : null;
            if (number != null) {
                numbers.add(number.at(error.getField()));
                kind = number.kind();
            } else {
                others.add(error.getField()
                        + (error.isBindingFailure() ? " cannot be read" : " " + error.getDefaultMessage()));
            }
        }
        binding.getGlobalErrors().forEach(error -> others.add(String.valueOf(error.getDefaultMessage())));
        Problem problem = new Problem(
                kind,
                Stream.concat(numbers.stream().map(number -> number.at() + ": " + number.detail()), others.stream())
                        .sorted()
                        .collect(Collectors.joining("; ", "", ".")));
        return numbers.isEmpty() ? problem : problem.numbers(numbers);
    }

    private static @Nullable NumberException numberIn(Throwable mismatch) {
        for (Throwable cause = mismatch; cause != null; cause = cause.getCause()) {
            if (cause instanceof NumberException number) {
                return number;
            }
        }
        return null;
    }

    private static Problem validation(HandlerMethodValidationException invalid) {
        return malformed(invalid.getParameterValidationResults().stream()
                .flatMap(result -> result.getResolvableErrors().stream()
                        .map(error -> result.getMethodParameter().getParameterName() + " " + error.getDefaultMessage()))
                .sorted()
                .collect(Collectors.joining("; ", "", ".")));
    }

    private static Problem notFound(HttpServletRequest request) {
        return new Problem(ProblemKind.NOT_FOUND, "There is no resource " + request.getRequestURI() + ".")
                .remedy("The resources there are: /swagger-ui, /v3/api-docs.");
    }

    private static Problem busy(String detail, Duration retryAfter) {
        return new Problem(ProblemKind.BUSY, detail).retryAfter(retryAfter);
    }

    private static Problem databaseUnavailable(String fault) {
        return new Problem(ProblemKind.DATABASE_UNAVAILABLE, fault).retryAfter(DATABASE_PAUSE);
    }

    private static Problem internal(Exception unexpected, HttpServletRequest request) {
        LOG.error("{} {} [{}]", request.getMethod(), request.getRequestURI(), RequestIds.of(request), unexpected);
        return new Problem(ProblemKind.INTERNAL, "The server could not answer this request.");
    }

    private static Problem other(ErrorResponse other) {
        return new Problem(
                switch (other.getStatusCode().value()) {
                    case 404 -> ProblemKind.NOT_FOUND;
                    case 413 -> ProblemKind.TOO_LARGE;
                    default -> ProblemKind.MALFORMED_REQUEST;
                },
                "The request cannot be taken.");
    }

    private static Problem said(ProblemKind kind, Exception exception) {
        return new Problem(kind, Objects.requireNonNullElse(exception.getMessage(), kind.title()));
    }

    private static Problem malformed(String detail) {
        return new Problem(ProblemKind.MALFORMED_REQUEST, detail);
    }
}
