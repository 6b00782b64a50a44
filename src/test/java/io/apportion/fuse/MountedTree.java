package io.apportion.fuse;

import io.apportion.fuse.FileTree.Attribute;
import io.apportion.fuse.FileTree.Folder;
import io.apportion.fuse.FileTree.HiddenLink;
import io.apportion.fuse.FileTree.Link;
import io.apportion.fuse.FileTree.Node;
import io.apportion.fuse.FileTree.Refusal;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.cryptomator.jfuse.api.DirFiller;
import org.cryptomator.jfuse.api.Errno;
import org.cryptomator.jfuse.api.FileInfo;
import org.cryptomator.jfuse.api.Fuse;
import org.cryptomator.jfuse.api.FuseBuilder;
import org.cryptomator.jfuse.api.FuseConfig;
import org.cryptomator.jfuse.api.FuseConnInfo;
import org.cryptomator.jfuse.api.FuseMountFailedException;
import org.cryptomator.jfuse.api.FuseOperations;
import org.cryptomator.jfuse.api.Stat;
import org.cryptomator.jfuse.linux.amd64.LinuxFuseBuilder;
import org.jspecify.annotations.Nullable;

/**
 * A file tree where real system calls reach it. As in sysfs, each attribute says that it has 4096 bytes, is made when it
 * is first read, and takes each write as one value.
 */
public final class MountedTree implements AutoCloseable {

    /** Without development files a library has no plain name, and Debian's folders are those of the machine. */
    private static final List<String> LIBRARIES = Stream.of("x86_64", "aarch64", "s390x")
            .flatMap(machine -> Stream.of("/usr/lib/" + machine + "-linux-gnu", "/usr/lib64", "/usr/lib"))
            .flatMap(folder -> Stream.of(folder + "/libfuse3.so.3", folder + "/libfuse3.so.4"))
            .toList();

    private static final int O_ACCMODE = 3;
    private static final int O_RDONLY = 0;
    private static final int O_WRONLY = 1;

    private final Path root;
    private final Fuse fuse;

    /** What the tree threw. */
    private final List<Throwable> failures = new CopyOnWriteArrayList<>();

    public MountedTree(FileTree tree) {
        String library = LIBRARIES.stream()
                .filter(file -> Files.exists(Path.of(file)))
                .findFirst()
                .orElseThrow(() -> new AssertionError("This test needs libfuse3: apt-get install fuse3"));
        if (!Files.isWritable(Path.of("/dev/fuse"))) {
            throw new AssertionError("This test needs /dev/fuse, as root: modprobe fuse; in a container,"
                    + " docker run --device /dev/fuse --cap-add SYS_ADMIN --security-opt apparmor=unconfined");
        }
        FuseBuilder builder = builder();
        builder.setLibraryPath(library);
        fuse = builder.build(new Operations(tree, builder.errno(), failures));
        try {
            root = Files.createTempDirectory("mounted");
            fuse.mount("apportion", root, "-o", "attr_timeout=0,entry_timeout=0,negative_timeout=0");
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        } catch (FuseMountFailedException failure) {
            throw new AssertionError("FUSE cannot be mounted here; it takes root and CAP_SYS_ADMIN", failure);
        }
    }

    /**
     * The binding has no words for s390x. What is used here of libfuse's structures lies there as on x86-64, in the byte order
     * of the machine; not so the times of a file, nor what follows them.
     */
    private static FuseBuilder builder() {
        return System.getProperty("os.arch").equals("s390x") ? new LinuxFuseBuilder() : Fuse.builder();
    }

    public Path root() {
        return root;
    }

    @Override
    public void close() throws IOException {
        try {
            // First as an administrator would do it: the library alone may wait for requests that never come.
            new ProcessBuilder("umount", "--lazy", root.toString())
                    .redirectErrorStream(true)
                    .start()
                    .waitFor(10, TimeUnit.SECONDS);
            fuse.close();
        } catch (InterruptedException | TimeoutException stuck) {
            throw new IOException(stuck);
        }
        Files.deleteIfExists(root);
        if (!failures.isEmpty()) {
            throw new AssertionError("the tree failed " + failures.size() + " times", failures.getFirst());
        }
    }

    private static final class Operations implements FuseOperations {

        private final FileTree tree;
        private final Errno errno;
        private final List<Throwable> failures;
        private final AtomicLong opened = new AtomicLong();

        /** What a file said when it was first read, by the number of the open file. */
        private final Map<Long, byte[]> said = new ConcurrentHashMap<>();

        Operations(FileTree tree, Errno errno, List<Throwable> failures) {
            this.tree = tree;
            this.errno = errno;
            this.failures = failures;
        }

        @Override
        public Errno errno() {
            return errno;
        }

        @Override
        public Set<Operation> supportedOperations() {
            return EnumSet.of(
                    Operation.INIT,
                    Operation.GET_ATTR,
                    Operation.READLINK,
                    Operation.READ_DIR,
                    Operation.OPEN,
                    Operation.READ,
                    Operation.WRITE,
                    Operation.RELEASE);
        }

