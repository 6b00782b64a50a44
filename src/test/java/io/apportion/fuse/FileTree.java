package io.apportion.fuse;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Files made up as they are asked for. Called from many threads. */
public interface FileTree {

    /** @param path without a slash at its begin or end; null: there is none */
    @Nullable
    Node at(String path);

    /** The names in a folder, asked for when somebody lists it. */
    default List<String> names(String path) {
        return at(path) instanceof Folder(List<String> names) ? names : List.of();
    }

    sealed interface Node {}

    record Folder(List<String> names) implements Node {}

    record Link(String target) implements Node {}

    /** A link that nobody may read. */
    record HiddenLink() implements Node {}

    /**
     * @param reader null: it cannot be read
     * @param writer null: it cannot be written
     */
    record Attribute(@Nullable Reader reader, @Nullable Writer writer) implements Node {
        public static Attribute of(String text) {
            return new Attribute(() -> text, null);
        }
    }

    interface Reader {
        String read() throws Refusal;
    }

    interface Writer {
        void write(String text) throws Refusal;
    }

    final class Refusal extends Exception {

        private static final long serialVersionUID = 1L;

        final String errno;

        public Refusal(String errno) {
            super(errno);
            this.errno = errno;
        }
    }
}
