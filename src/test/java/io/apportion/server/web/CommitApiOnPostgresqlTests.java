package io.apportion.server.web;

import io.apportion.postgresql.OnPostgresql;

@OnPostgresql
class CommitApiOnPostgresqlTests extends CommitApiTests {}
