package io.apportion.endtoend;

import io.apportion.postgresql.OnPostgresql;

@OnPostgresql
class DriftOnPostgresqlTests extends DriftTests {}
