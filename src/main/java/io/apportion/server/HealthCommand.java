package io.apportion.server;

import java.io.IOException;
import java.io.PrintStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.time.Duration;

/** {@code apportion health}: whether the server of this machine is ready, where there is no other program to ask it. */
public final class HealthCommand {

    private static final String READINESS = "http://127.0.0.1:8081/actuator/health/readiness";

    private static final String USAGE = """
        Usage: apportion health [URL]

          URL  default %s
        """.formatted(READINESS);

    private static final int PATIENCE = (int) Duration.ofSeconds(4).toMillis();

    private static final int READY = 0;
    private static final int NOT_READY = 1;
    private static final int MISUSED = 2;

    private final PrintStream err;

    HealthCommand(PrintStream err) {
        this.err = err;
    }

    public static void main(String[] args) {
        System.exit(new HealthCommand(System.err).run(args));
    }

    /** @return the exit code: 0 ready, 1 not ready or not reached, 2 called wrongly */
    int run(String... args) {
        URI health;
        try {
            health = URI.create(args.length == 0 ? READINESS : args[0]);
        } catch (IllegalArgumentException noUrl) {
            return misused();
        }
        if (args.length > 1 || !("http".equals(health.getScheme()) || "https".equals(health.getScheme()))) {
            return misused();
        }
        try {
            // Not the newer client, which starts threads of its own: this is called every few seconds.
            HttpURLConnection connection = (HttpURLConnection) health.toURL().openConnection();
            connection.setConnectTimeout(PATIENCE);
            connection.setReadTimeout(PATIENCE);
            int status = connection.getResponseCode();
            if (status == HttpURLConnection.HTTP_OK) {
                return READY;
            }
            err.println("Not ready: " + health + " answers " + status + ".");
        } catch (IOException unreached) {
            err.println("Not reached: " + health + ": " + unreached.getMessage() + ".");
        }
        return NOT_READY;
    }

    private int misused() {
        err.print(USAGE);
        return MISUSED;
    }
}
