package io.apportion.server.matrix;

import io.apportion.ap.Matrix;
import io.apportion.ap.Notation;
import io.apportion.ap.Reservation;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/** What events say, as JSON objects. */
final class EventText {

    private static final JsonMapper JSON = JsonMapper.shared();

    private EventText() {}

    static String json(Map<String, ?> object) {
        return JSON.writeValueAsString(object);
    }

    static Map<String, Object> matrix(Matrix matrix) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("adapters", Notation.adapters(matrix.adapters()));
        object.put("domains", Notation.domains(matrix.domains()));
        object.put("controlDomains", Notation.domains(matrix.controlDomains()));
        return object;
    }

    static @Nullable Map<String, Object> reservation(@Nullable Reservation reservation) {
        return reservation == null
                ? null
                : Map.of(
                        "apmask",
                        reservation.apmask().toString(),
                        "aqmask",
                        reservation.aqmask().toString());
    }
}
