package io.apportion.server.web;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.server.ServerApplication;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.HostSettings;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MdevSettings;
import io.apportion.server.matrix.Preconditions;
import io.apportion.server.web.RawHttp.Answer;
import io.apportion.server.web.RawHttp.Request;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.net.URLEncoder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.core.MethodParameter;
import org.springframework.core.annotation.AnnotatedElementUtils;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.web.bind.annotation.ModelAttribute;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.method.HandlerMethod;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerMapping;

/**
 * Bad input is answered as a problem, whoever refuses it, and changes nothing. Every endpoint there is gets all of it:
 * they are found by their mappings, and what is wrong for each follows from its parameters.
 */
@SpringBootTest(
        classes = ServerApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
        // Wrong tokens come by the dozen here, and all from one address.
        properties = "apportion.web.failed-logins=1000000")
class BadInputTests {

    private static final UUID MDEV = UUID.fromString("62177883-f1bb-47f0-914d-32a22e3a8804");
    private static final String FULL_WIDTH_5 = "５";

    /** Each with the problem that it is for an adapter or domain. */
    private static final Map<String, ProblemKind> WRONG_NUMBERS = new LinkedHashMap<>();

    static {
        words("0x x5 0X05 -1 -0 +5 1e3 1.0 0xg ff 5,6 null true NaN 05.0047 ' <b> ${7*7} ½ " + FULL_WIDTH_5)
                .forEach(value -> WRONG_NUMBERS.put(value, ProblemKind.MALFORMED_NUMBER));
        Stream.of(" 5", "5 ", "5\n", "\"", "0x" + FULL_WIDTH_5)
                .forEach(value -> WRONG_NUMBERS.put(value, ProblemKind.MALFORMED_NUMBER));
        words("08 05 00 0255 " + "0".repeat(10_000))
                .forEach(value -> WRONG_NUMBERS.put(value, ProblemKind.AMBIGUOUS_NUMBER));
        words("256 0x100 4294967301 18446744073709551621 " + "9".repeat(10_000))
                .forEach(value -> WRONG_NUMBERS.put(value, ProblemKind.NUMBER_OUT_OF_RANGE));
    }

    private static final Map<String, ProblemKind> WRONG_QUEUES = new LinkedHashMap<>();

    static {
        words("5.47 05.47 05-0047 0x05.0x0047 05.00477 x 0" + FULL_WIDTH_5 + ".0047 " + "0".repeat(10_000))
                .forEach(value -> WRONG_QUEUES.put(value, ProblemKind.MALFORMED_NUMBER));
        words("05.0100 ff.ffff").forEach(value -> WRONG_QUEUES.put(value, ProblemKind.NUMBER_OUT_OF_RANGE));
    }

    private static final List<String> WRONG_UUIDS =
            words("x 1-1-1-1-1 62177883-f1bb-47f0-914d-32a22e3a880 62177883-f1bb-47f0-914d-32a22e3a88044"
                    + " 62177883f1bb47f0914d32a22e3a8804 {62177883-f1bb-47f0-914d-32a22e3a8804}"
                    + " urn:uuid:62177883-f1bb-47f0-914d-32a22e3a8804 g2177883-f1bb-47f0-914d-32a22e3a8804"
                    + " YheIg_G7R_CRTTKiLjqIBA== " + "6".repeat(10_000));

    private static final List<String> WRONG_BOOLEANS = words("yes 1 TRUE on maybe");

    private static final List<String> WRONG_WHOLE_NUMBERS =
            words("x 1.5 1e3 -1 0x10 #10 007 " + FULL_WIDTH_5 + " " + "9".repeat(30) + " " + "9".repeat(10_000));

    private static final List<String> WRONG_INSTANTS =
            words("x now 5 2026-13-01T00:00:00Z 2026-11-22 +1000000000-12-31T23:59:59Z -0001-01-01T00:00:00Z");

    /** What no path may end in. */
    private static final List<String> PATH_TRICKS =
            words("/%zz /% /%2 /%2F %2F /%00 %00 /[ /] /{ /| /\\ /%5c /../.. /.. /^ /` /\" /<x>"
                + " /../../../../../../etc/passwd /%2e%2e/%2e%2e /..;/x /;x=y ;x=y // /%ff /%c0%ae /%ed%a0%80 /\u00ff"
                + " /%0d%0a /x#y");

