package io.apportion.server.matrix;

import io.apportion.postgresql.OnPostgresql;

@OnPostgresql
class EventNumberingOnPostgresqlTests extends EventNumberingTests {}
