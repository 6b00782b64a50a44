package io.apportion.server.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.server.ServerApplication;
import io.apportion.server.matrix.MatrixService.Mode;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.jdbc.core.JdbcTemplate;

/** This replica remembers on which host an mdev is, while another one changes that. */
@SpringBootTest(
        classes = ServerApplication.class,
        webEnvironment = SpringBootTest.WebEnvironment.MOCK,
        properties = "spring.datasource.url=jdbc:h2:mem:matrix-room")
class RememberedHostTests {

    private static final Mode PLAINLY = new Mode(Preconditions.NONE, false, false, Caller.SERVER);
    private static final AtomicInteger HOSTS = new AtomicInteger();

    @Autowired
    MatrixService service;

    @Autowired
    MatrixQueries queries;

    @Autowired
    JdbcTemplate jdbc;

    private final UUID mdev = UUID.randomUUID();
    private String here = "";
    private String elsewhere = "";

    @BeforeEach
    void rememberAnMdev() {
        here = newHost();
        elsewhere = newHost();
        service.createMdev(mdev, new MdevSettings(here, null, Matrix.EMPTY), PLAINLY);
        assign(1);
    }

    private String newHost() {
        String name = "remembered" + HOSTS.incrementAndGet();
        service.putHost(name, new HostSettings(null, null, null, null, null), PLAINLY);
        return name;
    }

    private Written assign(int adapter) {
        return service.assign(mdev, new Matrix(ApMask.of(adapter), ApMask.NONE, ApMask.NONE), PLAINLY);
    }

    @Test
    void followsAnMdevThatWasMadeAnewElsewhere() {
        jdbc.update("update mdevs set host_id = (select id from hosts where name = ?) where uuid = ?", elsewhere, mdev);

        for (int adapter = 2; adapter < 5; adapter++) {
            assertThat(assign(adapter).after().name()).isEqualTo(elsewhere);
        }

        assertThat(queries.hostOf(mdev).mdevs().get(mdev).mdev().assigned().adapters())
                .isEqualTo(ApMask.of(1, 2, 3, 4));
        assertThat(queries.host(here).mdevs()).isEmpty();
    }

    @Test
    void findsNoMdevThatWasDeleted() {
        jdbc.update("delete from mdevs where uuid = ?", mdev);

        for (int time = 0; time < 2; time++) {
            assertThatThrownBy(() -> assign(2)).isInstanceOf(NotDone.NotFound.class);
        }
    }

    @Test
    void findsNoMdevOfAHostThatWasDeleted() {
        jdbc.update("delete from mdevs where uuid = ?", mdev);
        service.deleteHost(here, PLAINLY);

        assertThatThrownBy(() -> assign(2)).isInstanceOf(NotDone.NotFound.class);
    }

    @Test
    void saysWhereAnMdevIsBeforeItSaysThatThereIsNoSuchHost() {
        assertThatThrownBy(() -> service.createMdev(mdev, new MdevSettings("nowhere", null, Matrix.EMPTY), PLAINLY))
                .isInstanceOf(NotDone.MdevElsewhere.class);
        assertThatThrownBy(() -> service.adopt("nowhere", mdev, PLAINLY)).isInstanceOf(NotDone.MdevElsewhere.class);
    }
}
