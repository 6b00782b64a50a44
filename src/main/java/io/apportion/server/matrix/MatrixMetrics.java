package io.apportion.server.matrix;

import io.apportion.ap.CommitState;
import io.apportion.server.matrix.HostMeasures.Measure;
import io.apportion.server.matrix.HostMeasures.Plugs;
import io.apportion.server.matrix.HostMeasures.Reading;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.DisposableBean;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.context.event.EventListener;
import org.springframework.stereotype.Component;

/**
 * The metrics of hosts. They are collected at each scrape, not registered one by one: so a host that was deleted is gone
 * from them.
 */
@Component
class MatrixMetrics implements MultiCollector, DisposableBean {

    private static final Logger LOG = LoggerFactory.getLogger(MatrixMetrics.class);

    private record Result(String host, CommitState state) {}

    /** A database that is lost makes the metrics late first, and the log has it from others. */
    private static final Duration JUST_NOW = Duration.ofSeconds(10);

    private final HostMeasures measures;
    private final DatabaseWatch watch;
    private final Clock clock;
    private final ObjectProvider<PrometheusRegistry> registry;
    private final Timer applied;

    /** Of this replica, since it started: Prometheus adds up the replicas and knows restarts. */
    private final Map<Result, LongAdder> commits = new ConcurrentHashMap<>();

    MatrixMetrics(
            HostMeasures measures,
            DatabaseWatch watch,
            Clock clock,
            MeterRegistry meters,
            ObjectProvider<PrometheusRegistry> registry) {
        this.measures = measures;
        this.watch = watch;
        this.clock = clock;
        this.registry = registry;
        this.applied = Timer.builder("apportion.commit")
                .description("From a commit's being stored to its being applied on the host")
                .publishPercentileHistogram()
                .maximumExpectedValue(Duration.ofMinutes(5))
                .register(meters);
        registry.ifAvailable(present -> present.register(this));
    }

    @Override
    public void destroy() {
        registry.ifAvailable(present -> present.unregister(this));
    }

    @EventListener
    void changed(MatrixChanged changed) {
        for (MatrixChanged.Settled commit : changed.settled()) {
            commits.computeIfAbsent(new Result(changed.host(), commit.state()), result -> new LongAdder())
                    .increment();
            if (commit.state() == CommitState.APPLIED) {
                applied.record(commit.after());
            }
        }
    }

    @Override
    public MetricSnapshots collect() {
        Reading reading;
        try {
            reading = measures.read();
        } catch (HostMeasures.CannotBeRead databaseAway) {
            // The other metrics of the process are worth most just now.
            if (watch.heed(databaseAway) == null && !watch.faultWithin(JUST_NOW)) {
                LOG.warn("The metrics of hosts could not be read: {}", databaseAway.toString());
            }
            return new MetricSnapshots(databaseUp(0));
        }
        return new MetricSnapshots(
                databaseUp(watch.isWell() ? 1 : 0),
                plugs(
                        reading,
                        "apportion_guest_plugs",
                        "Adapters, domains and control domains that entered guest matrices of attached guests",
                        Plugs::plugs),
                plugs(
                        reading,
                        "apportion_guest_unplugs",
                        "Adapters, domains and control domains that left guest matrices of attached guests",
                        Plugs::unplugs),
                commits(reading),
                gauge(reading, "apportion_mdevs", "Mdevs of the host", Measure::mdevs),
                gauge(
                        reading,
                        "apportion_mdevs_filtered",
                        "Mdevs of which something assigned is not in the guest matrix",
                        Measure::filtered),
                gauge(
                        reading,
                        "apportion_mdevs_drifted",
                        "Mdevs that were applied and that the host shows otherwise",
                        Measure::drifted),
                gauge(
                        reading,
                        "apportion_host_drifted",
                        "1 while a managed reservation or driver was applied and the host shows it otherwise, else 0",
                        host -> host.hostDrifted() ? 1 : 0),
                gauge(
                        reading,
                        "apportion_host_paused",
                        "1 while the host's policy is paused, so that nothing is pushed to it, else 0",
                        host -> host.paused() ? 1 : 0),
                queues(reading),
                gauge(
                        reading,
                        "apportion_guest_queues",
                        "Queues in guest matrices of attached guests",
                        Measure::guestQueues),
                gauge(
                        reading,
                        "apportion_guest_queues_impaired",
                        "Those of apportion_guest_queues that are there and useless",
                        Measure::guestQueuesImpaired),
                gauge(
                        reading,
                        "apportion_guest_queues_lost",
                        "Queues that attached guests had, are assigned still and have no more, though nobody took them"
                                + " away: hardware or the host did",
                        Measure::guestQueuesLost),
                gauge(
                        reading,
                        "apportion_commits_failed",
                        "Commits of which something failed on the host and was neither applied nor changed since",
                        Measure::failed),
                gauge(
                        reading,
                        "apportion_commits_pending",
                        "Commits that the host has not wholly reported",
                        Measure::pending),
                gauge(
                        reading,
                        "apportion_agent_connected",
                        "1 while the host's agent was heard in the last 30 seconds, else 0",
                        this::connected),
                lastSeen(reading));
    }

