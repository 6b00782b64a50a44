package io.apportion.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.apportion.agent.HostKernel;
import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.endtoend.LiveServer.RunningHost;
import io.apportion.server.RestoreMark;
import io.apportion.simulator.SimulatedHost;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.jdbc.core.JdbcTemplate;

/** A backup is restored while the hosts' agents run on, which know and have applied what came after it. */
class RestoreTests {

    private static final Duration LONG = Duration.ofMinutes(2);

    /** What changes the host, of the port. */
    private static final Set<String> WRITES = Set.of(
            "create",
            "remove",
            "configure",
            "assignAdapter",
            "unassignAdapter",
            "assignDomain",
            "unassignDomain",
            "assignControlDomain",
            "unassignControlDomain",
            "unbind",
            "bind",
            "override",
            "changeApmask",
            "changeAqmask");

    @TempDir
    Path folder;

    private int port;
    private ConfigurableApplicationContext context;
    private LiveServer server;

    private volatile boolean restored;
    private final List<String> writtenBeforeAReport = new CopyOnWriteArrayList<>();

    String database() {
        return "jdbc:h2:file:" + folder.resolve("db") + ";WRITE_DELAY=0";
    }

    /** While no server runs. */
    void backUp() throws Exception {
        Files.copy(folder.resolve("db.mv.db"), folder.resolve("backup"));
    }

    void restore() throws Exception {
        Files.copy(folder.resolve("backup"), folder.resolve("db.mv.db"), StandardCopyOption.REPLACE_EXISTING);
    }

    private void start() {
        context = new SpringApplicationBuilder(LiveServer.class)
                .run("--spring.datasource.url=" + database(), "--server.port=" + port);
        server = context.getBean(LiveServer.class);
    }

    private static SimulatedHost machine() {
        return SimulatedHost.builder()
                .cards(0, 1, 2, 3, 4)
                .domains(0, 1, 2)
                .allForGuests()
                .build();
    }

    /** That machine, where each write after the restore notes whether the server had a report by then. */
    private HostKernel watched(String name, SimulatedHost machine) {
        return (HostKernel) Proxy.newProxyInstance(
                HostKernel.class.getClassLoader(), new Class<?>[] {HostKernel.class}, (proxy, method, arguments) -> {
                    if (restored && WRITES.contains(method.getName())) {
                        Long reports = context.getBean(JdbcTemplate.class)
                                .queryForObject("select sequence from hosts where name = ?", Long.class, name);
                        if (Objects.requireNonNull(reports) == 0) {
                            writtenBeforeAReport.add(name + ": " + method.getName());
                        }
                    }
                    try {
                        return method.invoke(machine, arguments);
                    } catch (InvocationTargetException thrown) {
                        throw thrown.getCause();
                    }
                });
    }

    private RunningHost host() throws Exception {
        SimulatedHost machine = machine();
        String name = server.newHost("{}");
        return server.run(name, machine, watched(name, machine));
    }

    private static Matrix matrix(int adapter, int... domains) {
        return new Matrix(ApMask.of(adapter), ApMask.of(domains), ApMask.NONE);
    }

    private static List<ObservedMdev> mdevs(RunningHost host) {
        return Objects.requireNonNull(host.machine.read().mdevs());
    }

    private static Set<UUID> there(RunningHost host) {
        return mdevs(host).stream().map(ObservedMdev::uuid).collect(Collectors.toSet());
    }

    private static ObservedMdev mdev(RunningHost host, UUID uuid) {
        return mdevs(host).stream()
                .filter(mdev -> mdev.uuid().equals(uuid))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void hostsBecomeWhatTheRestoredDatabaseSays() throws Exception {
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        start();
        UUID foreign = UUID.randomUUID();
        try (RunningHost one = host();
                RunningHost two = host()) {
            one.machine.createForeign(foreign, matrix(4, 0, 1));
            UUID used = one.newMdev(matrix(0, 0, 1));
            UUID replaced = one.newMdev(matrix(1, 0));
            one.awaitSettled();
            one.machine.openGuest("vm1", used);
            one.awaitSettled();
            context.close();
            backUp();

            start();
            RunningHost first = server.again(one);
            RunningHost second = server.again(two);
            server.change("DELETE", "/api/v1/mdevs/" + replaced, null);
            first.awaitSettled();
            UUID replacing = first.newMdev(matrix(1, 0));
            server.change("PUT", "/api/v1/mdevs/" + used + "/adapters/2", null);
            UUID running = first.newMdev(matrix(3, 0));
            UUID adopted = first.newMdev(matrix(3, 1));
            UUID elsewhere = second.newMdev(matrix(0, 0));
            first.awaitSettled();
            second.awaitSettled();
            first.machine.openGuest("vm2", running);
            first.machine.openGuest("vm3", adopted);
            first.awaitSettled();
            assertThat(there(one)).containsExactlyInAnyOrder(foreign, used, replacing, running, adopted);
            assertThat(mdev(one, used).guestMatrix().adapters()).isEqualTo(ApMask.of(0, 2));
            context.close();

            restore();
            RestoreMark.main(new String[] {"--spring.datasource.url=" + database()});
            restored = true;
            start();
            RunningHost again = server.again(one);
            server.again(two).awaitSettled();
            again.awaitSettled();

            assertThat(writtenBeforeAReport).isEmpty();
            await().atMost(LONG).untilAsserted(() -> {
                // A guest runs on one that this database knows nothing of: nobody takes it away from under it.
                assertThat(there(one)).containsExactlyInAnyOrder(foreign, used, replaced, running, adopted);
                assertThat(there(two)).doesNotContain(elsewhere);
            });
            assertThat(mdev(one, used).guestMatrix().adapters()).isEqualTo(ApMask.of(0));
            assertThat(mdev(one, used).guest()).as("its guest runs on").isNotNull();
            assertThat(mdev(one, replaced).assigned()).isEqualTo(matrix(1, 0));
            assertThat(mdev(one, foreign).assigned()).isEqualTo(matrix(4, 0, 1));
            noQueueIsInTwo(one);

            assertThat(server.call(
                                    "PUT",
                                    "/api/v1/mdevs/" + UUID.randomUUID(),
                                    "{\"host\":\"%s\",\"adapters\":[3],\"domains\":[0]}".formatted(one.name))
                            .status())
                    .as("what the guest has is in use")
                    .isEqualTo(409);
            server.change("POST", "/api/v1/hosts/" + one.name + "/foreign-mdevs/" + adopted + "/adopt", null);
            one.machine.closeGuest("vm2");
            one.machine.closeGuest("vm3");
            await().atMost(LONG).untilAsserted(() -> assertThat(there(one)).doesNotContain(running));
            again.awaitSettled();
            assertThat(there(one)).as("what was adopted stays").contains(adopted);
        } finally {
            context.close();
        }
    }

    private static void noQueueIsInTwo(RunningHost host) {
        Set<Queue> held = new HashSet<>();
        for (ObservedMdev mdev : mdevs(host)) {
            mdev.assigned()
                    .queues()
                    .queues()
                    .forEach(queue -> assertThat(held.add(queue))
                            .as("%s is in one mdev", queue)
                            .isTrue());
        }
    }
}
