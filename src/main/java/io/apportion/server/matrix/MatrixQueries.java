package io.apportion.server.matrix;

import io.apportion.ap.CommitState;
import io.apportion.server.store.AdapterRow;
import io.apportion.server.store.AgentRow;
import io.apportion.server.store.CommitObjectRow;
import io.apportion.server.store.CommitRow;
import io.apportion.server.store.EventPositions;
import io.apportion.server.store.EventRow;
import io.apportion.server.store.Events;
import io.apportion.server.store.ForeignMdevRow;
import io.apportion.server.store.HostRow;
import io.apportion.server.store.MdevRow;
import io.apportion.server.store.QueueDriverRow;
import jakarta.persistence.EntityManager;
import jakarta.persistence.TypedQuery;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.data.domain.Limit;
import org.springframework.stereotype.Service;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.TransactionDefinition;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * The readers: each call reads one consistent snapshot, takes no lock, and costs a fixed number of statements whatever the
 * number of mdevs and queues.
 */
@Service
public class MatrixQueries {

    private final Stores stores;
    private final Events events;
    private final Clock clock;
    private final TransactionTemplate snapshot;
    private final TransactionTemplate look;

    MatrixQueries(Stores stores, Events events, Clock clock, PlatformTransactionManager transactions) {
        this.stores = stores;
        this.events = events;
        this.clock = clock;
        this.snapshot = new TransactionTemplate(transactions);
        snapshot.setReadOnly(true);
        // On H2 only this level shows all tables as of the first statement; a reader cannot conflict with anything.
        snapshot.setIsolationLevel(TransactionDefinition.ISOLATION_SERIALIZABLE);
        this.look = new TransactionTemplate(transactions);
        look.setReadOnly(true);
    }

    /** Whether that host's agent was heard of in the last 30 s. */
    boolean agentConnected(String host) {
        Instant since = clock.instant().minus(Snapshots.AWAY_AFTER);
        return Objects.requireNonNull(look.execute(status -> stores.agents().countConnected(host, since) > 0));
    }

    /** Runs several reads on one snapshot. */
    <T> T inSnapshot(Supplier<T> reads) {
        return Objects.requireNonNull(snapshot.execute(status -> reads.get()));
    }

    /** One statement; may run in a transaction that writes. */
    Optional<String> nameOfHostOf(UUID mdev) {
        return Objects.requireNonNull(look.execute(status -> stores.hosts().nameOfHostOf(mdev)));
    }

    /**
     * Everything of one host.
     *
     * @throws NotDone.NotFound if there is none
     */
    public HostState host(String name) {
        HostState state = find(name);
        if (state == null) {
            throw new NotDone.NotFound("host " + name);
        }
        return state;
    }

    @Nullable
    HostState find(String name) {
        return snapshot.execute(status -> stores.hosts()
                .findByName(name)
                .map(row -> states(List.of(row), null).getFirst())
                .orElse(null));
    }

    /** Of those of these hosts that there are, in one statement. */
    public List<HostNumbers> numbers(Collection<String> hosts) {
        return Objects.requireNonNull(look.execute(status -> stores.jdbc()
                .query(
                        "select name, incarnation, generation, session from hosts where name = any (?)",
                        statement -> statement.setArray(
                                1, statement.getConnection().createArrayOf("varchar", hosts.toArray())),
                        (row, index) -> new HostNumbers(
                                row.getString(1), row.getObject(2, UUID.class), row.getLong(3), row.getLong(4)))));
    }

    /** What a host would be at its creation. */
    HostState unborn(String name) {
        HostRow row = new HostRow();
        row.name = name;
        row.createdAt = clock.instant();
        return Snapshots.state(
                new Snapshots.Rows(row, null, List.of(), List.of(), List.of(), List.of()), clock.instant());
    }

    /** Hosts by name, only those after that name. */
    public List<HostState> hosts(@Nullable String after, int limit) {
        return inSnapshot(() -> states(
                stores.hosts().findByNameGreaterThanOrderByName(after == null ? "" : after, Limit.of(limit)), null));
    }

    /**
     * The host of that mdev.
     *
     * @throws NotDone.NotFound if there is none
     */
    public HostState hostOf(UUID mdev) {
        return inSnapshot(() -> host(nameOfHostOf(mdev).orElseThrow(() -> new NotDone.NotFound("mdev " + mdev))));
    }

    /**
     * Mdevs by UUID.
     *
     * @return each with its host, which holds at least this mdev, perhaps not its siblings
     */
    public List<MdevOnHost> mdevs(MdevSelection selection) {
        return inSnapshot(() -> {
            List<MdevRow> rows = selected(selection);
            List<Long> hostIds = rows.stream().map(row -> row.hostId).distinct().toList();
            Map<String, HostState> hosts =
                    states(hostIds.isEmpty() ? List.of() : stores.hosts().findByIdIn(hostIds), rows).stream()
                            .collect(Collectors.toMap(HostState::name, Function.identity()));
            Map<UUID, MdevOnHost> found = new HashMap<>();
            hosts.values()
                    .forEach(host ->
                            host.mdevs().values().forEach(mdev -> found.put(mdev.uuid(), new MdevOnHost(host, mdev))));
            return rows.stream()
                    .map(row -> Objects.requireNonNull(found.get(row.uuid)))
                    .toList();
        });
    }

