package io.apportion.server.web;

import io.apportion.ap.ApMask;
import java.util.Collection;
import java.util.List;

/**
 * An adapter in a request or an answer, written {@code 0x05}.
 *
 * @param value 0..255
 */
public record AdapterNumber(int value) {

    public AdapterNumber {
        NumberForms.requireByte(value);
    }

    /** @throws NumberException if the text is no number, ambiguous or above 255 */
    public static AdapterNumber parse(String text) {
        return new AdapterNumber(NumberForms.parse(text));
    }

    /** Ascending. */
    static List<AdapterNumber> in(ApMask mask) {
        return mask.numbers().mapToObj(AdapterNumber::new).toList();
    }

    static ApMask mask(Collection<AdapterNumber> numbers) {
        return ApMask.of(numbers.stream().mapToInt(AdapterNumber::value).toArray());
    }

    @Override
    public String toString() {
        return "0x%02x".formatted(value);
    }
}
