package io.apportion.endtoend;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.apportion.agent.Agent;
import io.apportion.agent.AgentMemory;
import io.apportion.agent.AgentSettings;
import io.apportion.agent.KernelRefusal;
import io.apportion.simulator.SimulatedHost;
import io.apportion.torture.Switchboard;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.ObservedHost;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.slf4j.LoggerFactory;

/**
 * All agents of a fleet, and the switchboard through which they dial, in a process that is not the server's. It is told
 * what to do line by line, answers each line with one that begins with {@code ok}, and says between them what it hears:
 *
 * <pre>
 * start HOST TOKEN       dial HOST REPLICA NANOS        its agent asks for the stream
 * guests MDEVS           open HOST REPLICA NANOS        it has the stream
 * stop HOSTS             lost HOST REPLICA NANOS        it has it no more
 * bytes                  has HOST GENERATION NANOS      it has that desired state
 * </pre>
 *
 * {@link System#nanoTime} of all processes of a Linux machine is one clock.
 */
final class FleetAgents implements Switchboard.Ear {

    static final int ADAPTERS = 16;
    static final int DOMAINS = 16;

    private static final Pattern DIAL = Pattern.compile("GET /agent/v1/hosts/([^/]+)/desired");

    private final PrintStream out = System.out;
    private final Map<Integer, SimulatedHost> machines = new LinkedHashMap<>();
    private final Map<Integer, Agent> agents = new LinkedHashMap<>();
    private final Map<Socket, Dialled> streams = new ConcurrentHashMap<>();

    /** By host, the one that was opened last: an agent may dial again before the end of the one before is heard. */
    private final Map<String, Dialled> newest = new HashMap<>();

    private final AtomicLong up = new AtomicLong();
    private final AtomicLong down = new AtomicLong();
    private int opened;

    private static final class Dialled {
        final String host;
        final int replica;
        boolean open;

        Dialled(String host, int replica) {
            this.host = host;
            this.replica = replica;
        }
    }

    /** @param replicas their addresses */
    public static void main(String[] replicas) throws IOException {
        ((Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME)).setLevel(Level.OFF);
        new FleetAgents().run(replicas);
        System.exit(0); // whatever agents left behind
    }

    private void run(String[] replicas) throws IOException {
        try (Switchboard switchboard =
                        new Switchboard(Arrays.stream(replicas).map(URI::create).toList(), this);
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] words = line.split(" ");
                switch (words[0]) {
                    case "start" -> start(Integer.parseInt(words[1]), words[2], switchboard.address());
                    case "guests" -> openGuests(Integer.parseInt(words[1]));
                    case "stop" -> stop(Integer.parseInt(words[1]));
                    case "bytes" -> {}
                    default -> throw new IllegalArgumentException(line);
                }
                out.println("ok " + up + " " + down);
            }
        }
    }

    static String name(int host) {
        return "host%04d".formatted(host);
    }

    static UUID mdev(int host, int number) {
        return new UUID(host, number);
    }

    private void start(int host, String token, URI server) {
        SimulatedHost machine = SimulatedHost.builder()
                .machineId(name(host))
                .highest(ADAPTERS - 1, DOMAINS - 1)
                .cards(IntStream.range(0, ADAPTERS).toArray())
                .domains(IntStream.range(0, DOMAINS).toArray())
                .allForGuests()
                .build();
        machine.tellEverything(true);
        machines.put(host, machine);
        Agent agent = new Agent(
                new AgentSettings(name(host), server, token, ObservedHost.Keep.NOTHING, AgentSettings.Timings.DEFAULT),
                machine,
                new ToldMemory(name(host)),
                new Random(host));
        agents.put(host, agent);
        agent.start();
    }

    /** All but the first so many. */
    private void stop(int left) {
        List<Agent> stopped = new ArrayList<>();
        for (int host = agents.size() - 1; host >= left; host--) {
            stopped.add(agents.remove(host));
        }
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            stopped.forEach(agent -> threads.execute(agent::close));
        }
    }

    private void openGuests(int mdevs) {
        for (int host = opened; host < machines.size(); host++) {
            for (int mdev = 0; mdev < mdevs; mdev++) {
                try {
                    machines.get(host).openGuest("vm" + mdev, mdev(host, mdev));
                } catch (KernelRefusal refused) {
                    throw new IllegalStateException(refused);
                }
            }
        }
        opened = machines.size();
    }

    /** Each new state is remembered before anything is done about it. */
    private final class ToldMemory implements AgentMemory {

        private final String host;
        private final AgentMemory memory = AgentMemory.ofThisProcess();
        private long newest = -1;

        ToldMemory(String host) {
            this.host = host;
        }

        @Override
        public Remembered recall() {
            return memory.recall();
        }

        @Override
        public void remember(Remembered remembered) {
            DesiredHost desired = remembered.desired();
            if (desired != null && desired.generation() != newest) {
                newest = desired.generation();
                say("has", host, newest);
            }
            memory.remember(remembered);
        }
    }

    @Override
    public void passed(Socket connection, int replica, boolean fromAgent, byte[] buffer, int count) {
        (fromAgent ? up : down).addAndGet(count);
        if (fromAgent) {
            if (buffer[0] == 'G') { // an agent GETs nothing else, and sends such a request at once
                Matcher dial = DIAL.matcher(new String(buffer, 0, Math.min(count, 200), StandardCharsets.ISO_8859_1));
                if (dial.lookingAt()) {
                    say("dial", dial.group(1), replica);
                    streams.put(connection, new Dialled(dial.group(1), replica));
                }
            }
            return;
        }
        Dialled stream = streams.get(connection);
        if (stream != null && !stream.open) {
            if (new String(buffer, 0, Math.min(count, 12), StandardCharsets.ISO_8859_1).equals("HTTP/1.1 200")) {
                stream.open = true;
                synchronized (newest) {
                    newest.put(stream.host, stream);
                    say("open", stream.host, replica);
                }
            } else {
                streams.remove(connection);
            }
        }
    }

    @Override
    public void closed(Socket connection) {
        Dialled stream = streams.remove(connection);
        if (stream != null && stream.open) {
            synchronized (newest) {
                if (newest.remove(stream.host, stream)) {
                    say("lost", stream.host, stream.replica);
                }
            }
        }
    }

    private void say(String what, String host, long number) {
        out.println(what + " " + host + " " + number + " " + System.nanoTime());
    }
}
