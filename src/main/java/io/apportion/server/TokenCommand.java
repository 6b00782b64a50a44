package io.apportion.server;

import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.Period;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.pem.PemSslStore;
import org.springframework.boot.ssl.pem.PemSslStoreBundle;
import org.springframework.boot.ssl.pem.PemSslStoreDetails;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@code apportion token create}: has the running server make a token, and prints that token and nothing else, so that it
 * can go into a file.
 */
public final class TokenCommand {

    private static final String USAGE = """
        Usage: apportion token create --role ROLE --name NAME [OPTION...]

          --role ROLE        viewer, operator, admin or agent
          --name NAME        of whoever will have it: events name it
          --host HOST        of an agent, its only host
          --scope LABELS     of an operator who may change some hosts only, those with these labels: zone=a,rack=7
          --expires WHEN     an instant (2027-01-01T00:00:00Z) or a time from now (P90D); never, if not given
          --server URL       default http://127.0.0.1:8080
          --trusted-certificates FILE
                             who signs the server's certificate, as PEM; those whom the Java runtime trusts, if not given
          --token-file FILE  with an admin's token; default ./data/admin-token, with a package /var/lib/apportion/admin-token
        """;

    private static final Set<String> OPTIONS =
            Set.of("role", "name", "host", "scope", "expires", "server", "trusted-certificates", "token-file");
    private static final Pattern LOOPBACK = Pattern.compile("localhost|127(\\.[0-9]{1,3}){3}|\\[::1]");
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final JsonMapper JSON = JsonMapper.shared();

    private static final int DONE = 0;
    private static final int REFUSED = 1;
    private static final int MISUSED = 2;

    private final PrintStream out;
    private final PrintStream err;

    TokenCommand(PrintStream out, PrintStream err) {
        this.out = out;
        this.err = err;
    }

    public static void main(String[] args) {
        System.exit(new TokenCommand(System.out, System.err).run(args));
    }

    /** @return the exit code: 0 done, 1 refused or not reached, 2 called wrongly */
    int run(String... args) {
        try {
            return create(options(args));
        } catch (IllegalArgumentException e) {
            err.println(e.getMessage());
            err.print(USAGE);
            return MISUSED;
        } catch (NoSuchFileException missing) {
            err.println(
                    "There is no " + missing.getMessage() + ": name a file with an admin's token with --token-file.");
            return REFUSED;
        } catch (IOException | JacksonException e) {
            err.println("Not done: " + e);
            return REFUSED;
        }
    }

    private int create(Map<String, String> options) throws IOException {
        URI server = URI.create(options.getOrDefault("server", "http://127.0.0.1:8080"));
        requireSafe(server);
        String wanted = JSON.writeValueAsString(body(options));
        String admin = Files.readString(Path.of(options.getOrDefault("token-file", "./data/admin-token")))
                .strip();
        HttpRequest request = HttpRequest.newBuilder(server.resolve("/api/v1/tokens"))
                .timeout(PATIENCE)
                .header("Authorization", "Bearer " + admin)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(wanted))
                .build();
        try (HttpClient client = client(options)) {
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            JsonNode json = JSON.readTree(answer.body());
            if (answer.statusCode() == 201) {
                out.println(json.path("token").asString(""));
                return DONE;
            }
            err.println(json.path("detail").asString("") + "\n"
                    + json.path("remedy").asString(""));
            return REFUSED;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return REFUSED;
        }
    }

    private static HttpClient client(Map<String, String> options) throws IOException {
        HttpClient.Builder client = HttpClient.newBuilder().connectTimeout(PATIENCE);
        if (options.containsKey("trusted-certificates")) {
            client.sslContext(trusting(Path.of(required(options, "trusted-certificates"))));
        }
        return client.build();
    }

    private static SSLContext trusting(Path file) throws IOException {
        String words = "--trusted-certificates names no file that holds certificates as PEM: " + file;
        try {
            String text = Files.readString(file);
            if (!text.contains("-----BEGIN ")) {
                // Anything else would be taken for the name of another file.
                throw new IOException(words);
            }
            PemSslStore others = PemSslStore.load(PemSslStoreDetails.forCertificates(text));
            return SslBundle.of(new PemSslStoreBundle(null, others)).createSslContext();
        } catch (NoSuchFileException | IllegalStateException | IllegalArgumentException bad) {
            throw new IOException(words, bad);
        }
    }

    private static Map<String, Object> body(Map<String, String> options) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("name", required(options, "name"));
        body.put("role", required(options, "role"));
        if (options.containsKey("host")) {
            body.put("host", required(options, "host"));
        }
        if (options.containsKey("scope")) {
            body.put("scope", labels(required(options, "scope")));
        }
        if (options.containsKey("expires")) {
            body.put("expiresAt", instant(required(options, "expires")).toString());
        }
        return body;
    }

    private static Map<String, String> labels(String text) {
        Map<String, String> labels = new LinkedHashMap<>();
        for (String label : text.split(",", -1)) {
            int equals = label.indexOf('=');
            if (equals < 1 || labels.put(label.substring(0, equals), label.substring(equals + 1)) != null) {
                throw new IllegalArgumentException("--scope is not labels such as zone=a,rack=7: " + text);
            }
        }
        return labels;
    }

    /** An admin's token over a network in the clear would be everybody's. */
    private static void requireSafe(URI server) {
        String host = server.getHost();
        boolean safe = "https".equals(server.getScheme())
                || ("http".equals(server.getScheme())
                        && host != null
                        && LOOPBACK.matcher(host).matches());
        if (!safe) {
            throw new IllegalArgumentException("--server is neither https nor this machine: " + server);
        }
    }

    private static Instant instant(String text) {
        Instant now = Instant.now();
        try {
            return text.startsWith("P") ? later(now, text) : Instant.parse(text);
        } catch (DateTimeException e) {
            throw new IllegalArgumentException("--expires is neither an instant nor a time from now: " + text, e);
        }
    }

    private static Instant later(Instant now, String text) {
        return text.contains("T")
                ? now.plus(Duration.parse(text))
                : now.atOffset(ZoneOffset.UTC).plus(Period.parse(text)).toInstant();
    }

    private static String required(Map<String, String> options, String name) {
        String value = options.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return value;
    }

    private static Map<String, String> options(String[] args) {
        if (args.length % 2 == 0 || !args[0].equals("create")) {
            throw new IllegalArgumentException("what to do is: create, with options and their values");
        }
        Map<String, String> options = new HashMap<>();
        for (int i = 1; i < args.length; i += 2) {
            String name = args[i].startsWith("--") ? args[i].substring(2) : "";
            if (!OPTIONS.contains(name)) {
                throw new IllegalArgumentException("unknown option " + args[i]);
            }
            options.put(name, args[i + 1]);
        }
        return options;
    }
}
