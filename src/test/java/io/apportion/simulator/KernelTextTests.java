package io.apportion.simulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.apportion.agent.KernelRefusal;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the recordings do not ask. */
class KernelTextTests {

    @ParameterizedTest
    @CsvSource({"71, 71", "+0x47, 71", "0X47, 71", "0107, 71", "0, 0", "18446744073709551615, -1"})
    void readsNumbersAsCDoes(String text, long number) throws KernelRefusal {
        assertThat(KernelText.parseNumber(text)).isEqualTo(number);
        assertThat(KernelText.parseNumber(text + "\n")).isEqualTo(number);
        assertThat(KernelText.parseNumber(text + "\0junk")).isEqualTo(number);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "18446744073709551616",
                "184467440737095516160",
                "0x10000000000000000junk",
                "99999999999999999999 "
            })
    void overflowWinsOverWhatFollowsTheDigits(String text) {
        refuses("ERANGE", () -> KernelText.parseNumber(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n", "+", "++1", "-1", " 4", "4 ", "08", "0x", "4\n\n", "4,", "\uff14"})
    void refusesWhatIsNoNumber(String text) {
        refuses("EINVAL", () -> KernelText.parseNumber(text));
    }

    @Test
    void masksAreAlignedLeft() throws KernelRefusal {
        assertThat(KernelText.parseMask("5")).isEqualTo(ApMask.of(1, 3));
        assertThat(KernelText.parseMask("x08\n")).isEqualTo(ApMask.of(4));
        assertThat(KernelText.parseMask("x")).isEqualTo(ApMask.NONE);
        assertThat(KernelText.parseMask("\n")).isEqualTo(ApMask.NONE);
        assertThat(KernelText.parseMask("0x" + "f".repeat(64))).isEqualTo(ApMask.ALL);
        refuses("EINVAL", () -> KernelText.parseMask("0x" + "f".repeat(65)));
        refuses("EINVAL", () -> KernelText.parseMask("0X08"));
    }

    @Test
    void relativeListsChangeWhatIsThere() throws KernelRefusal {
        ApMask before = ApMask.of(4, 5);
        assertThat(KernelText.changeMask(before, "+0x10-0x12,-4")).isEqualTo(ApMask.of(5, 16, 17, 18));
        assertThat(KernelText.changeMask(before, "+1-2-4")).isEqualTo(ApMask.of(1, 2, 5));
        assertThat(KernelText.changeMask(before, "-0-255,\n,+9\n")).isEqualTo(ApMask.of(9));
        assertThat(KernelText.changeMask(before, "4")).isEqualTo(ApMask.of(1));
        assertThat(KernelText.changeMask(before, "+18446744073709551623"))
                .as("simple_strtoul wraps at 64 bits")
                .isEqualTo(ApMask.of(4, 5, 7));
    }

    @ParameterizedTest
    @ValueSource(strings = {"+", "+256", "-5-3", "+4-", "+08", "+4, +5", "+4,,x", "+-4"})
    void refusesWhatIsNoList(String text) {
        refuses("EINVAL", () -> KernelText.changeMask(ApMask.NONE, text));
    }

    @Test
    void configurationIsCutAfter201Characters() throws KernelRefusal {
        String full = KernelText.configuration(new Matrix(ApMask.of(4), ApMask.ALL, ApMask.of(255)));
        assertThat(full).hasSize(201);
        assertThat(KernelText.parseConfiguration(full + "junk"))
                .isEqualTo(new Matrix(ApMask.of(4), ApMask.ALL, ApMask.of(255)));
        assertThat(KernelText.parseConfiguration(",,")).isEqualTo(Matrix.EMPTY);
        refuses("EINVAL", () -> KernelText.parseConfiguration("0,0"));
    }

    private interface Reading {
        void read() throws KernelRefusal;
    }

    private static void refuses(String errno, Reading reading) {
        assertThatExceptionOfType(KernelRefusal.class).isThrownBy(reading::read).returns(errno, KernelRefusal::errno);
    }
}
