package io.apportion.server.web;

import io.apportion.ap.ApMask;
import java.util.Collection;
import java.util.List;

/**
 * A usage or control domain in a request or an answer, written {@code 0x0047}.
 *
 * @param value 0..255
 */
public record DomainNumber(int value) {

    public DomainNumber {
        NumberForms.requireByte(value);
    }

    /** @throws NumberException if the text is no number, ambiguous or above 255 */
    public static DomainNumber parse(String text) {
        return new DomainNumber(NumberForms.parse(text));
    }

    /** Ascending. */
    static List<DomainNumber> in(ApMask mask) {
        return mask.numbers().mapToObj(DomainNumber::new).toList();
    }

    static ApMask mask(Collection<DomainNumber> numbers) {
        return ApMask.of(numbers.stream().mapToInt(DomainNumber::value).toArray());
    }

    @Override
    public String toString() {
        return "0x%04x".formatted(value);
    }
}