    private static final List<String> QUERY_TRICKS =
            words("?nosuch=1 ?nosuch ?a=%zz ?a=%ff ?a=% ?%00=1 ?a=%00 ?[ ?a[]=1 ?a={} ?a=\u00ff"
                    + " ?a=%ed%a0%80 ?=1 ?dryrun=true ?Force=true");

    private static final List<String> NO_JSON = Stream.concat(
                    words(
                            "null { } [ [] [{}] \"\" \"x\" 1 true x {\"a\":1,} {'a':1} {a:1} {}{} {\"a\":01}"
                                + " {\"a\":NaN} {\"a\":1e999999999} <a/> \u0000 {\"a\":\"\u0001\"} {\"nosuch\":1}"
                                + " {\"nosuch\":{\"deep\":[1]}} {\"__proto__\":{}} {\"@class\":\"java.lang.Object\"}")
                            .stream(),
                    Stream.of("", " ", "{} x", "// x\n{}"))
            .toList();

    private static List<String> words(String text) {
        return List.of(text.split(" "));
    }

    @LocalServerPort
    int port;

    @Autowired
    @Qualifier("requestMappingHandlerMapping")
    RequestMappingHandlerMapping mappings;

    @Autowired
    MatrixService matrix;

    @Autowired
    TokenService tokens;

    @Autowired
    WebSettings settings;

    @Autowired
    JdbcClient database;

    private RawHttp http;
    private UUID token;
    private String admin = "";
    private String agent = "";

    @BeforeEach
    void seed() {
        http = new RawHttp(port);
        var mode = new MatrixService.Mode(Preconditions.NONE, false, false, new Caller("test", true, "seed"));
        matrix.putHost("lpar1", new HostSettings(null, null, null, null, null), mode);
        matrix.putMdev(
                MDEV, new MdevSettings("lpar1", null, new Matrix(ApMask.of(4), ApMask.of(4), ApMask.of(4))), mode);
        var issued = tokens.issue("bad-input", Role.ADMIN, null, null, "test", false);
        token = issued.token().id();
        admin = "Bearer " + issued.secret();
        agent = "Bearer "
                + tokens.issue("bad-input", Role.AGENT, "lpar1", null, "test", false)
                        .secret();
    }

    /** One handler method at one path. */
    private record Endpoint(String method, String template, HandlerMethod handler) {

        String name() {
            return method + " " + template;
        }

        List<MethodParameter> parameters(Class<? extends java.lang.annotation.Annotation> annotation) {
            return Arrays.stream(handler.getMethodParameters())
                    .filter(parameter -> parameter.hasParameterAnnotation(annotation))
                    .toList();
        }

        /** Of the query, by name, with the type of one value. */
        Map<String, Class<?>> query() {
            Map<String, Class<?>> types = new TreeMap<>();
            parameters(RequestParam.class)
                    .forEach(parameter -> types.put(
                            nameOf(
                                    parameter,
                                    parameter
                                            .getParameterAnnotation(RequestParam.class)
                                            .name()),
                            single(parameter.getParameterType(), parameter.getGenericParameterType())));
            parameters(ModelAttribute.class).stream()
                    .flatMap(parameter ->
                            Arrays.stream(parameter.getParameterType().getRecordComponents()))
                    .forEach(component ->
                            types.put(component.getName(), single(component.getType(), component.getGenericType())));
            return types;
        }

        Map<String, Class<?>> path() {
            Map<String, Class<?>> types = new TreeMap<>();
            parameters(PathVariable.class)
                    .forEach(parameter -> types.put(
                            nameOf(
                                    parameter,
                                    parameter
                                            .getParameterAnnotation(PathVariable.class)
                                            .name()),
                            parameter.getParameterType()));
            return types;
        }

        private static String nameOf(MethodParameter parameter, String given) {
            return given.isEmpty() ? parameter.getParameter().getName() : given;
        }
    }

    private static Class<?> single(Class<?> type, java.lang.reflect.Type generic) {
        if (Collection.class.isAssignableFrom(type)
                && generic instanceof ParameterizedType list
                && list.getActualTypeArguments()[0] instanceof Class<?> element) {
            return element;
        }
        return type;
    }

    @TestFactory
    Stream<DynamicTest> everyEndpointRefusesBadNumbersAndIdsInItsPath() {
        return forEach(endpoint -> endpoint.path()
                .forEach((name, type) -> wrong(type).forEach((value, kind) -> {
                    Request request = request(endpoint, Map.of(name, encoded(value)), "");
                    // Some never get past Tomcat or the firewall; those are malformed whatever they stand for.
                    expect(request, kind, ProblemKind.MALFORMED_REQUEST);
                })));
    }