        /** The binding knows direct_io, without which the page cache comes between, and has no word to switch it on. */
        @Override
        public void init(FuseConnInfo connection, @Nullable FuseConfig config) {
            try {
                var segment = Objects.requireNonNull(config).getClass().getDeclaredMethod("segment");
                segment.setAccessible(true);
                String layout = config.getClass().getPackageName() + ".extr.fuse3.fuse_config";
                Class.forName(layout)
                        .getDeclaredMethod("direct_io", MemorySegment.class, int.class)
                        .invoke(null, segment.invoke(config), 1);
            } catch (ReflectiveOperationException otherwise) {
                throw new LinkageError("another release of jfuse", otherwise);
            }
        }

        /** Nothing may be thrown out of here: the process would end, and leave its calls hanging in the kernel. */
        private @Nullable Node node(String path) {
            try {
                return tree.at(path.substring(1));
            } catch (RuntimeException | Error failure) {
                failures.add(failure);
                return null;
            }
        }

        @Override
        public int getattr(String path, Stat stat, @Nullable FileInfo file) {
            return switch (node(path)) {
                case Folder folder -> {
                    stat.setMode(Stat.S_IFDIR | 0755);
                    stat.setNLink((short) 2);
                    yield 0;
                }
                case Link _, HiddenLink _ -> {
                    stat.setMode(Stat.S_IFLNK | 0777);
                    stat.setNLink((short) 1);
                    yield 0;
                }
                case Attribute attribute -> {
                    int readable = attribute.reader() == null ? 0 : 0444;
                    int writable = attribute.writer() == null ? 0 : 0200;
                    stat.setMode(Stat.S_IFREG | readable | writable);
                    stat.setNLink((short) 1);
                    stat.setSize(4096);
                    yield 0;
                }
                case null -> number("ENOENT");
            };
        }

        @Override
        public int readlink(String path, ByteBuffer buffer, long length) {
            return switch (node(path)) {
                case Link(String target) -> {
                    buffer.put(target.getBytes(StandardCharsets.UTF_8)).put((byte) 0);
                    yield 0;
                }
                case HiddenLink _ -> number("EACCES");
                case null, default -> number("ENOENT");
            };
        }

        @Override
        public int readdir(String path, DirFiller filler, long offset, FileInfo file, int flags) {
            try {
                List<String> names = tree.names(path.substring(1));
                for (String name : (Iterable<String>) Stream.concat(Stream.of(".", ".."), names.stream())::iterator) {
                    filler.fill(name);
                }
                return 0;
            } catch (IOException | RuntimeException | Error failure) {
                failures.add(failure);
                return number("EIO");
            }
        }

        @Override
        public int open(String path, FileInfo file) {
            if (!(node(path) instanceof Attribute attribute)) {
                return number("ENOENT");
            }
            int mode = file.getFlags() & O_ACCMODE;
            if ((mode != O_WRONLY && attribute.reader() == null) || (mode != O_RDONLY && attribute.writer() == null)) {
                return number("EACCES");
            }
            file.setFh(opened.incrementAndGet());
            return 0;
        }

        @Override
        public int read(String path, ByteBuffer buffer, long count, long offset, FileInfo file) {
            try {
                byte[] text = said.get(file.getFh());
                if (text == null || offset == 0) {
                    if (!(node(path) instanceof Attribute(FileTree.Reader reader, var _)) || reader == null) {
                        return number("ENODEV");
                    }
                    text = reader.read().getBytes(StandardCharsets.UTF_8);
                    said.put(file.getFh(), text);
                }
                int from = (int) Math.min(offset, text.length);
                int length = (int) Math.min(count, text.length - from);
                buffer.put(text, from, length);
                return length;
            } catch (Refusal refusal) {
                return number(refusal.errno);
            } catch (RuntimeException | Error failure) {
                failures.add(failure);
                return number("EIO");
            }
        }

        @Override
        public int write(String path, ByteBuffer buffer, long count, long offset, FileInfo file) {
            try {
                if (!(node(path) instanceof Attribute(var _, FileTree.Writer writer)) || writer == null) {
                    return number("ENODEV");
                }
                byte[] text = new byte[(int) count];
                buffer.get(text);
                writer.write(new String(text, StandardCharsets.UTF_8));
                return text.length;
            } catch (Refusal refusal) {
                return number(refusal.errno);
            } catch (RuntimeException | Error failure) {
                failures.add(failure);
                return number("EIO");
            }
        }

        @Override
        public int release(String path, FileInfo file) {
            said.remove(file.getFh());
            return 0;
        }

        /** The numbers are the kernel's own, written down here a second time. */
        private static int number(String name) {
            return -switch (name) {
                case "EPERM" -> 1;
                case "ENOENT" -> 2;
                case "EIO" -> 5;
                case "EACCES" -> 13;
                case "EBUSY" -> 16;
                case "EEXIST" -> 17;
                case "ENODEV" -> 19;
                case "EINVAL" -> 22;
                case "ERANGE" -> 34;
                case "EUSERS" -> 87;
                case "EADDRINUSE" -> 98;
                case "EADDRNOTAVAIL" -> 99;
                default -> throw new AssertionError(name);
            };
        }
    }
}
