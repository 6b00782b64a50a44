package io.apportion.torture;

import java.nio.file.Path;

/** Says what is wrong in a record that was kept. */
final class Judge {
    public static void main(String[] records) throws Exception {
        for (String record : records) {
            System.out.println(record + ": " + Verdict.of(Path.of(record)));
        }
    }
}
