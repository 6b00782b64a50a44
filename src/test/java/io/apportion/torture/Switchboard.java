package io.apportion.torture;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;

/** Stands before the replicas as a load balancer does: each connection goes to any replica that takes it. */
public final class Switchboard implements AutoCloseable {

    private final ServerSocket listening = new ServerSocket(0, 1000, InetAddress.getLoopbackAddress());
    private final List<InetSocketAddress> replicas;
    private final Ear ear;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /** Hears what passes, on the thread that passes it on. */
    public interface Ear {

        /** @param connection the caller's */
        void passed(Socket connection, int replica, boolean up, byte[] buffer, int count);

        void closed(Socket connection);
    }

    Switchboard(List<URI> replicas) throws IOException {
        this(replicas, new Ear() {
            @Override
            public void passed(Socket connection, int replica, boolean up, byte[] buffer, int count) {}

            @Override
            public void closed(Socket connection) {}
        });
    }

    public Switchboard(List<URI> replicas, Ear ear) throws IOException {
        this.ear = ear;
        this.replicas = replicas.stream()
                .map(replica -> new InetSocketAddress(replica.getHost(), replica.getPort()))
                .toList();
        Thread.ofVirtual().start(this::listen);
    }

    public URI address() {
        return URI.create("http://127.0.0.1:" + listening.getLocalPort());
    }

    /** Every connection breaks. */
    void cut() {
        open.forEach(Switchboard::close);
    }

    private void listen() {
        while (!closed) {
            try {
                Socket caller = listening.accept();
                Thread.ofVirtual().start(() -> connect(caller));
            } catch (IOException closing) {
                return;
            }
        }
    }

    private void connect(Socket caller) {
        open.add(caller);
        Socket replica = new Socket();
        int which = ThreadLocalRandom.current().nextInt(replicas.size());
        try {
            for (int turn = 0; !replica.isConnected(); turn++) {
                try {
                    replica.connect(replicas.get(which), 1000);
                } catch (IOException refused) {
                    replica.close();
                    replica = new Socket();
                    which = (which + 1) % replicas.size();
                    if (closed || caller.isClosed() || turn > 200) {
                        return;
                    }
                    LockSupport.parkNanos(50_000_000);
                }
            }
            open.add(replica);
            Socket called = replica;
            int number = which;
            Thread.ofVirtual()
                    .start(() -> copy(called, caller, (b, count) -> ear.passed(caller, number, false, b, count)));
            copy(caller, called, (b, count) -> ear.passed(caller, number, true, b, count));
        } catch (IOException broken) {
            // Then it is.
        } finally {
            close(caller);
            close(replica);
            ear.closed(caller);
        }
    }

    private interface Passing {
        void told(byte[] buffer, int count);
    }

    private void copy(Socket from, Socket to, Passing passing) {
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            byte[] buffer = new byte[8192];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                passing.told(buffer, count);
                out.write(buffer, 0, count);
            }
        } catch (IOException broken) {
            // So is the other way.
        } finally {
            open.remove(from);
            close(from);
            close(to);
        }
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException harmless) {
            // It is closed.
        }
    }

    @Override
    public void close() throws IOException {
        closed = true;
        listening.close();
        cut();
    }
}
