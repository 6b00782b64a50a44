package io.apportion;

import io.apportion.agent.AgentApplication;
import io.apportion.demo.DemoApplication;
import io.apportion.server.HealthCommand;
import io.apportion.server.RestoreMark;
import io.apportion.server.ServerApplication;
import io.apportion.server.TokenCommand;
import java.util.Arrays;

/** The program's only entry point. It picks the role that the first argument names, and does nothing else. */
public final class Apportion {

    private static final String USAGE = """
        Usage: apportion ROLE [OPTION...]

          server        keep the hosts' matrices and serve the API
          agent         carry out the server's matrix on this host (agent check: tell whether it can)
          demo          a server and simulated hosts in one process (also without a role)
          token         issue a token for a person or an agent
          restore-mark  tell the hosts that the database was restored from a backup
          health        tell whether the server of this machine is ready
        """;

    private Apportion() {}

    public static void main(String[] args) {
        boolean bare = args.length == 0 || args[0].startsWith("--");
        // Java as the interpreter of a file, as in the image, is given that file's path: /opt/apportion/bin/server.
        String role = bare ? "demo" : args[0].substring(args[0].lastIndexOf('/') + 1);
        String[] options = bare ? args : Arrays.copyOfRange(args, 1, args.length);
        switch (role) {
            case "server" -> ServerApplication.main(options);
            case "demo" -> DemoApplication.main(options);
            case "token" -> TokenCommand.main(options);
            case "restore-mark" -> RestoreMark.main(options);
            case "health" -> HealthCommand.main(options);
            case "agent" -> AgentApplication.main(options);
            default -> {
                System.err.print(USAGE);
                System.exit(2);
            }
        }
    }
}
