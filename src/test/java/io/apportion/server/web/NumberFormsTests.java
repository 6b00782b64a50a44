package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.apportion.ap.ApMask;
import io.apportion.ap.Queue;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class NumberFormsTests {

    @ParameterizedTest
    @CsvSource({
        "0x05, 5",
        "0x5, 5",
        "5, 5",
        "0, 0",
        "0x0, 0",
        "0x00, 0",
        "0x0047, 71",
        "0xfF, 255",
        "255, 255",
        "10, 10"
    })
    void readsHexAndPlainDecimal(String text, int number) {
        assertThat(NumberForms.parse(text)).isEqualTo(number);
    }

    @Test
    void readsHexWithAnyNumberOfLeadingZeros() {
        assertThat(NumberForms.parse("0x" + "0".repeat(10_000) + "ff")).isEqualTo(255);
    }

    @ParameterizedTest
    @ValueSource(strings = {"05", "00", "08", "0255", "007", "0256"})
    void refusesToGuessWhatALeadingZeroMeans(String text) {
        assertThat(kindOf(text)).isEqualTo(ProblemKind.AMBIGUOUS_NUMBER);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "", " ", "0x", "x5", "0X05", "-1", "-0", "+5", "1e3", "1.0", " 5", "5 ", "5\n", "0x5g", "0x-1", "ff",
                "５", "0x５", "٥", "true", "null", "5,6", "05.0047", "0b101", "1_0", "½", "0x 5", "\u00005"
            })
    void refusesWhatIsNoNumber(String text) {
        assertThat(kindOf(text)).isEqualTo(ProblemKind.MALFORMED_NUMBER);
    }

    @ParameterizedTest
    @MethodSource("tooHigh")
    void refusesWhatIsAbove255HoweverLongItIs(String text) {
        assertThat(kindOf(text)).isEqualTo(ProblemKind.NUMBER_OUT_OF_RANGE);
    }

    static String[] tooHigh() {
        return new String[] {
            "256", "0x100", "999", "4294967301", "0xffffffffffffffff05", "9".repeat(10_000), "0x" + "f".repeat(10_000)
        };
    }

    @Test
    void saysNoMoreOfAValueThanOneCanRead() {
        var bad = catchThrowableOfType(NumberException.class, () -> NumberForms.parse("9".repeat(10_000)));
        assertThat(bad.at("adapter").value()).hasSizeLessThan(100).contains("10000 characters");
    }

    @Test
    void everyNumberIsReadAsItIsWritten() {
        assertThat(IntStream.range(0, 256)).allSatisfy(number -> {
            var adapter = new AdapterNumber(number);
            var domain = new DomainNumber(number);
            assertThat(AdapterNumber.parse(adapter.toString())).isEqualTo(adapter);
            assertThat(DomainNumber.parse(domain.toString())).isEqualTo(domain);
            assertThat(NumberForms.parse(Integer.toString(number))).isEqualTo(number);
        });
        assertThat(new AdapterNumber(5)).hasToString("0x05");
        assertThat(new DomainNumber(0x47)).hasToString("0x0047");
    }

    @ParameterizedTest
    @ValueSource(strings = {"05.0047", "05.004A", "fF.00fF"})
    void readsQueuesOfEitherCase(String text) {
        assertThat(NumberForms.parseQueue(text)).hasToString(text.toLowerCase(java.util.Locale.ROOT));
        assertThat(NumberForms.parseQueue("05.0047")).isEqualTo(new Queue(5, 0x47));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "5.71",
                "05.47",
                "0x05.0x0047",
                "05-0047",
                "05.00477",
                "105.0047",
                "０5.0047",
                "05.0047 ",
                "+5.0047",
                "05.-047"
            })
    void refusesOtherFormsOfQueues(String text) {
        var bad = catchThrowableOfType(NumberException.class, () -> NumberForms.parseQueue(text));
        assertThat(bad.kind()).isEqualTo(ProblemKind.MALFORMED_NUMBER);
    }

    @Test
    void refusesQueuesOfDomainsThatCannotBe() {
        var bad = catchThrowableOfType(NumberException.class, () -> NumberForms.parseQueue("05.0100"));
        assertThat(bad.kind()).isEqualTo(ProblemKind.NUMBER_OUT_OF_RANGE);
    }

    @Test
    void readsMasksOf64DigitsOnly() {
        var mask = "0x" + "0".repeat(63) + "1";
        assertThat(NumberForms.parseMask(mask)).isEqualTo(ApMask.of(255));
        for (String other : new String[] {"", "0x1", mask + "0", mask.substring(2), mask.replace('1', 'g'), "+5"}) {
            var bad = catchThrowableOfType(NumberException.class, () -> NumberForms.parseMask(other));
            assertThat(bad.kind()).isEqualTo(ProblemKind.MALFORMED_NUMBER);
        }
    }

    private static ProblemKind kindOf(String text) {
        var bad = catchThrowableOfType(NumberException.class, () -> NumberForms.parse(text));
        assertThat(bad).as(text).isNotNull();
        return bad.kind();
    }
}
