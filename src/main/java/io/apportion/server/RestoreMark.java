package io.apportion.server;

import java.util.List;
import java.util.Map;
import java.util.UUID;
import javax.sql.DataSource;
import org.springframework.boot.Banner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.jdbc.core.simple.JdbcClient;

/**
 * Marks a restored database: each host gets a new incarnation, under which its agent first reports and then applies what
 * it is given, however old that is. Run it after a restore and before the server starts; the server must not be running.
 */
@ImportAutoConfiguration(DataSourceAutoConfiguration.class)
public final class RestoreMark {

    private RestoreMark() {}

    public static void main(String[] args) {
        try (var context = new SpringApplicationBuilder(RestoreMark.class)
                .web(WebApplicationType.NONE)
                .bannerMode(Banner.Mode.OFF)
                .properties(Map.of("logging.level.root", "warn"))
                .run(args)) {
            JdbcClient database = JdbcClient.create(context.getBean(DataSource.class));
            List<UUID> hosts = database.sql("select incarnation from hosts")
                    .query((row, number) -> row.getObject(1, UUID.class))
                    .list();
            for (UUID host : hosts) {
                database.sql("update hosts set incarnation = ? where incarnation = ?")
                        .params(UUID.randomUUID(), host)
                        .update();
            }
            System.out.println("Marked " + hosts.size() + " hosts: their agents report before they apply.");
        }
    }
}
