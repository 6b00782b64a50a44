package io.apportion.server.web;

import io.apportion.ap.Matrix;
import java.util.List;

/** The three masks of one thing as lists of numbers, ascending. */
record MatrixView(List<AdapterNumber> adapters, List<DomainNumber> domains, List<DomainNumber> controlDomains) {

    static MatrixView of(Matrix matrix) {
        return new MatrixView(
                AdapterNumber.in(matrix.adapters()),
                DomainNumber.in(matrix.domains()),
                DomainNumber.in(matrix.controlDomains()));
    }
}
