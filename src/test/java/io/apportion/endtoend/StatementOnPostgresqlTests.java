package io.apportion.endtoend;

import io.apportion.postgresql.OnPostgresql;

@OnPostgresql
class StatementOnPostgresqlTests extends StatementTests {}
