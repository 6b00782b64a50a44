package io.apportion.contract;

import static java.nio.charset.StandardCharsets.UTF_8;

import jakarta.servlet.FilterChain;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.util.function.SingletonSupplier;
import org.springframework.web.filter.OncePerRequestFilter;
import org.springframework.web.util.ContentCachingResponseWrapper;

/**
 * Holds every answer of the API to the contract, whoever asked: one that breaks it goes out as status 599 with the reason.
 * What a stream breaks is known only at its end; that, and all the rest, is also kept for {@link ContractListener}.
 */
final class ContractFilter extends OncePerRequestFilter {

    static final int BROKEN = 599;

    static final Queue<String> VIOLATIONS = new ConcurrentLinkedQueue<>();

    /** Read when it is first needed: the test that writes the contract runs a server too. */
    private final Supplier<Contract> contract = SingletonSupplier.of(Contract::committed);

    @Override
    protected boolean shouldNotFilter(HttpServletRequest request) {
        return !request.getRequestURI().startsWith("/api/");
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        String accept = request.getHeader("Accept");
        if (accept != null && accept.contains("text/event-stream")) {
            Copied copied = new Copied(response);
            try {
                chain.doFilter(request, copied);
            } finally {
                VIOLATIONS.addAll(violations(request, copied, copied.whole()));
            }
            return;
        }
        ContentCachingResponseWrapper cached = new ContentCachingResponseWrapper(response);
        chain.doFilter(request, cached);
        if (isLeftToTheContainer(request, cached)) {
            cached.copyBodyToResponse();
            return;
        }
        List<String> violations = violations(request, cached, cached.getContentAsByteArray());
        if (!violations.isEmpty()) {
            VIOLATIONS.addAll(violations);
            cached.resetBuffer();
            cached.setStatus(BROKEN);
            cached.setContentType("text/plain;charset=UTF-8");
            cached.getOutputStream().write(String.join("\n", violations).getBytes(UTF_8));
        }
        cached.copyBodyToResponse();
    }

    /**
     * Where reading the body failed, as its framing is wrong, Tomcat takes no answer but its own, which the valve writes
     * outside of every filter; BadInputTests reads what it wrote.
     */
    private static boolean isLeftToTheContainer(HttpServletRequest request, ContentCachingResponseWrapper answer) {
        return request.getAttribute(RequestDispatcher.ERROR_EXCEPTION) != null
                && answer.getStatus() >= 400
                && answer.getContentType() == null
                && answer.getContentSize() == 0;
    }

    private List<String> violations(HttpServletRequest request, HttpServletResponse response, byte[] body) {
        return contract.get()
                .violations(
                        request.getMethod(),
                        request.getRequestURI(),
                        response.getStatus(),
                        response.getContentType(),
                        body);
    }

    /** Passes everything on at once and keeps a copy. */
    private static final class Copied extends HttpServletResponseWrapper {

        private final ByteArrayOutputStream copy = new ByteArrayOutputStream();
        private @Nullable ServletOutputStream stream;
        private @Nullable PrintWriter writer;

        Copied(HttpServletResponse response) {
            super(response);
        }

        /** Up to the last event that is whole: where the client goes away, half of one may be left. */
        byte[] whole() {
            String text = copy.toString(UTF_8);
            return getContentType() != null && getContentType().startsWith("text/event-stream")
                    ? text.substring(0, text.lastIndexOf("\n\n") + 1).getBytes(UTF_8)
                    : copy.toByteArray();
        }

        @Override
        public ServletOutputStream getOutputStream() throws IOException {
            if (stream == null) {
                ServletOutputStream target = super.getOutputStream();
                stream = new ServletOutputStream() {
                    @Override
                    public boolean isReady() {
                        return target.isReady();
                    }

                    @Override
                    public void setWriteListener(WriteListener listener) {
                        target.setWriteListener(listener);
                    }

                    @Override
                    public void write(int b) throws IOException {
                        copy.write(b);
                        target.write(b);
                    }

                    @Override
                    public void write(byte[] bytes, int from, int length) throws IOException {
                        copy.write(bytes, from, length);
                        target.write(bytes, from, length);
                    }

                    @Override
                    public void flush() throws IOException {
                        target.flush();
                    }
                };
            }
            return stream;
        }

        @Override
        public PrintWriter getWriter() throws IOException {
            if (writer == null) {
                writer = new PrintWriter(new OutputStreamWriter(getOutputStream(), UTF_8));
            }
            return writer;
        }

        @Override
        public void flushBuffer() throws IOException {
            if (writer != null) {
                writer.flush();
            }
            super.flushBuffer();
        }
    }
}
