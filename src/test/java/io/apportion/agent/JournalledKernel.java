package io.apportion.agent;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.wire.ObservedHost;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A kernel in which each write leaves a line, refused or not, and which can be made to refuse one. */
final class JournalledKernel {

    final List<String> journal = new CopyOnWriteArrayList<>();

    interface Waiting {
        void await() throws InterruptedException;
    }

    /** From a line to the errno with which it is refused; null for no refusal. */
    volatile UnaryOperator<@Nullable String> refusal = line -> null;

    /** Called after each write that was not refused. */
    volatile Runnable afterWrite = () -> {};

    final AtomicInteger reads = new AtomicInteger();

    /** What is read then has no mdevs: not none, but unknown. */
    volatile boolean hidesMdevs;

    /** In place of the kernel's. */
    volatile @Nullable Waiting awaitBindings;

    interface Meanwhile {
        void happen() throws KernelRefusal;
    }

    /** Happens each time that others have to be kept out, who then have had the lock; null: nobody had it. */
    volatile @Nullable Meanwhile whileWaiting;

    /** Those that are open. */
    final AtomicInteger exclusions = new AtomicInteger();

    private final HostKernel kernel;

    JournalledKernel(HostKernel kernel) {
        this.kernel = kernel;
    }

    HostKernel kernel() {
        return (HostKernel)
                Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {HostKernel.class}, this::call);
    }

    /** The lines so far; the journal is empty afterwards. */
    List<String> take() {
        List<String> lines = List.copyOf(journal);
        journal.clear();
        return lines;
    }

    private @Nullable Object call(Object proxy, Method method, Object @Nullable [] arguments) throws Throwable {
        if (method.getName().equals("read")) {
            reads.incrementAndGet();
        }
        Waiting waiting = awaitBindings;
        if (method.getName().equals("awaitBindings") && waiting != null) {
            waiting.await();
            return null;
        }
        if (method.getName().equals("exclude")) {
            return exclude();
        }
        boolean isWrite = method.getReturnType() == void.class
                && Arrays.asList(method.getExceptionTypes()).contains(KernelRefusal.class);
        if (isWrite && arguments != null) {
            String line = method.getName() + " "
                    + Arrays.stream(arguments).map(JournalledKernel::text).collect(Collectors.joining(" "));
            journal.add(line);
            String errno = refusal.apply(line);
            if (errno != null) {
                throw new KernelRefusal(errno, "refused by the test");
            }
        }
        try {
            Object answer = method.invoke(kernel, arguments);
            if (isWrite) {
                afterWrite.run();
            }
            return hidesMdevs && answer instanceof ObservedHost host ? withoutMdevs(host) : answer;
        } catch (InvocationTargetException failure) {
            throw failure.getCause();
        }
    }

    private HostKernel.Exclusion exclude() throws KernelRefusal {
        Meanwhile others = whileWaiting;
        if (others != null) {
            others.happen();
        }
        exclusions.incrementAndGet();
        return new HostKernel.Exclusion() {
            @Override
            public boolean waited() {
                return others != null;
            }

            @Override
            public void close() {
                exclusions.decrementAndGet();
            }
        };
    }

    private static ObservedHost withoutMdevs(ObservedHost host) {
        return new ObservedHost(
                host.kernelRelease(),
                host.features(),
                host.maxAdapter(),
                host.maxDomain(),
                host.hostConfiguration(),
                host.masks(),
                host.keep(),
                host.adapters(),
                null,
                host.definitions(),
                host.applied());
    }

    private static String text(Object argument) {
        return switch (argument) {
            case UUID uuid -> Long.toHexString(uuid.getLeastSignificantBits());
            case Matrix matrix ->
                text(matrix.adapters()) + "x" + text(matrix.domains())
                        + (matrix.controlDomains().isEmpty() ? "" : "+" + text(matrix.controlDomains()));
            case ApMask mask -> mask.numbers().mapToObj(Integer::toHexString).collect(Collectors.joining(","));
            case Integer number -> Integer.toHexString(number);
            default -> argument.toString();
        };
    }
}
