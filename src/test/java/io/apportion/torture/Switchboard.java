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
final class Switchboard implements AutoCloseable {

    private final ServerSocket listening = new ServerSocket(0, 100, InetAddress.getLoopbackAddress());
    private final List<InetSocketAddress> replicas;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    Switchboard(List<URI> replicas) throws IOException {
        this.replicas = replicas.stream()
                .map(replica -> new InetSocketAddress(replica.getHost(), replica.getPort()))
                .toList();
        Thread.ofVirtual().start(this::listen);
    }

    URI address() {
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
        int first = ThreadLocalRandom.current().nextInt(replicas.size());
        try {
            for (int turn = 0; !replica.isConnected(); turn++) {
                try {
                    replica.connect(replicas.get((first + turn) % replicas.size()), 1000);
                } catch (IOException refused) {
                    replica.close();
                    replica = new Socket();
                    if (closed || caller.isClosed() || turn > 200) {
                        return;
                    }
                    LockSupport.parkNanos(50_000_000);
                }
            }
            open.add(replica);
            Socket called = replica;
            Thread.ofVirtual().start(() -> copy(called, caller));
            copy(caller, called);
        } catch (IOException broken) {
            // Then it is.
        } finally {
            close(caller);
            close(replica);
        }
    }

    private void copy(Socket from, Socket to) {
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            byte[] buffer = new byte[8192];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
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
