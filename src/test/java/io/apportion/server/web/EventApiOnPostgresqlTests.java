package io.apportion.server.web;

import io.apportion.postgresql.OnPostgresql;

@OnPostgresql
class EventApiOnPostgresqlTests extends EventApiTests {}
