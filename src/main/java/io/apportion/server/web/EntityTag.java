package io.apportion.server.web;

import io.apportion.server.matrix.HostState;
import io.apportion.server.matrix.MdevState;
import jakarta.servlet.http.HttpServletResponse;
import org.springframework.http.HttpHeaders;

/**
 * The {@code ETag} of an answer.
 *
 * <p>It covers the desired part of a resource alone, so that reports of the host do not make a client's {@code If-Match}
 * stale. That is why a GET never answers 304: the rest of the resource may well have changed. Spring answers so by itself
 * when the tag of a GET is set on a {@code ResponseEntity}; set on the response it is left alone.
 */
final class EntityTag {

    private EntityTag() {}

    static void set(HttpServletResponse response, HostState host) {
        set(response, host.tag());
    }

    static void set(HttpServletResponse response, MdevState mdev) {
        set(response, mdev.tag());
    }

    private static void set(HttpServletResponse response, String tag) {
        response.setHeader(HttpHeaders.ETAG, "\"" + tag + "\"");
    }
}
