package io.apportion.server.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.apportion.ap.BindingMode;
import io.apportion.server.matrix.HostNumbers;
import io.apportion.server.matrix.NotDone;
import io.apportion.wire.DesiredHost;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.util.unit.DataSize;

class DesiredStreamTests {

    private static final UUID INCARNATION = UUID.randomUUID();
    private static final Duration LONG = Duration.ofHours(1);

    private final AtomicLong generation = new AtomicLong(1);
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

    @AfterEach
    void endThreads() {
        threads.close();
    }

    private static PushSettings settings(Duration keepAlive, Duration longest) {
        return new PushSettings(keepAlive, LONG, LONG, longest, DataSize.ofMegabytes(1));
    }

    private DesiredHost newest() {
        return new DesiredHost(
                "lpar1", INCARNATION, generation.get(), false, BindingMode.MASKS, null, 0, List.of(), List.of());
    }

    /** An agent that takes nothing from its first event on, until it is told to. */
    private static final class SlowAgent extends OutputStream {
        final ByteArrayOutputStream taken = new ByteArrayOutputStream();
        final CountDownLatch blocked = new CountDownLatch(1);
        final CountDownLatch ready = new CountDownLatch(1);

        @Override
        public void write(int one) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void write(byte[] bytes) throws IOException {
            blocked.countDown();
            try {
                ready.await();
            } catch (InterruptedException interrupted) {
                throw new IOException(interrupted);
            }
            synchronized (taken) {
                taken.writeBytes(bytes);
            }
        }

        List<Long> generations() {
            synchronized (taken) {
                return Pattern.compile("\"generation\":(\\d+)")
                        .matcher(taken.toString(StandardCharsets.UTF_8))
                        .results()
                        .map(match -> Long.valueOf(match.group(1)))
                        .toList();
            }
        }
    }

    @Test
    void manyGenerationsWhileTheAgentTakesNothingAreOneState() throws Exception {
        DesiredStream stream = stream(this::newest);
        SlowAgent agent = new SlowAgent();
        Future<?> running = threads.submit(() -> {
            stream.run(agent, settings(LONG, LONG));
            return null;
        });
        agent.blocked.await();

        // Each of these would wait for ever, were it the writer's matter that the agent takes nothing.
        for (int i = 0; i < 100; i++) {
            generation.incrementAndGet();
            stream.wake();
        }
        agent.ready.countDown();

        await().untilAsserted(() -> assertThat(agent.generations()).containsExactly(1L, 101L));
        stream.close();
        running.get();
    }

    @Test
    void sendsNothingTwice() throws Exception {
        DesiredStream stream = stream(this::newest);
        SlowAgent agent = new SlowAgent();
        agent.ready.countDown();
        Future<?> running = threads.submit(() -> {
            stream.run(agent, settings(LONG, LONG));
            return null;
        });
        agent.blocked.await();
        stream.wake();
        generation.set(7);
        stream.wake();
        await().untilAsserted(() -> assertThat(agent.generations()).endsWith(7L));
        stream.wake();
        generation.set(8);
        stream.wake();
        await().untilAsserted(() -> assertThat(agent.generations()).containsExactly(1L, 7L, 8L));
        stream.close();
        running.get();
    }

    @Test
    void sendsNoOlderGenerationAfterANewerOne() throws Exception {
        AtomicInteger looks = new AtomicInteger();
        generation.set(7);
        DesiredStream stream = stream(() -> {
            looks.incrementAndGet();
            return newest();
        });
        SlowAgent agent = new SlowAgent();
        agent.ready.countDown();
        Future<?> running = threads.submit(() -> {
            stream.run(agent, settings(LONG, LONG));
            return null;
        });
        await().untilAsserted(() -> assertThat(agent.generations()).containsExactly(7L));
        generation.set(6);
        stream.wake();
        await().until(() -> looks.get() == 2);

        generation.set(8);
        stream.wake();

        await().untilAsserted(() -> assertThat(agent.generations()).containsExactly(7L, 8L));
        stream.close();
        running.get();
    }

