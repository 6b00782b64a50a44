package io.apportion.server.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.postgresql.Postgresql;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.flywaydb.core.Flyway;
import org.junit.jupiter.api.Test;

/** The scripts for H2 and for PostgreSQL, told apart by nobody. */
class MigrationsTests {

    private static final Path SCRIPTS = Path.of("src/main/resources/db/migration");

    /** Types that hold the same. */
    private static final Map<String, String> WORDS = Map.ofEntries(
            Map.entry("int8", "bigint"),
            Map.entry("int4", "integer"),
            Map.entry("int2", "smallint"),
            Map.entry("bool", "boolean"),
            Map.entry("binary varying", "bytes"),
            Map.entry("bytea", "bytes"),
            Map.entry("character varying", "varchar"),
            Map.entry("timestamp with time zone", "instant"),
            Map.entry("timestamptz", "instant"));

    @Test
    void bothDatabasesHaveTheSameScripts() throws IOException {
        assertThat(scripts("postgresql")).isNotEmpty().isEqualTo(scripts("h2"));
    }

    private static Set<String> scripts(String vendor) throws IOException {
        try (Stream<Path> files = Files.list(SCRIPTS.resolve(vendor))) {
            return files.map(file -> file.getFileName().toString()).collect(Collectors.toCollection(TreeSet::new));
        }
    }

    @Test
    void bothDatabasesEndWithTheSameTables() throws SQLException {
        assertThat(tables(Postgresql.newDatabase(), "postgresql", "public"))
                .isNotEmpty()
                .isEqualTo(tables("jdbc:h2:mem:migrations;DB_CLOSE_DELAY=-1", "h2", "PUBLIC"));
    }

    /**
     * While a site is brought to the next release, replicas of this one still write into its tables: they have the columns
     * that they know, and can leave out those that they do not. Version 6 was the first that was released.
     */
    @Test
    void theReleaseBeforeWorksOnTheTablesOfTheNext() throws SQLException {
        String url = "jdbc:h2:mem:releases;DB_CLOSE_DELAY=-1";
        Map<String, Set<String>> before = tables(url, "h2", "PUBLIC", "6");
        Map<String, Set<String>> after = tables(url, "h2", "PUBLIC", "latest");

        before.forEach((table, facts) -> assertThat(after.get(table)).as(table).containsAll(facts));
        try (Connection connection = DriverManager.getConnection(url);
                ResultSet column = connection.getMetaData().getColumns(null, "PUBLIC", null, null)) {
            while (column.next()) {
                Set<String> known = before.get(lower(column.getString("TABLE_NAME")));
                String name = lower(column.getString("COLUMN_NAME"));
                if (known != null && known.stream().noneMatch(fact -> fact.startsWith("column " + name + " "))) {
                    assertThat(column.getInt("NULLABLE") != DatabaseMetaData.columnNoNulls
                                    || column.getString("COLUMN_DEF") != null)
                            .as(name + " may be left out")
                            .isTrue();
                }
            }
        }
    }

    @Test
    void replicasThatStartAtOnceMakeTheTablesOnce() throws Exception {
        String url = Postgresql.newDatabase();
        CyclicBarrier start = new CyclicBarrier(4);
        try (ExecutorService replicas = Executors.newFixedThreadPool(4)) {
            List<Future<Integer>> made = replicas.invokeAll(Collections.nCopies(4, () -> {
                start.await();
                return Flyway.configure()
                        .dataSource(url, null, null)
                        .locations("classpath:db/migration/postgresql")
                        .load()
                        .migrate()
                        .migrationsExecuted;
            }));
            int all = 0;
            for (Future<Integer> each : made) {
                all += each.get();
            }
            assertThat(all).isEqualTo(scripts("postgresql").size());
        }
    }

    private static Map<String, Set<String>> tables(String url, String vendor, String schema) throws SQLException {
        return tables(url, vendor, schema, "latest");
    }

    /** @return by table: its columns, keys and indexes, each as one line */
    private static Map<String, Set<String>> tables(String url, String vendor, String schema, String version)
            throws SQLException {
        Flyway.configure()
                .dataSource(url, null, null)
                .locations("classpath:db/migration/" + vendor)
                .target(version)
                .load()
                .migrate();
        Map<String, Set<String>> tables = new TreeMap<>();
        try (Connection connection = DriverManager.getConnection(url)) {
            DatabaseMetaData data = connection.getMetaData();
            try (ResultSet found = data.getTables(null, schema, null, null)) {
                while (found.next()) {
                    String table = found.getString("TABLE_NAME");
                    if (found.getString("TABLE_TYPE").endsWith("TABLE") && !table.equals("flyway_schema_history")) {
                        Set<String> facts = new TreeSet<>();
                        columns(data, schema, table, facts);
                        indexes(data, schema, table, facts);
                        foreignKeys(data, schema, table, facts);
                        tables.put(lower(table), facts);
                    }
                }
            }
        }
        return tables;
    }

    private static void columns(DatabaseMetaData data, String schema, String table, Set<String> facts)
            throws SQLException {
        try (ResultSet found = data.getColumns(null, schema, table, null)) {
            while (found.next()) {
                String type = lower(found.getString("TYPE_NAME"));
                String same = WORDS.getOrDefault(type, type);
                String length = same.equals("varchar") ? "(" + found.getInt("COLUMN_SIZE") + ")" : "";
                facts.add("column " + lower(found.getString("COLUMN_NAME")) + " " + same + length
                        + (found.getInt("NULLABLE") == DatabaseMetaData.columnNoNulls ? " not null" : ""));
            }
        }
    }

    private static void indexes(DatabaseMetaData data, String schema, String table, Set<String> facts)
            throws SQLException {
        Map<String, Map<Integer, String>> columns = new TreeMap<>();
        Set<String> unique = new TreeSet<>();
        try (ResultSet found = data.getIndexInfo(null, schema, table, false, true)) {
            while (found.next()) {
                String name = found.getString("INDEX_NAME");
                columns.computeIfAbsent(name, any -> new TreeMap<>())
                        .put(found.getInt("ORDINAL_POSITION"), lower(found.getString("COLUMN_NAME")));
                if (!found.getBoolean("NON_UNIQUE")) {
                    unique.add(name);
                }
            }
        }
        columns.forEach((name, of) -> {
            if (unique.contains(name)) {
                facts.add("unique index " + of.values());
            } else if (columns.values().stream().noneMatch(other -> isMore(other, of))) {
                facts.add("index " + of.values());
            }
        });
    }

    /** H2 makes an index for each foreign key, whatever others begin with the same column. */
    private static boolean isMore(Map<Integer, String> index, Map<Integer, String> than) {
        return index.size() > than.size() && index.entrySet().containsAll(than.entrySet());
    }

    private static void foreignKeys(DatabaseMetaData data, String schema, String table, Set<String> facts)
            throws SQLException {
        try (ResultSet found = data.getImportedKeys(null, schema, table)) {
            while (found.next()) {
                facts.add("foreign key " + lower(found.getString("FKCOLUMN_NAME")) + " to "
                        + lower(found.getString("PKTABLE_NAME"))
                        + (found.getInt("DELETE_RULE") == DatabaseMetaData.importedKeyCascade
                                ? " on delete cascade"
                                : ""));
            }
        }
    }

    private static String lower(String name) {
        return name.toLowerCase(Locale.ROOT);
    }
}
