package io.apportion.agent.sysfs;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SysfsTextTests {

    @Test
    void changesMasksByListsOnly() {
        assertThat(SysfsText.relative(ApMask.of(5), false)).isEqualTo("-0x05");
        assertThat(SysfsText.relative(ApMask.of(0, 1, 2, 0x47, 254, 255), true))
                .isEqualTo("+0x00-0x02,+0x47,+0xfe-0xff");
        assertThat(SysfsText.relative(ApMask.ALL, true)).isEqualTo("+0x00-0xff");
    }

    @ParameterizedTest
    @ValueSource(strings = {"not supported\n", "", "\n", "0x00\n", "5\n", "0xzz"})
    void guessesNoMask(String text) {
        assertThat(SysfsText.mask(text)).isNull();
        assertThat(SysfsText.configuration(text + "," + text + "," + text)).isNull();
    }

    @Test
    void readsBackWhatItWrites() {
        Matrix matrix = new Matrix(ApMask.of(0, 255), ApMask.of(4), ApMask.NONE);
        String text = SysfsText.configuration(matrix);
        assertThat(text).hasSize(201).endsWith("\n");
        assertThat(SysfsText.configuration(text)).isEqualTo(matrix);
    }

    @ParameterizedTest
    @ValueSource(strings = {"05\n", "05.0047\nxy.0047\n", "05.10000\n", "100.0047\n"})
    void guessesNoRectangle(String text) {
        assertThat(SysfsText.rectangle(text)).isNull();
    }
}
