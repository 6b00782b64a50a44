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
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@code apportion token create}: asks the running server for a token, with the admin's token that it reads from a file,
 * and prints the new one. It is shown this once.
 */
public final class TokenCommand {

    private static final String USAGE = """
        Usage: apportion token create --name NAME --role viewer|operator|admin|agent [OPTION...]

          --host HOST        of an agent: the only host it may speak for
          --expires INSTANT  for example 2027-01-01T00:00:00Z; without it the token is good until it is deleted
          --server URL       default http://127.0.0.1:8080
          --token-file FILE  the admin's token, default ./data/admin-token
        """;

    private static final Set<String> OPTIONS = Set.of("name", "role", "host", "expires", "server", "token-file");
    private static final JsonMapper JSON = JsonMapper.shared();

    private TokenCommand() {}

    public static void main(String[] args) {
        System.exit(run(args, System.out, System.err));
    }

    /** @return the exit code: 0 done, 1 refused or not reached, 2 called wrongly */
    static int run(String[] args, PrintStream out, PrintStream err) {
        Map<String, String> options = new TreeMap<>();
        boolean understood = args.length % 2 == 1 && args[0].equals("create");
        for (int i = 1; understood && i < args.length; i += 2) {
            String name = args[i].startsWith("--") ? args[i].substring(2) : "";
            understood = OPTIONS.contains(name);
            options.put(name, args[i + 1]);
        }
        if (!understood || !options.containsKey("name") || !options.containsKey("role")) {
            err.print(USAGE);
            return 2;
        }
        Map<String, Object> wanted = new LinkedHashMap<>();
        wanted.put("name", options.get("name"));
        wanted.put("role", options.get("role"));
        if (options.containsKey("host")) {
            wanted.put("host", options.get("host"));
        }
        if (options.containsKey("expires")) {
            wanted.put("expiresAt", options.get("expires"));
        }
        String server = options.getOrDefault("server", "http://127.0.0.1:8080");
        Path file = Path.of(options.getOrDefault("token-file", "data/admin-token"));
        try (HttpClient http = HttpClient.newHttpClient()) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(server).resolve("/api/v1/tokens"))
                    .header("Authorization", "Bearer " + Files.readString(file).strip())
                    .header("Content-Type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofString(JSON.writeValueAsString(wanted)))
                    .build();
            HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
            JsonNode answer = JSON.readTree(response.body());
            if (response.statusCode() != 201) {
                err.println(answer.path("detail").asString(response.body()));
                err.println(answer.path("remedy").asString(""));
                return 1;
            }
            out.println(answer.path("token").asString());
            return 0;
        } catch (NoSuchFileException missing) {
            err.println("There is no " + missing.getMessage() + ": name the admin's token with --token-file.");
            return 1;
        } catch (IOException | IllegalArgumentException unreachable) {
            err.println("The server at " + server + " could not be asked: " + unreachable);
            return 1;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return 1;
        }
    }
}
