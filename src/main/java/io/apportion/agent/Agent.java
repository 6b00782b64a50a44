package io.apportion.agent;

import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
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
    private final HostKeeper keeper;
    private final Thread bindings;
    private final List<Thread> threads;
    private final CountDownLatch ended = new CountDownLatch(1);

    /** @param random spreads the new tries of many agents; used only here, to seed */
    public Agent(AgentSettings settings, HostKernel kernel, AgentMemory memory, RandomGenerator random) {
        this.host = settings.host();
        this.kernel = kernel;
        Reconciler reconciler = new Reconciler(kernel, memory, settings.keep());
        this.board = new Noticeboard(reconciler.incarnation());
        this.link = new ServerLink(settings);
        this.keeper = new HostKeeper(settings, reconciler, board, new Random(random.nextLong()));
        Reporter reporter = new Reporter(settings, kernel, link, board, new Random(random.nextLong()));
        Listener listener = new Listener(settings, link, board, new Random(random.nextLong()));
        Thread waiting =
                thread("bindings", () -> kernel.awaitBindings(settings.timings().bindings()));
        this.bindings = waiting;
        this.threads = List.of(
                waiting,
                worker("host", () -> {
                    waiting.join();
                    keeper.run();
                }),
                worker("reporter", reporter::run),
                worker("listener", listener::run));
    }

    public void start() {
        kernel.onChange(board::stir);
        threads.forEach(Thread::start);
    }

    /** Waits, at most so long, until the host is as remembered, or that was refused. */
    public boolean awaitResumed(Duration atMost) throws InterruptedException {
        return keeper.awaitResumed(atMost);
    }

    /** Waits until it is closed, or until one of its threads has died of an error: then it is an agent no more. */
    public void awaitEnd() throws InterruptedException {
        ended.await();
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

    private Thread worker(String name, Work work) {
        return thread(name, () -> {
            try {
                work.run();
            } finally {
                ended.countDown();
            }
        });
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
