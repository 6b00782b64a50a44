package io.apportion.agent.sysfs;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;

/**
 * The few system calls that Java has no exact words for. Java's own files would do for most of it, but they tell errno only
 * as a text in the language of the host, and do not promise one write for one value.
 *
 * <p>All calls block the platform thread, so that none may be made on a virtual one. Numbers and layouts are those of 64-bit
 * Linux on x86 and s390, which share them; whatever is wider than a byte has the byte order of the machine.
 */
final class Libc {

    private static final int O_RDONLY = 0;
    private static final int O_WRONLY = 1;
    private static final int O_CLOEXEC = 02000000;

    private static final short AF_UNIX = 1;
    private static final short AF_NETLINK = 16;
    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_RAW = 3;
    private static final int SOCK_CLOEXEC = O_CLOEXEC;
    private static final int NETLINK_KOBJECT_UEVENT = 15;
    private static final int FROM_KERNEL = 1;
    private static final int SOL_SOCKET = 1;
    private static final int SO_RCVBUFFORCE = 33;
    private static final short POLLIN = 1;
    private static final int MSG_NOSIGNAL = 0x4000;

    /** Of a local socket. */
    private static final int LONGEST_NAME = 108;

    /** Attributes have at most a page; what else is read here (a command line) is not wanted in full if it is longer. */
    private static final int BUFFER = 4096;

    private static final int LONGEST = 1 << 20;

    /** struct sockaddr_nl */
    private static final StructLayout NETLINK_ADDRESS = MemoryLayout.structLayout(
            JAVA_SHORT.withName("family"),
            JAVA_SHORT.withName("pad"),
            JAVA_INT.withName("port"),
            JAVA_INT.withName("groups"));

    /** struct pollfd */
    private static final StructLayout POLLED = MemoryLayout.structLayout(
            JAVA_INT.withName("fd"), JAVA_SHORT.withName("events"), JAVA_SHORT.withName("returned"));

    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(PathElement.groupElement("errno"));

