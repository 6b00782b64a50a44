package io.apportion.agent;

import io.apportion.wire.DesiredHost;
import io.apportion.wire.WireFormat;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodySubscriber;
import java.net.http.HttpResponse.BodySubscribers;
import java.net.http.HttpResponse.ResponseInfo;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * One open stream of server-sent events. One thread takes the states; any thread may close it, which ends the taking.
 */
final class DesiredStream implements BodyHandler<DesiredStream>, Flow.Subscriber<String>, AutoCloseable {

    private sealed interface Signal {}

    private record Opened(int status) implements Signal {}

    private record Line(String text) implements Signal {}

    private record Ended(@Nullable Throwable failure) implements Signal {}

    private static final String EVENT = "desired";

    private final Duration silence;
    private final BlockingQueue<Signal> signals = new LinkedBlockingQueue<>();
    private volatile @Nullable CompletableFuture<HttpResponse<DesiredStream>> exchange;
    private volatile Flow.@Nullable Subscription subscription;

    /** @param silence given up when not even a comment came for so long */
    DesiredStream(Duration silence) {
        this.silence = silence;
    }

    void dialled(CompletableFuture<HttpResponse<DesiredStream>> dialled) {
        exchange = dialled;
        var _ = dialled.whenComplete((response, failure) -> {
            if (failure != null) {
                signals.add(new Ended(failure));
            }
        });
    }

    /** Returns when the server has accepted; nothing is to be called before. */
    void awaitOpen() throws IOException, InterruptedException {
        if (next() instanceof Opened(int status) && status != 200) {
            StringBuilder problem = new StringBuilder();
            while (next() instanceof Line(String text)) {
                problem.append(text).append('\n');
            }
            throw new ServerRefusal(status, ServerLink.reason(problem.toString()));
        }
    }

    /** Waits for the next desired state; null when the stream has ended. */
    @Nullable
    DesiredHost take() throws IOException, InterruptedException {
        String event = EVENT;
        StringBuilder data = new StringBuilder();
        while (next() instanceof Line(String text)) {
            if (text.isEmpty()) {
                if (event.equals(EVENT) && !data.isEmpty()) {
                    return read(data.toString());
                }
                event = EVENT;
                data.setLength(0);
            } else if (text.startsWith("event:")) {
                event = text.substring("event:".length()).strip();
            } else if (text.startsWith("data:")) {
                data.append(text.substring("data:".length())).append('\n');
            } // comments are only there to be heard
        }
        return null;
    }

    private static DesiredHost read(String json) throws IOException {
        try {
            return WireFormat.MAPPER.readValue(json, DesiredHost.class);
        } catch (JacksonException malformed) {
            throw new IOException("the server's desired state is not understood", malformed);
        }
    }

    private Signal next() throws IOException, InterruptedException {
        Signal signal = signals.poll(silence.toNanos(), TimeUnit.NANOSECONDS);
        if (signal == null) {
            throw new HttpTimeoutException("heard nothing from the server for " + silence.toSeconds() + " s");
        }
        if (signal instanceof Ended(Throwable failure)) {
            signals.add(signal); // the end stays the end, whoever asks next
            if (failure != null) {
                throw new IOException("the connection broke", failure);
            }
        }
        Flow.Subscription lines = subscription;
        if (lines != null) {
            lines.request(1);
        }
        return signal;
    }

    @Override
    public void close() {
        signals.add(new Ended(null));
        Flow.Subscription lines = subscription;
        if (lines != null) {
            lines.cancel();
        }
        CompletableFuture<?> dialled = exchange;
        if (dialled != null) {
            dialled.cancel(true);
        }
    }

    @Override
    public BodySubscriber<DesiredStream> apply(ResponseInfo response) {
        signals.add(new Opened(response.statusCode()));
        return BodySubscribers.fromLineSubscriber(this, Function.identity(), StandardCharsets.UTF_8, null);
    }

    @Override
    public void onSubscribe(Flow.Subscription lines) {
        subscription = lines;
        lines.request(1);
    }

    @Override
    public void onNext(String line) {
        signals.add(new Line(line));
    }

    @Override
    public void onError(Throwable failure) {
        signals.add(new Ended(failure));
    }

    @Override
    public void onComplete() {
        signals.add(new Ended(null));
    }
}