    private static GaugeSnapshot databaseUp(double up) {
        return GaugeSnapshot.builder()
                .name("apportion_database_up")
                .help("1 while this server can read and change its database, else 0; while it cannot even read, the"
                        + " metrics of hosts are not there")
                .dataPoint(point(Labels.EMPTY, up))
                .build();
    }

    private static CounterSnapshot plugs(Reading reading, String name, String help, ToLongFunction<Plugs> count) {
        CounterSnapshot.Builder counter = CounterSnapshot.builder().name(name).help(help);
        for (Plugs plugs : reading.plugs()) {
            counter.dataPoint(CounterDataPointSnapshot.builder()
                    .labels(Labels.of("host", plugs.host(), "kind", plugs.kind(), "cause", plugs.cause()))
                    .value((double) count.applyAsLong(plugs))
                    .build());
        }
        return counter.build();
    }

    private CounterSnapshot commits(Reading reading) {
        Set<String> hosts = reading.hosts().stream().map(Measure::host).collect(Collectors.toSet());
        // A host that was made after the reading settles its first commit later than that: what is not there was
        // deleted.
        commits.keySet().removeIf(result -> !hosts.contains(result.host()));
        CounterSnapshot.Builder counter = CounterSnapshot.builder()
                .name("apportion_commits")
                .help("Commits that came to an end, by result: applied, failed or superseded."
                        + " One that failed may still be applied later, and then counts twice");
        commits.forEach((result, count) -> counter.dataPoint(CounterDataPointSnapshot.builder()
                .labels(Labels.of(
                        "host", result.host(), "result", result.state().toString()))
                .value((double) count.sum())
                .build()));
        return counter.build();
    }

    private static GaugeSnapshot gauge(Reading reading, String name, String help, ToDoubleFunction<Measure> value) {
        GaugeSnapshot.Builder gauge = GaugeSnapshot.builder().name(name).help(help);
        for (Measure host : reading.hosts()) {
            gauge.dataPoint(point(Labels.of("host", host.host()), value.applyAsDouble(host)));
        }
        return gauge.build();
    }

    private static GaugeSnapshot queues(Reading reading) {
        GaugeSnapshot.Builder gauge = GaugeSnapshot.builder()
                .name("apportion_queues")
                .help("Queue devices of the host by state. Each is either bound (to vfio_ap), default (bound to a"
                        + " driver of the host) or driverless; impaired counts those among them that are there and"
                        + " useless");
        for (Measure host : reading.hosts()) {
            gauge.dataPoint(queues(host, "bound", host.bound()));
            gauge.dataPoint(queues(host, "default", host.defaultDriver()));
            gauge.dataPoint(queues(host, "driverless", host.devices() - host.bound() - host.defaultDriver()));
            gauge.dataPoint(queues(host, "impaired", host.impaired()));
        }
        return gauge.build();
    }

    private static GaugeDataPointSnapshot queues(Measure host, String state, long count) {
        return point(Labels.of("host", host.host(), "state", state), (double) count);
    }

    private double connected(Measure host) {
        Instant lastSeen = host.lastSeen();
        boolean connected = lastSeen != null
                && !host.away()
                && !lastSeen.isBefore(clock.instant().minus(Snapshots.AWAY_AFTER));
        return connected ? 1 : 0;
    }

    private GaugeSnapshot lastSeen(Reading reading) {
        GaugeSnapshot.Builder gauge = GaugeSnapshot.builder()
                .name("apportion_agent_last_seen_seconds")
                .help("For how long the host's agent was not heard; not there for one that never was."
                        + " What was heard is stored every 10 seconds");
        Instant now = clock.instant();
        for (Measure host : reading.hosts()) {
            if (host.lastSeen() != null) {
                double seconds = Duration.between(Objects.requireNonNull(host.lastSeen()), now)
                                .toMillis()
                        / 1000.0;
                gauge.dataPoint(point(Labels.of("host", host.host()), Math.max(0, seconds)));
            }
        }
        return gauge.build();
    }

    private static GaugeDataPointSnapshot point(Labels labels, double value) {
        return GaugeDataPointSnapshot.builder().labels(labels).value(value).build();
    }
}