    private static final MethodHandle OPEN =
            call("open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle READ =
            call("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle WRITE =
            call("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle CLOSE = call("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle SOCKET =
            call("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle BIND = call("bind", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle SETSOCKOPT =
            call("setsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle SENDTO =
            call("sendto", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle POLL =
            call("poll", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));

    private Libc() {}

    @SuppressWarnings("restricted") // a wrong type here would harm the whole process: they are all in sight above
    private static MethodHandle call(String name, FunctionDescriptor type, Linker.Option... options) {
        Linker linker = Linker.nativeLinker();
        Linker.Option[] all = new Linker.Option[options.length + 1];
        System.arraycopy(options, 0, all, 0, options.length);
        all[options.length] = Linker.Option.captureCallState("errno");
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type, all);
    }

    // Files.

    /** The whole file, by as many reads as it takes. */
    static String read(Path file) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            int fd = open(file, O_RDONLY, arena, state);
            try {
                ByteArrayOutputStream text = new ByteArrayOutputStream();
                MemorySegment buffer = arena.allocate(BUFFER);
                long count = 1;
                while (count != 0 && text.size() < LONGEST) {
                    count = read(fd, buffer, state, "read " + file);
                    text.writeBytes(buffer.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE));
                }
                return text.toString(StandardCharsets.UTF_8);
            } finally {
                close(fd);
            }
        }
    }

    /** One write of the whole text. The file must be there: none is ever made, cut or appended to. */
    static void write(Path file, String text) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            MemorySegment buffer = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
            int fd = open(file, O_WRONLY, arena, state);
            try {
                long count = (long) WRITE.invokeExact(state, fd, buffer, (long) bytes.length);
                if (count < 0) {
                    throw failure(state, "write " + file);
                }
                if (count != bytes.length) {
                    throw new ErrnoException("EIO", "write " + file + " took " + count + " of " + bytes.length);
                }
            } finally {
                close(fd);
            }
        } catch (Throwable failure) {
            throw asIs(failure);
        }
    }

    private static int open(Path file, int mode, Arena arena, MemorySegment state) throws ErrnoException {
        MemorySegment name = arena.allocateFrom(file.toString());
        try {
            int fd;
            do {
                fd = (int) OPEN.invokeExact(state, name, mode | O_CLOEXEC);
            } while (fd < 0 && isInterrupted(state));
            if (fd < 0) {
                throw failure(state, "open " + file);
            }
            return fd;
        } catch (Throwable failure) {
            throw asIs(failure);
        }
    }

    private static long read(int fd, MemorySegment buffer, MemorySegment state, String what) throws ErrnoException {
        try {
            long count;
            do {
                count = (long) READ.invokeExact(state, fd, buffer, buffer.byteSize());
            } while (count < 0 && isInterrupted(state));
            if (count < 0) {
                throw failure(state, what);
            }
            return count;
        } catch (Throwable failure) {
            throw asIs(failure);
        }
    }

    static void close(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            var _ = (int) CLOSE.invokeExact(arena.allocate(STATE), fd);
        } catch (Throwable failure) {
            throw new IllegalStateException(failure);
        }
    }

    // Uevents.

    /**
     * A socket that hears what the kernel tells of its devices.
     *
     * @param room bytes that the kernel may keep for it; less where that is not allowed
     */
    static int openUevents(int room) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            int socket =
                    (int) SOCKET.invokeExact(state, (int) AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
            if (socket < 0) {
                throw failure(state, "socket of uevents");
            }
            MemorySegment size = arena.allocateFrom(JAVA_INT, room);
            var _ = (int) SETSOCKOPT.invokeExact(state, socket, SOL_SOCKET, SO_RCVBUFFORCE, size, Integer.BYTES);
            MemorySegment address = arena.allocate(NETLINK_ADDRESS);
            address.set(JAVA_SHORT, NETLINK_ADDRESS.byteOffset(PathElement.groupElement("family")), AF_NETLINK);
            address.set(JAVA_INT, NETLINK_ADDRESS.byteOffset(PathElement.groupElement("groups")), FROM_KERNEL);
            int bound = (int) BIND.invokeExact(state, socket, address, (int) NETLINK_ADDRESS.byteSize());
            if (bound < 0) {
                ErrnoException failure = failure(state, "bind to uevents");
                close(socket);
                throw failure;
            }
            return socket;
        } catch (Throwable failure) {
            throw asIs(failure);
        }
    }

    /** Whether there is something to read before the time is over. */
    static boolean awaitInput(int fd, Duration atMost) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            MemorySegment polled = arena.allocate(POLLED);
            polled.set(JAVA_INT, POLLED.byteOffset(PathElement.groupElement("fd")), fd);
            polled.set(JAVA_SHORT, POLLED.byteOffset(PathElement.groupElement("events")), POLLIN);
            int count = (int) POLL.invokeExact(state, polled, 1L, (int) atMost.toMillis());
            if (count < 0 && !isInterrupted(state)) {
                throw failure(state, "poll");
            }
            return count > 0;
        } catch (Throwable failure) {
            throw asIs(failure);
        }
    }

    /** One message; ENOBUFS where some were lost. */
    static byte[] receive(int socket) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(2L * BUFFER);
            long count = read(socket, buffer, arena.allocate(STATE), "read uevents");
            return buffer.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE);
        }
    }

    // Local sockets, which Java's own channels can only reach as a stream.

    /** @param name a path, or an abstract name after an {@code @} */
    static void send(String name, String text) throws ErrnoException {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length == 0 || bytes.length > LONGEST_NAME) {
            throw new ErrnoException("EINVAL", "send to \"" + name + "\"");
        }
        if (bytes[0] == '@') {
            bytes[0] = 0;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            // struct sockaddr_un: the family, then the name
            MemorySegment address = arena.allocate(Short.BYTES + (long) bytes.length, Short.BYTES);
            address.set(JAVA_SHORT, 0, AF_UNIX);
            MemorySegment.copy(bytes, 0, address, ValueLayout.JAVA_BYTE, Short.BYTES, bytes.length);
            MemorySegment message = arena.allocateFrom(ValueLayout.JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8));
            int socket = (int) SOCKET.invokeExact(state, (int) AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            if (socket < 0) {
                throw failure(state, "local socket");
            }
            try {
                long sent = (long) SENDTO.invokeExact(
                        state, socket, message, message.byteSize(), MSG_NOSIGNAL, address, (int) address.byteSize());
                if (sent < 0) {
                    throw failure(state, "send to " + name);
                }
            } finally {
                close(socket);
            }
        } catch (Throwable failure) {
            throw asIs(failure);
        }
    }

    private static boolean isInterrupted(MemorySegment state) {
        return ErrorNames.of(errno(state)).equals("EINTR");
    }

    private static ErrnoException failure(MemorySegment state, String what) {
        return new ErrnoException(ErrorNames.of(errno(state)), what);
    }

    private static int errno(MemorySegment state) {
        return (int) ERRNO.get(state, 0L);
    }

    /** Method handles declare to throw everything; these throw nothing but what we throw. */
    private static ErrnoException asIs(Throwable failure) {
        return switch (failure) {
            case ErrnoException ours -> ours;
            case RuntimeException unchecked -> throw unchecked;
            case Error error -> throw error;
            default -> throw new IllegalStateException(failure);
        };
    }
}
