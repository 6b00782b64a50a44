package io.apportion.server.push;

import io.apportion.wire.Report;
import io.apportion.wire.WireFormat;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.core.ResolvableType;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpInputMessage;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.converter.json.JacksonJsonHttpMessageConverter;
import org.springframework.util.unit.DataSize;
import org.springframework.web.server.ResponseStatusException;

/**
 * Reads and writes records of the wire as agents do, and no others: unknown fields are ignored, as an agent may be newer
 * than its server.
 */
final class WireBodies extends JacksonJsonHttpMessageConverter {

    private final int largest;

    WireBodies(DataSize largest) {
        super(WireFormat.MAPPER);
        setSupportedMediaTypes(List.of(MediaType.APPLICATION_JSON));
        this.largest = Math.toIntExact(largest.toBytes());
    }

    @Override
    public boolean canRead(ResolvableType type, @Nullable MediaType mediaType) {
        return isOfWire(type.toClass()) && super.canRead(type, mediaType);
    }

    @Override
    public boolean canWrite(ResolvableType type, Class<?> valueClass, @Nullable MediaType mediaType) {
        return isOfWire(valueClass) && super.canWrite(type, valueClass, mediaType);
    }

    private static boolean isOfWire(Class<?> type) {
        return type.getPackage() == Report.class.getPackage();
    }

    @Override
    public Object read(ResolvableType type, HttpInputMessage message, @Nullable Map<String, Object> hints)
            throws IOException {
        HttpHeaders headers = message.getHeaders();
        if (headers.getContentLength() > largest) {
            throw tooLarge();
        }
        byte[] body = message.getBody().readNBytes(largest + 1);
        if (body.length > largest) {
            throw tooLarge();
        }
        return super.read(type, new Body(headers, new ByteArrayInputStream(body)), hints);
    }

    private ResponseStatusException tooLarge() {
        return new ResponseStatusException(
                HttpStatus.CONTENT_TOO_LARGE, "At most " + largest + " bytes are taken of an agent.");
    }

    private record Body(HttpHeaders headers, InputStream stream) implements HttpInputMessage {

        @Override
        public HttpHeaders getHeaders() {
            return headers;
        }

        @Override
        public InputStream getBody() {
            return stream;
        }
    }
}
