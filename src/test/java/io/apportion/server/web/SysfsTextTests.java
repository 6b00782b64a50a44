package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import org.junit.jupiter.api.Test;

class SysfsTextTests {

    private static final ApMask ADAPTERS = ApMask.of(0x04, 0xfe);
    private static final ApMask DOMAINS = ApMask.of(0x04, 0x47);

    @Test
    void listsQueues() {
        assertThat(SysfsText.of(new Matrix(ADAPTERS, DOMAINS, ApMask.ALL)))
                .isEqualTo("04.0004\n04.0047\nfe.0004\nfe.0047\n");
    }

    @Test
    void listsAdaptersWithoutDomains() {
        assertThat(SysfsText.of(new Matrix(ADAPTERS, ApMask.NONE, ApMask.NONE))).isEqualTo("04.\nfe.\n");
    }

    @Test
    void listsDomainsWithoutAdapters() {
        assertThat(SysfsText.of(new Matrix(ApMask.NONE, DOMAINS, ApMask.NONE))).isEqualTo(".0004\n.0047\n");
    }

    @Test
    void isEmptyForAnEmptyMatrix() {
        assertThat(SysfsText.of(new Matrix(ApMask.NONE, ApMask.NONE, ApMask.ALL)))
                .isEmpty();
    }
}