    @Test
    void looksAgainWhenItIsWokenWhileItLooks() throws Exception {
        AtomicReference<DesiredStream> looking = new AtomicReference<>();
        DesiredStream stream = stream(() -> {
            DesiredHost seen = newest();
            if (seen.generation() < 3) {
                // Stored just after this look.
                generation.incrementAndGet();
                looking.get().wake();
            }
            return seen;
        });
        looking.set(stream);
        SlowAgent agent = new SlowAgent();
        agent.ready.countDown();
        Future<?> running = threads.submit(() -> {
            stream.run(agent, settings(LONG, LONG));
            return null;
        });

        await().untilAsserted(() -> assertThat(agent.generations()).containsExactly(1L, 2L, 3L));
        stream.close();
        running.get();
    }

    @Test
    void isBehindUntilTheNewestWasSent() throws Exception {
        DesiredStream stream = stream(this::newest);
        assertThat(stream.isBehind(numbers(INCARNATION, 1))).isTrue();

        Future<?> running = threads.submit(() -> {
            stream.run(OutputStream.nullOutputStream(), settings(LONG, LONG));
            return null;
        });

        await().until(() -> !stream.isBehind(numbers(INCARNATION, 1)));
        assertThat(stream.isBehind(numbers(INCARNATION, 2))).isTrue();
        assertThat(stream.isBehind(numbers(UUID.randomUUID(), 1))).isTrue();
        stream.close();
        running.get();
    }

    @Test
    void endsAfterItsTime() throws Exception {
        stream(this::newest).run(OutputStream.nullOutputStream(), settings(LONG, Duration.ofMillis(10)));
    }

    private static DesiredStream stream(Supplier<DesiredHost> newest) {
        return new DesiredStream(1, newest, notRead -> {});
    }

    @Test
    void thoseThatBeganTogetherDoNotEndTogether() {
        long seed = Long.getLong("apportion.seed", new Random().nextLong());
        Random random = new Random(seed);
        PushSettings settings = settings(LONG, Duration.ofHours(1));
        int[] inQuarter = new int[4];
        for (int stream = 0; stream < 1000; stream++) {
            inQuarter[(int) Math.min(3, settings.lifetime(random).toMinutes() / 15)]++;
        }
        assertThat(inQuarter).as("seed %d", seed).startsWith(0, 0);
        assertThat(inQuarter[2]).as("seed %d", seed).isBetween(400, 600);
    }

    private static HostNumbers numbers(UUID incarnation, long generation) {
        return new HostNumbers("lpar1", incarnation, generation, 1);
    }

    @Test
    void goesOnWhenAStateCannotBeReadForOnce() throws Exception {
        DesiredStream stream = stream(() -> {
            if (generation.get() == 1) {
                throw new IllegalStateException("the database is away");
            }
            return newest();
        });
        SlowAgent agent = new SlowAgent();
        agent.ready.countDown();
        Future<?> running = threads.submit(() -> {
            stream.run(agent, settings(Duration.ofMillis(20), LONG));
            return null;
        });
        agent.blocked.await();
        assertThat(agent.generations()).isEmpty();
        assertThat(stream.isBehind(numbers(INCARNATION, 1))).isTrue();

        generation.set(2);
        stream.wake();
        await().untilAsserted(() -> assertThat(agent.generations()).containsExactly(2L));
        stream.close();
        running.get();
    }

    @Test
    void endsWithItsHost() {
        DesiredStream stream = stream(() -> {
            throw new NotDone.NotFound("host lpar1");
        });

        assertThatThrownBy(() -> stream.run(OutputStream.nullOutputStream(), settings(LONG, LONG)))
                .isInstanceOf(NotDone.NotFound.class);
    }
}