    @TestFactory
    Stream<DynamicTest> everyEndpointRefusesBadParameters() {
        return forEach(endpoint -> {
            endpoint.query().forEach((name, type) -> {
                wrong(type)
                        .forEach((value, kind) -> expect(
                                request(endpoint, Map.of(), "?" + name + "=" + encoded(value)),
                                kind,
                                ProblemKind.MALFORMED_REQUEST));
                if (type != String.class) {
                    expect(request(endpoint, Map.of(), "?" + name + "="));
                }
                expect(request(endpoint, Map.of(), "?" + name + "=%00"));
                expect(request(endpoint, Map.of(), "?" + name + "=%ff"), ProblemKind.MALFORMED_REQUEST);
            });
            QUERY_TRICKS.forEach(trick -> expect(request(endpoint, Map.of(), trick), ProblemKind.MALFORMED_REQUEST));
        });
    }

    @TestFactory
    Stream<DynamicTest> everyEndpointRefusesPathTricks() {
        return forEach(endpoint -> PATH_TRICKS.forEach(trick -> expect(
                request(endpoint, Map.of(), trick),
                ProblemKind.MALFORMED_REQUEST,
                ProblemKind.NOT_FOUND,
                ProblemKind.METHOD_NOT_ALLOWED)));
    }

    @TestFactory
    Stream<DynamicTest> everyEndpointRefusesOtherMethods() {
        Map<String, Set<String>> methods = endpoints().stream()
                .collect(Collectors.groupingBy(
                        Endpoint::template, Collectors.mapping(Endpoint::method, Collectors.toSet())));
        return forEach(endpoint -> {
            Request good = request(endpoint, Map.of(), "");
            Stream.of("GET", "PUT", "POST", "DELETE", "PATCH", "PROPFIND", "get", "M-SEARCH")
                    .filter(method -> !methods.get(endpoint.template()).contains(method))
                    .forEach(method -> {
                        Answer answer = expect(good.as(method), ProblemKind.METHOD_NOT_ALLOWED);
                        assertThat(answer.header("allow"))
                                .as(method + " " + good)
                                .contains(endpoint.method());
                    });
            expect(good.as("TRACE"), ProblemKind.METHOD_NOT_ALLOWED);
            expect(good.as("CONNECT"));
        });
    }

    @TestFactory
    Stream<DynamicTest> everyEndpointRefusesToAnswerInMediaTypesItDoesNotHave() {
        return forEach(endpoint -> {
            expect(
                    request(endpoint, Map.of(), "").with("Accept", "image/png"),
                    ProblemKind.NOT_ACCEPTABLE,
                    ProblemKind.UNSUPPORTED_MEDIA_TYPE);
            expect(
                    request(endpoint, Map.of(), "").with("Accept", "///"),
                    ProblemKind.NOT_ACCEPTABLE,
                    ProblemKind.UNSUPPORTED_MEDIA_TYPE);
        });
    }

