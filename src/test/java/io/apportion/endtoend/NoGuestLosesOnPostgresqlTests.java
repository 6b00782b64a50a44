package io.apportion.endtoend;

import io.apportion.postgresql.OnPostgresql;

@OnPostgresql
class NoGuestLosesOnPostgresqlTests extends NoGuestLosesTests {

    NoGuestLosesOnPostgresqlTests() {
        super(100);
    }
}
