package io.apportion.server.web;

import io.apportion.ap.Queue;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.UUID;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * How one kind of list is cut into pages: a cursor names the last item of its page, opaque to clients. Items that come or
 * go between two pages neither repeat nor hide others.
 *
 * @param list a word of its own for each kind of list, so that no cursor serves another
 */
record Cursor<K>(String list, Function<K, String> write, Function<String, K> read) {

    static final String DEFAULT_LIMIT = "100";
    static final int MAX_LIMIT = 1000;

    static final Cursor<String> HOSTS = new Cursor<>("hosts", Function.identity(), Function.identity());
    static final Cursor<Integer> NUMBERS = new Cursor<>("numbers", String::valueOf, TextForms::parseInteger);
    static final Cursor<Queue> QUEUES = new Cursor<>("queues", Queue::toString, NumberForms::parseQueue);
    static final Cursor<UUID> MDEVS = new Cursor<>("mdevs", UUID::toString, TextForms::parseUuid);
    static final Cursor<Long> COMMITS = new Cursor<>("commits", String::valueOf, TextForms::parseLong);
    static final Cursor<UUID> TOKENS = new Cursor<>("tokens", UUID::toString, TextForms::parseUuid);
    static final Cursor<Long> EVENTS = new Cursor<>("events", String::valueOf, TextForms::parseLong);

    /**
     * The key of the last item of the page before.
     *
     * @return null for the first page
     * @throws ProblemException if it is no cursor of this list
     */
    @Nullable
    K after(@Nullable String cursor) {
        if (cursor == null) {
            return null;
        }
        try {
            String text = new String(Base64.getUrlDecoder().decode(cursor), StandardCharsets.UTF_8);
            if (text.startsWith(list + ":") && TextForms.isStorable(text)) {
                return read.apply(text.substring(list.length() + 1));
            }
        } catch (IllegalArgumentException notOurs) {
            // Told below.
        }
        throw new ProblemException(
                ProblemKind.MALFORMED_REQUEST, "The parameter cursor is not the next of a page of this list.");
    }

    /** @param found at least one item more than the limit, if there are so many */
    <S, V> PageView<V> page(List<S> found, int limit, Function<S, K> key, Function<S, V> view) {
        List<S> items = found.size() > limit ? found.subList(0, limit) : found;
        return new PageView<>(
                items.stream().map(view).toList(), found.size() > limit ? text(key.apply(items.getLast())) : null);
    }

    private String text(K key) {
        return Base64.getUrlEncoder()
                .withoutPadding()
                .encodeToString((list + ":" + write.apply(key)).getBytes(StandardCharsets.UTF_8));
    }
}