    @TestFactory
    Stream<DynamicTest> everyBodyIsRefusedThatIsNoneOfItsKind() {
        return forEachBody((endpoint, json) -> {
            NO_JSON.stream()
                    // An agent may be a release ahead: what the server does not know of a report, it leaves alone.
                    .filter(body -> json || !body.contains("nosuch"))
                    .forEach(body -> expect(with(endpoint, body.getBytes(UTF_8)), ProblemKind.MALFORMED_REQUEST));
            for (byte[] body : List.of(
                    new byte[] {(byte) 0xff, (byte) 0xfe, '{', '}'},
                    "{\"name\":\"\u00ff\"}".getBytes(ISO_8859_1),
                    new byte[] {'"', (byte) 0xc0, (byte) 0xaf, '"'},
                    "{".getBytes(UTF_16),
                    ("[".repeat(100_000)).getBytes(UTF_8),
                    ("{\"a\":".repeat(100_000)).getBytes(UTF_8),
                    ("{\"a\":" + "9".repeat(100_000) + "}").getBytes(UTF_8))) {
                expect(with(endpoint, body), ProblemKind.MALFORMED_REQUEST);
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> everyFieldRefusesWhatIsNotOfItsType() {
        return forEachBody((endpoint, json) -> {
            if (!json) {
                return;
            }
            Class<?> body = endpoint.parameters(RequestBody.class).getFirst().getParameterType();
            for (RecordComponent field : body.getRecordComponents()) {
                for (String value : wrongJson(field)) {
                    expect(with(
                            endpoint,
                            "{\"%s\":%s}".formatted(field.getName(), value).getBytes(UTF_8)));
                }
                expect(
                        with(
                                endpoint,
                                "{\"%1$s\":null,\"%1$s\":null}"
                                        .formatted(field.getName())
                                        .getBytes(UTF_8)),
                        ProblemKind.MALFORMED_REQUEST);
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> everyBodyIsRefusedThatIsTooLarge() {
        return forEachBody((endpoint, json) -> {
            boolean report = endpoint.template().startsWith("/agent/");
            long limit = (report ? settings.maxReport() : settings.maxBody()).toBytes();
            byte[] text = ("{\"a\":\"" + "a".repeat((int) limit) + "\"}").getBytes(UTF_8);
            byte[] blanks = " ".repeat((int) limit + 1).getBytes(UTF_8);
            for (byte[] body : List.of(text, blanks)) {
                expect(with(endpoint, body), ProblemKind.TOO_LARGE);
                expect(
                        with(endpoint, RawHttp.chunked(body)).with("Transfer-Encoding", "chunked"),
                        ProblemKind.TOO_LARGE);
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> everyBodyIsRefusedThatIsOfAnotherMediaType() {
        return forEachBody((endpoint, json) -> {
            for (String type : List.of(
                    "text/plain",
                    "application/xml",
                    "application/x-www-form-urlencoded",
                    "multipart/form-data; boundary=x",
                    "application/octet-stream",
                    "application/json;charset=nosuch",
                    "///",
                    "",
                    "application",
                    "image/*")) {
                expect(
                        with(endpoint, "{}".getBytes(UTF_8)).with("Content-Type", type),
                        ProblemKind.UNSUPPORTED_MEDIA_TYPE);
            }
            Request untyped = request(endpoint, Map.of(), "").without("Content-Type");
            expect(untyped, ProblemKind.UNSUPPORTED_MEDIA_TYPE);
            expect(
                    with(endpoint, "{}".getBytes(UTF_8)).with("Content-Encoding", "gzip"),
                    ProblemKind.UNSUPPORTED_MEDIA_TYPE);
            expect(
                    with(endpoint, RawHttp.chunked("{}".getBytes(UTF_8))).with("Transfer-Encoding", "nosuch"),
                    ProblemKind.MALFORMED_REQUEST);
            expect(
                    with(endpoint, "zz\r\n{}\r\n0\r\n\r\n".getBytes(UTF_8)).with("Transfer-Encoding", "chunked"),
                    ProblemKind.MALFORMED_REQUEST);
            expect(
                    with(endpoint, "-5\r\n{}\r\n0\r\n\r\n".getBytes(UTF_8)).with("Transfer-Encoding", "chunked"),
                    ProblemKind.MALFORMED_REQUEST);
            for (String length : List.of("-1", "x", "99999999999999999999")) {
                expect(
                        with(endpoint, "{}".getBytes(UTF_8)).with("Content-Length", length),
                        ProblemKind.MALFORMED_REQUEST);
            }
        });
    }

    /** Whatever is wrong with the request itself: no endpoint is even looked for. */
    @Test
    void requestsThatAreNotHttpAreRefused() {
        Map<String, List<String>> before = dump();
        String ok = "Authorization: " + admin + "\r\nConnection: close\r\n";
        String host = "Host: localhost\r\n" + ok;
        for (String request : List.of(
                "GET /problems HTTP/1.1\r\n" + ok + "\r\n",
                "GET /problems HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + ok + "\r\n",
                "GET /problems HTTP/1.1\r\nHost: a b\r\n" + ok + "\r\n",
                "GET /problems HTTP/1.1\r\nHost: [\r\n" + ok + "\r\n",
                "GET /problems HTTP/1.1\r\nHost: localhost:port\r\n" + ok + "\r\n",
                "GET /problems HTTP/1.1\r\n" + host + "X: " + "a".repeat(100_000) + "\r\n\r\n",
                "GET /problems HTTP/1.1\r\n" + host + "X: a\r\n".repeat(1_000) + "\r\n",
                "GET /problems HTTP/1.1\r\n" + host + "B@d: x\r\n\r\n",
                "GET /problems HTTP/1.1\r\n" + host + "no colon\r\n\r\n",
                "GET /problems HTTP/1.1\r\n" + host + "X: a\u0000b\r\n\r\n",
                "GET /problems HTTP/1.1\r\n" + host + "Expect: nosuch\r\n\r\n",
                "GET /problems HTTP/1.1\r\n"
                        + "Host: localhost\r\n"
                        + "Connection: close\r\n"
                        + "Authorization: Bearer \u007f\r\n\r\n",
                "GET /problems HTTP/3.0\r\n" + host + "\r\n",
                "GET /problems HTTP/x\r\n" + host + "\r\n",
                "G(T /problems HTTP/1.1\r\n" + host + "\r\n",
                "G\u0000T /problems HTTP/1.1\r\n" + host + "\r\n",
                "GET problems HTTP/1.1\r\n" + host + "\r\n",
                "GET * HTTP/1.1\r\n" + host + "\r\n",
                "GET /" + "a".repeat(100_000) + " HTTP/1.1\r\n" + host + "\r\n")) {
            expect(
                    RawHttp.parse(http.exchange(request.getBytes(ISO_8859_1))),
                    request,
                    ProblemKind.MALFORMED_REQUEST,
                    ProblemKind.TOO_LARGE);
        }
        // HTTP/0.9 has no status and no headers; what comes is still no page.
        for (String junk : List.of("hello\r\n\r\n", "\u0016\u0003\u0001\u0002\r\n\r\n", "GET\r\n\r\n")) {
            String answer = new String(http.exchange(junk.getBytes(ISO_8859_1)), UTF_8);
            assertThat(answer).as(junk).contains("/problems/").doesNotContain("<html");
        }
        assertThat(dump()).isEqualTo(before);
    }

    @Test
    void oddHeadersAreNoFaultOfTheServer() {
        Map<String, List<String>> before = dump();
        for (Endpoint endpoint : endpoints()) {
            if (!endpoint.method().equals("GET") || isStream(endpoint)) {
                continue;
            }
            for (String header : words(
                    "If-Match If-None-Match Prefer Last-Event-ID X-Request-Id Range If-Modified-Since Accept-Language"
                        + " Cookie Origin X-Forwarded-For Forwarded X-HTTP-Method-Override Content-Type TE Upgrade")) {
                for (String value : List.of("", "\"", "-1", "\u00ff\u00fe", "9".repeat(1_000))) {
                    Request request = request(endpoint, Map.of(), "").with(header, value);
                    Answer answer = http.send(request);
                    assertThat(answer.status()).as(request.toString()).isBetween(200, 499);
                    if (answer.status() >= 400) {
                        expect(answer, request.toString());
                    }
                }
            }
        }
        assertThat(dump()).isEqualTo(before);
    }

    @Test
    void withoutTokenNothingIsToldButThatOneIsNeeded() {
        Map<String, List<String>> before = dump();
        for (Endpoint endpoint : endpoints()) {
            if (endpoint.template().startsWith("/problems")) {
                continue;
            }
            Request good = request(endpoint, Map.of(), "");
            for (String authorization : List.of(
                    "", "Bearer", "Bearer ", "Bearer x", "Basic YWRtaW46YWRtaW4=", admin + "x", "Bearer " + admin)) {
                Answer answer = expect(good.with("Authorization", authorization), ProblemKind.UNAUTHENTICATED);
                assertThat(answer.header("www-authenticate")).startsWith("Bearer");
            }
        }
        assertThat(dump()).isEqualTo(before);
    }

    // ---- the endpoints

    private interface Attack {
        void on(Endpoint endpoint);
    }

    private interface BodyAttack {
        /** @param json whether Spring reads it as one of the API's own records */
        void on(Endpoint endpoint, boolean json);
    }

    private Stream<DynamicTest> forEach(Attack attack) {
        return endpoints().stream()
                .map(endpoint -> DynamicTest.dynamicTest(endpoint.name(), () -> {
                    Map<String, List<String>> before = dump();
                    attack.on(endpoint);
                    assertThat(dump()).isEqualTo(before);
                }));
    }

    private Stream<DynamicTest> forEachBody(BodyAttack attack) {
        return forEachOf(
                endpoints().stream()
                        .filter(endpoint ->
                                !endpoint.parameters(RequestBody.class).isEmpty())
                        .toList(),
                endpoint -> attack.on(
                        endpoint,
                        endpoint.parameters(RequestBody.class)
                                        .getFirst()
                                        .getParameterType()
                                        .isRecord()
                                && endpoint.template().startsWith("/api/")));
    }

    private Stream<DynamicTest> forEachOf(List<Endpoint> some, Attack attack) {
        return some.stream()
                .map(endpoint -> DynamicTest.dynamicTest(endpoint.name(), () -> {
                    Map<String, List<String>> before = dump();
                    attack.on(endpoint);
                    assertThat(dump()).isEqualTo(before);
                }));
    }

    private List<Endpoint> endpoints() {
        List<Endpoint> endpoints = new ArrayList<>();
        mappings.getHandlerMethods().forEach((mapping, handler) -> {
            if (handler.getBeanType().getName().startsWith("io.apportion.")) {
                for (String path : mapping.getPatternValues()) {
                    mapping.getMethodsCondition()
                            .getMethods()
                            .forEach(method -> endpoints.add(new Endpoint(method.name(), path, handler)));
                }
            }
        });
        endpoints.sort(Comparator.comparing(Endpoint::template).thenComparing(Endpoint::method));
        assertThat(endpoints).hasSizeGreaterThan(3);
        return endpoints;
    }

    /** A stream of events does not end by itself. */
    private static boolean isStream(Endpoint endpoint) {
        return AnnotatedElementUtils.findMergedAnnotation(
                                        endpoint.handler().getMethod(),
                                        org.springframework.web.bind.annotation.RequestMapping.class)
                                .produces()
                                .length
                        > 0
                && Arrays.asList(AnnotatedElementUtils.findMergedAnnotation(
                                        endpoint.handler().getMethod(),
                                        org.springframework.web.bind.annotation.RequestMapping.class)
                                .produces())
                        .contains("text/event-stream");
    }

    private Request request(Endpoint endpoint, Map<String, String> variables, String tail) {
        String target = endpoint.template();
        for (Map.Entry<String, Class<?>> variable : endpoint.path().entrySet()) {
            String value = variables.getOrDefault(variable.getKey(), good(variable.getKey(), variable.getValue()));
            target = target.replaceAll(
                    "\\{" + variable.getKey() + "(:[^}]*)?}", java.util.regex.Matcher.quoteReplacement(value));
        }
        Request request = Request.of(endpoint.method(), target + tail)
                .with("Authorization", target.startsWith("/agent/") ? agent : admin);
        return endpoint.parameters(RequestBody.class).isEmpty()
                ? request
                : request.with("Content-Type", "application/json").with("{}".getBytes(UTF_8));
    }

    private Request with(Endpoint endpoint, byte[] body) {
        return request(endpoint, Map.of(), "").with(body);
    }

    private String good(String name, Class<?> type) {
        return switch (type.getSimpleName()) {
            case "AdapterNumber" -> "0x04";
            case "DomainNumber" -> "0x0004";
            case "Queue" -> new Queue(4, 4).toString();
            case "UUID" -> (name.equals("id") ? token : MDEV).toString();
            case "long", "Long", "int", "Integer" -> "1";
            default -> name.equals("slug") ? "stale" : "lpar1";
        };
    }

    // ---- what is wrong

    private static Map<String, ProblemKind> wrong(Class<?> type) {
        List<String> malformed = switch (type.getSimpleName()) {
            case "UUID" -> WRONG_UUIDS;
            case "boolean", "Boolean" -> WRONG_BOOLEANS;
            case "int", "Integer", "long", "Long" -> WRONG_WHOLE_NUMBERS;
            case "Instant" -> WRONG_INSTANTS;
            default -> type.isEnum() ? words("nosuch 0") : List.<String>of();
        };
        return switch (type.getSimpleName()) {
            case "AdapterNumber", "DomainNumber" -> WRONG_NUMBERS;
            case "Queue" -> WRONG_QUEUES;
            default ->
                malformed.stream().collect(Collectors.toMap(value -> value, value -> ProblemKind.MALFORMED_REQUEST));
        };
    }

    private static Set<String> wrongJson(RecordComponent field) {
        Set<String> all = new LinkedHashSet<>(List.of(
                "true",
                "1.5",
                "-1",
                "{}",
                "[]",
                "[[]]",
                "[null]",
                "[{}]",
                "\"x\"",
                "[\"x\"]",
                "{\"a\":{}}",
                "{\"a\":null}",
                "{\"a\":1}",
                "1e400",
                "\"\\u0000\"",
                "\"\\ud800\"",
                "[\"\\u0000\"]",
                "{\"a\":\"\\u0000\"}",
                "{\"\\ud800\":\"a\"}",
                "\"" + "x".repeat(2_000) + "\"",
                "{\"a\":\"" + "x".repeat(2_000) + "\"}",
                "{\"" + "x".repeat(2_000) + "\":\"a\"}"));
        Class<?> one = single(field.getType(), field.getGenericType());
        boolean many = Collection.class.isAssignableFrom(field.getType());
        if (one == AdapterNumber.class || one == DomainNumber.class) {
            WRONG_NUMBERS.keySet().stream()
                    .map(value ->
                            value.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n"))
                    .forEach(value -> all.add(many ? "[\"" + value + "\"]" : "\"" + value + "\""));
            Stream.of("256", "-1", "1.0", "1e3", "1e0", "9".repeat(10_000), "-0", "true", "{}")
                    .forEach(value -> all.add(many ? "[" + value + "]" : value));
        }
        wrong(one).keySet().stream()
                .filter(value -> one != AdapterNumber.class && one != DomainNumber.class)
                .forEach(value -> all.add(many ? "[\"" + value + "\"]" : "\"" + value + "\""));
        // What is right for it after all.
        switch (field.getType().getSimpleName()) {
            case "Boolean", "boolean" -> all.remove("true");
            case "String" -> all.remove("\"x\"");
            case "List", "Set", "Collection" -> {
                all.remove("[]");
                if (one == String.class) {
                    all.remove("[\"x\"]");
                }
            }
            case "Map" -> all.remove("{}");
            default -> {}
        }
        return all;
    }

    private static String encoded(String value) {
        return URLEncoder.encode(value, UTF_8).replace("+", "%20");
    }

    // ---- what is to come of it

    /** @param kinds one of them; none: any that is the client's to mend */
    private Answer expect(Request request, ProblemKind... kinds) {
        return expect(http.send(request), request.toString(), kinds);
    }

    private static Answer expect(Answer answer, String request, ProblemKind... kinds) {
        assertThat(answer.status()).as(request + " → " + answer).isBetween(400, 499);
        assertThat(answer.header("content-type")).as(request).startsWith(Problem.MEDIA_TYPE);
        var problem = answer.json();
        String type = problem.path("type").asString("");
        ProblemKind kind = ProblemKind.of(type.replaceFirst("^/problems/", ""))
                .orElseThrow(() -> new AssertionError(request + " → " + answer));
        assertThat(type).isEqualTo(kind.type().toString());
        assertThat(answer.status()).as(request).isEqualTo(kind.status());
        assertThat(problem.path("status").asInt()).isEqualTo(kind.status());
        assertThat(problem.path("detail").asString("")).as(request).isNotBlank();
        assertThat(problem.path("remedy").asString("")).as(request).isNotBlank();
        assertThat(problem.path("requestId").asString(""))
                .as(request)
                .isEqualTo(answer.header("x-request-id"))
                .isNotBlank();
        assertThat(answer.body())
                .as(request)
                .doesNotContain("Exception", "io.apportion", "java.", "springframework", "jackson", "<html");
        if (kinds.length > 0) {
            assertThat(kinds).as(request + " → " + answer).contains(kind);
        }
        return answer;
    }

    /** All rows of all tables, but for what the server adds to them by itself. */
    private Map<String, List<String>> dump() {
        Map<String, List<String>> rows = new TreeMap<>();
        for (String table : new TreeSet<>(
                database.sql("select table_name from information_schema.tables where table_schema = 'PUBLIC'")
                        .query(String.class)
                        .list())) {
            rows.put(
                    table,
                    database.sql("select * from \"" + table + "\"").query().listOfRows().stream()
                            .map(BadInputTests::text)
                            .sorted()
                            .toList());
        }
        return rows;
    }

    private static String text(Map<String, Object> row) {
        return row.entrySet().stream()
                .filter(column -> !column.getKey().equalsIgnoreCase("position"))
                .map(column -> column.getKey() + "="
                        + (column.getValue() instanceof byte[] bytes ? Arrays.toString(bytes) : column.getValue()))
                .collect(Collectors.joining(" "));
    }
}