    public record MdevOnHost(HostState host, MdevState mdev) {}

    private List<MdevRow> selected(MdevSelection selection) {
        StringBuilder jpql = new StringBuilder("select m from MdevRow m where 1 = 1");
        Map<String, Object> parameters = new LinkedHashMap<>();
        if (selection.host() != null) {
            jpql.append(" and m.hostId = (select h.id from HostRow h where h.name = :host)");
            parameters.put("host", selection.host());
        }
        List<String> terms = new ArrayList<>();
        if (selection.adapter() != null) {
            terms.add(Terms.adapter(selection.adapter()));
        }
        if (selection.domain() != null) {
            terms.add(Terms.domain(selection.domain()));
        }
        if (selection.label() != null) {
            terms.add(Terms.label(selection.label()));
        }
        for (int i = 0; i < terms.size(); i++) {
            jpql.append(" and m.uuid in (select t.mdev from MdevTermRow t where t.term = :term")
                    .append(i)
                    .append(')');
            parameters.put("term" + i, terms.get(i));
        }
        flag(jpql, parameters, "filtered", selection.filtered());
        flag(jpql, parameters, "drifted", selection.drifted());
        flag(jpql, parameters, "impaired", selection.impaired());
        flag(jpql, parameters, "atNextStartLess", selection.atNextStartLess());
        if (selection.after() != null) {
            jpql.append(" and m.uuid > :after");
            parameters.put("after", selection.after());
        }
        return query(MdevRow.class, jpql.append(" order by m.uuid"), parameters, selection.limit());
    }

    private static void flag(
            StringBuilder jpql, Map<String, Object> parameters, String field, @Nullable Boolean wanted) {
        if (wanted != null) {
            jpql.append(" and m.").append(field).append(" = :").append(field);
            parameters.put(field, wanted);
        }
    }

    private <T> List<T> query(Class<T> type, CharSequence jpql, Map<String, Object> parameters, int limit) {
        EntityManager entities = stores.entities();
        TypedQuery<T> query = entities.createQuery(jpql.toString(), type).setMaxResults(limit);
        parameters.forEach(query::setParameter);
        return query.getResultList();
    }

    /** @param only null: all mdevs of these hosts; otherwise these alone */
    private List<HostState> states(List<HostRow> hosts, @Nullable List<MdevRow> only) {
        if (hosts.isEmpty()) {
            return List.of();
        }
        List<Long> ids =
                hosts.stream().map(host -> Objects.requireNonNull(host.id)).toList();
        Map<Long, AgentRow> agents = stores.agents().findByHostIdIn(ids).stream()
                .collect(Collectors.toMap(agent -> agent.hostId, Function.identity()));
        Map<Long, List<AdapterRow>> adapters = byHost(stores.adapters().findByHostIdIn(ids), row -> row.hostId);
        Map<Long, List<QueueDriverRow>> drivers = byHost(stores.drivers().findByHostIdIn(ids), row -> row.hostId);
        Map<Long, List<ForeignMdevRow>> foreign = byHost(stores.foreign().findByHostIdIn(ids), row -> row.hostId);
        Map<Long, List<MdevRow>> mdevs =
                byHost(only == null ? stores.mdevs().findByHostIdIn(ids) : only, row -> row.hostId);
        Instant now = clock.instant();
        return hosts.stream()
                .map(host -> Snapshots.state(
                        new Snapshots.Rows(
                                host,
                                agents.get(host.id),
                                adapters.getOrDefault(host.id, List.of()),
                                drivers.getOrDefault(host.id, List.of()),
                                foreign.getOrDefault(host.id, List.of()),
                                mdevs.getOrDefault(host.id, List.of())),
                        now))
                .toList();
    }

    private static <T> Map<Long, List<T>> byHost(Collection<T> rows, Function<T, Long> hostId) {
        return rows.stream().collect(Collectors.groupingBy(hostId));
    }

    /**
     * Commits, newest first.
     *
     * @param before only commits with a smaller id
     * @param state of at least one of the objects
     */
    public List<CommitRecord> commits(
            @Nullable String host, @Nullable UUID mdev, @Nullable CommitState state, @Nullable Long before, int limit) {
        StringBuilder jpql = new StringBuilder("select c from CommitRow c where 1 = 1");
        Map<String, Object> parameters = new LinkedHashMap<>();
        if (host != null) {
            jpql.append(" and c.hostId = (select h.id from HostRow h where h.name = :host)");
            parameters.put("host", host);
        }
        if (mdev != null) {
            jpql.append(" and c.id in (select o.commitId from CommitObjectRow o where o.kind = 'mdev' and o.object ="
                    + " :mdev)");
            parameters.put("mdev", mdev.toString());
        }
        if (state != null) {
            jpql.append(" and c.id in (select o.commitId from CommitObjectRow o where o.state = :state)");
            parameters.put("state", state);
        }
        if (before != null) {
            jpql.append(" and c.id < :before");
            parameters.put("before", before);
        }
        jpql.append(" order by c.id desc");
        return inSnapshot(() -> records(query(CommitRow.class, jpql, parameters, limit)));
    }

