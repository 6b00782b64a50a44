package io.apportion.server.push;

import io.apportion.postgresql.OnPostgresql;

@OnPostgresql
class AgentBodiesOnPostgresqlTests extends AgentBodiesTests {}
