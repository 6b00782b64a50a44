package io.apportion.endtoend;

import io.apportion.postgresql.OnPostgresql;

@OnPostgresql
class NoGuestLosesOnPostgresqlTests extends NoGuestLosesTests {

    @Override
    long enough() {
        return 100;
    }
}
