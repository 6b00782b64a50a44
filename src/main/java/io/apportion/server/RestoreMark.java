package io.apportion.server;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import javax.sql.DataSource;
import org.springframework.boot.Banner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.flyway.autoconfigure.FlywayAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.support.JdbcTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * Marks a restored database, so that nothing that the lost one gave out is ever taken for something else. Run it after a
 * restore and before the server starts; the server must not be running.
 *
 * <p>Each host gets a new incarnation, under which its agent first reports and then applies what it is given, however old
 * that is. Mdevs get new tags, so that no change is made on what somebody read of the lost database. Positions of events,
 * ids of commits and numbers of sessions go on far above all that the lost database can have given: whoever still holds
 * one is told that it is gone or unknown, never something else under the same number.
 *
 * <p>How far the lost database had come, nobody knows. But each of those numbers starts at 0 or at such a mark, and no
 * server makes a million events in a second, year after year: so the clock, in microseconds, is above all of them, and
 * stays below 2<sup>53</sup>, up to which JSON's readers count exactly, until the year 2255.
 */
@ImportAutoConfiguration({DataSourceAutoConfiguration.class, FlywayAutoConfiguration.class})
public final class RestoreMark {

    /** Should the clock be behind an earlier mark: more than all events since then. */
    private static final long FAR = 1_000_000_000_000L;

    private RestoreMark() {}

    public static void main(String[] args) {
        try (var context = new SpringApplicationBuilder(RestoreMark.class)
                .web(WebApplicationType.NONE)
                .bannerMode(Banner.Mode.OFF)
                .properties(Map.of("logging.level.root", "warn"))
                .run(args)) {
            DataSource source = context.getBean(DataSource.class);
            JdbcClient database = JdbcClient.create(source);
            long newest = newestPosition(database);
            Instant now = Instant.now();
            long clock = ChronoUnit.MICROS.between(Instant.EPOCH, now);
            long far = clock > newest ? clock : newest + FAR;
            // By itself, as it ends a transaction. Should it be all that is done, it does no harm.
            database.sql("alter sequence commits_seq restart with " + far).update();
            int hosts = Objects.requireNonNull(new TransactionTemplate(new JdbcTransactionManager(source))
                    .execute(status -> mark(database, newest, far, now)));
            System.out.println("Marked " + hosts + " hosts: their agents report before they apply. Events go on above "
                    + far + ".");
        }
    }

    private static long newestPosition(JdbcClient database) {
        return database.sql("select newest from event_positions")
                .query(Long.class)
                .single();
    }

    private static int mark(JdbcClient database, long newest, long far, Instant now) {
        database.sql("insert into lost_positions (kept, resumed) values (?, ?)")
                .params(newest, far)
                .update();
        database.sql("update event_positions set newest = ?").params(far).update();
        database.sql("update mdevs set born = ?").params(now.toEpochMilli()).update();
        List<Long> hosts = database.sql("select id from hosts")
                .query((row, number) -> row.getLong(1))
                .list();
        for (Long host : hosts) {
            // Without a digest, the first report is taken whole; it is the first of its session, so it has number 1.
            database.sql("update hosts set incarnation = ?, applied_generation = null, digest = null, sequence = 0,"
                            + " session = greatest(session, ?) + 1 where id = ?")
                    .params(UUID.randomUUID(), far, host)
                    .update();
        }
        return hosts.size();
    }
}
