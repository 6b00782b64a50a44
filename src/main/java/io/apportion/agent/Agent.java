package io.apportion.agent;

import java.util.List;
import java.util.Random;
import java.util.random.RandomGenerator;

/**
 * The agent of one host: a thread that looks at the host and applies, one that reports, one that listens.
 *
 * <p>Kernel and memory stay the caller's: {@link #close} leaves both open, and another agent can take them on, as after a
 * reboot.
 */
public final class Agent implements AutoCloseable {

    private final String host;
    private final HostKernel kernel;
    private final Noticeboard board;
    private final ServerLink link;
    private final Thread bindings;
    private final List<Thread> threads;

    /** @param random spreads the new tries of many agents; used only here, to seed */
    public Agent(AgentSettings settings, HostKernel kernel, AgentMemory memory, RandomGenerator random) {
        this.host = settings.host();
        this.kernel = kernel;
        Reconciler reconciler = new Reconciler(kernel, memory, settings.keep());
        this.board = new Noticeboard(reconciler.incarnation());
        this.link = new ServerLink(settings);
        HostKeeper keeper = new HostKeeper(settings, reconciler, board, new Random(random.nextLong()));
        Reporter reporter = new Reporter(settings, kernel, link, board, new Random(random.nextLong()));
        Listener listener = new Listener(settings, link, board, new Random(random.nextLong()));
        Thread waiting =
                thread("bindings", () -> kernel.awaitBindings(settings.timings().bindings()));
        this.bindings = waiting;
        this.threads = List.of(
                waiting,
                thread("host", () -> {
                    waiting.join();
                    keeper.run();
                }),
                thread("reporter", reporter::run),
                thread("listener", listener::run));
    }

    public void start() {
        kernel.onChange(board::stir);
        threads.forEach(Thread::start);
    }

    /** Lets a pass over the host that is under way come to its end; everything else ends at once. */
    @Override
    public void close() {
        board.close();
        bindings.interrupt();
        link.close();
        try {
            for (Thread thread : threads) {
                thread.join();
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private interface Work {
        void run() throws InterruptedException;
    }

    private Thread thread(String name, Work work) {
        return Thread.ofVirtual().name("agent-" + host + "-" + name).unstarted(() -> {
            try {
                work.run();
            } catch (InterruptedException closing) {
                Thread.currentThread().interrupt();
            }
        });
    }
}
