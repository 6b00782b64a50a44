package io.apportion.server.web;

import io.apportion.ap.Matrix;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A matrix as the files {@code matrix} and {@code guest_matrix} of vfio_ap show it (vfio_ap_mdev_matrix_show). */
final class SysfsText {

    private SysfsText() {}

    /**
     * One line for each queue, {@code 04.0047}; with adapters alone one for each, {@code 04.}; with domains alone one for
     * each, {@code .0047}. Control domains are not shown. Empty for an empty matrix; otherwise ends with a newline.
     */
    static String of(Matrix matrix) {
        return lines(matrix).map(line -> line + "\n").collect(Collectors.joining());
    }

    private static Stream<String> lines(Matrix matrix) {
        if (matrix.domains().isEmpty()) {
            return matrix.adapters().numbers().mapToObj("%02x."::formatted);
        }
        if (matrix.adapters().isEmpty()) {
            return matrix.domains().numbers().mapToObj(".%04x"::formatted);
        }
        return matrix.queues().queues().map(Object::toString);
    }
}