    /** @throws NotDone.NotFound if there is none */
    public CommitRecord commit(long id) {
        return inSnapshot(() -> stores.commits()
                .findById(id)
                .map(row -> records(List.of(row)).getFirst())
                .orElseThrow(() -> new NotDone.NotFound("commit " + id)));
    }

    private List<CommitRecord> records(List<CommitRow> commits) {
        if (commits.isEmpty()) {
            return List.of();
        }
        Map<Long, List<CommitObjectRow>> objects = stores
                .objects()
                .findByCommitIdIn(commits.stream()
                        .map(row -> Objects.requireNonNull(row.id))
                        .toList())
                .stream()
                .collect(Collectors.groupingBy(row -> row.commitId));
        Map<Long, String> hosts =
                stores
                        .hosts()
                        .findByIdIn(commits.stream()
                                .map(row -> row.hostId)
                                .distinct()
                                .toList())
                        .stream()
                        .collect(Collectors.toMap(row -> Objects.requireNonNull(row.id), row -> row.name));
        return commits.stream()
                .map(row -> new CommitRecord(
                        Objects.requireNonNull(row.id),
                        Objects.requireNonNull(hosts.get(row.hostId)),
                        row.generation,
                        row.storedAt,
                        row.actor,
                        row.requestId,
                        row.cause,
                        objects.getOrDefault(row.id, List.of()).stream()
                                .map(object -> new CommitRecord.ObjectRecord(
                                        object.kind,
                                        object.object,
                                        object.state,
                                        object.errno,
                                        object.words,
                                        object.settledAt))
                                .sorted(Comparator.comparing(CommitRecord.ObjectRecord::kind)
                                        .thenComparing(CommitRecord.ObjectRecord::object))
                                .toList()))
                .toList();
    }

    /**
     * Events in the order of their positions.
     *
     * @param after only later ones; null: from the oldest there is
     * @throws NotDone.Gone if events after that position were already pruned, or if this database never gave it: one that
     *     was lost did, before this one was restored from a backup, and who resumes there has seen what never was
     */
    public List<EventRecord> events(
            @Nullable String host, @Nullable UUID mdev, @Nullable String type, @Nullable Long after, int limit) {
        return inSnapshot(() -> {
            if (after != null) {
                checkGiven(after);
            }
            return listEvents(host, mdev, type, after, limit);
        });
    }

    private void checkGiven(long position) {
        EventPositions given = events.positions(position);
        String detail;
        if (position < given.getPruned()) {
            detail = "Positions up to " + given.getPruned() + " were pruned.";
        } else if (position > given.getNewest()) {
            detail = "Position " + position + " was never given, the newest is " + given.getNewest()
                    + ": the database must have been restored from a backup.";
        } else if (given.getKept() != null) {
            detail = "Position " + position
                    + " was given by a database that was lost. The backup from which this one was"
                    + " restored has events up to " + given.getKept() + "; what came after them was lost.";
        } else {
            return;
        }
        Long oldest = events.oldest();
        throw new NotDone.Gone(detail, oldest == null ? given.getNewest() + 1 : oldest);
    }

    /** The position of the newest event, pruned or not; 0: there was none. */
    public long newestEvent() {
        return Objects.requireNonNull(look.execute(status -> events.newest()));
    }

    private List<EventRecord> listEvents(
            @Nullable String host, @Nullable UUID mdev, @Nullable String type, @Nullable Long after, int limit) {
        StringBuilder jpql = new StringBuilder("select e from EventRow e where e.position > :after");
        Map<String, Object> parameters = new LinkedHashMap<>();
        parameters.put("after", after == null ? 0L : after);
        if (host != null) {
            jpql.append(" and e.host = :host");
            parameters.put("host", host);
        }
        if (mdev != null) {
            jpql.append(" and e.mdev = :mdev");
            parameters.put("mdev", mdev);
        }
        if (type != null) {
            jpql.append(" and e.type = :type");
            parameters.put("type", type);
        }
        return query(EventRow.class, jpql.append(" order by e.position"), parameters, limit).stream()
                .map(row -> new EventRecord(
                        Objects.requireNonNull(row.position),
                        row.at,
                        row.type,
                        row.host,
                        row.mdev,
                        row.guest,
                        row.actor,
                        row.requestId,
                        row.cause,
                        row.detail,
                        row.beforeState,
                        row.afterState))
                .toList();
    }
}
