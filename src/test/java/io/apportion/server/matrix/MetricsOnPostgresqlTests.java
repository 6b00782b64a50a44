package io.apportion.server.matrix;

import io.apportion.postgresql.OnPostgresql;

@OnPostgresql
class MetricsOnPostgresqlTests extends MetricsTests {}
