package io.apportion.endtoend;

import io.apportion.postgresql.Postgresql;

class RestoreOnPostgresqlTests extends RestoreTests {

    private String database = Postgresql.newDatabase();
    private String backup = "";

    @Override
    String database() {
        return database;
    }

    @Override
    void backUp() {
        backup = Postgresql.copyOf(database);
    }

    @Override
    void restore() {
        database = backup;
    }
}
