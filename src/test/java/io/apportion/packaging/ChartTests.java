package io.apportion.packaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.marcnuri.helm.LintResult;
import io.apportion.packaging.KubernetesObjects.PrometheusRule;
import io.apportion.packaging.KubernetesObjects.ServiceMonitor;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HTTPGetAction;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.HostPathVolumeSource;
import io.fabric8.kubernetes.api.model.LabelSelector;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodSecurityContext;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.SecurityContext;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.api.model.networking.v1.Ingress;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What Helm makes of the chart with the values in {@code helm/apportion/ci}. The library that Helm is here is there for amd64
 * and arm64 only.
 */
@DisabledIfSystemProperty(named = "os.arch", matches = "s390x")
class ChartTests {

    private static final Map<String, String> RENDERED = new HashMap<>();
    private static final Map<String, KubernetesObjects> OBJECTS = new HashMap<>();

    private static final Pattern DNS_LABEL = Pattern.compile("[a-z]([-a-z0-9]{0,61}[a-z0-9])?");

    @TempDir
    static Path folder;

    private static Chart chart;

    @BeforeAll
    static void render() throws IOException {
        chart = Chart.copiedTo(folder);
        Path shown = Files.createDirectories(Path.of("target/helm"));
        for (String values : values()) {
            String rendered = chart.render(values, Map.of());
            RENDERED.put(values, rendered);
            Files.writeString(shown.resolve(values + ".yaml"), rendered);
            OBJECTS.put(values, KubernetesObjects.read(rendered));
        }
    }

    static List<String> values() throws IOException {
        try (Stream<Path> files = Files.list(Chart.SOURCE.resolve("ci"))) {
            return files.map(file -> file.getFileName().toString().replace("-values.yaml", ""))
                    .sorted()
                    .toList();
        }
    }

    private static KubernetesObjects objects(String values) {
        return Objects.requireNonNull(OBJECTS.get(values), values);
    }

    @Test
    void helmFindsNothingToComplainOf() {
        LintResult result = Chart.lint();
        assertThat(result.isFailed()).as("%s", result.getMessages()).isFalse();
        assertThat(result.getMessages())
                .allSatisfy(message -> assertThat(message).contains("[INFO] Chart.yaml: icon is recommended"));
    }

    @Test
    void anUnknownFieldWouldBeSeen() {
        String wrong = RENDERED.get("defaults").replace("enableServiceLinks:", "enableServiceLink:");
        assertThatThrownBy(() -> KubernetesObjects.read(wrong)).hasMessageContaining("enableServiceLink");
        String wrongType = RENDERED.get("defaults").replace("revisionHistoryLimit: 5", "revisionHistoryLimit: five");
        assertThatThrownBy(() -> KubernetesObjects.read(wrongType)).hasMessageContaining("five");
    }

    // Objects and what they name.

    @ParameterizedTest
    @MethodSource("values")
    void objectsHaveNamesOfTheirOwnAndTheCommonLabels(String values) {
        List<HasMetadata> all = objects(values).all();
        assertThat(all.stream()
                        .map(object ->
                                object.getKind() + " " + object.getMetadata().getName()))
                .doesNotHaveDuplicates();
        assertThat(all).allSatisfy(object -> {
            assertThat(object.getMetadata().getName()).matches(DNS_LABEL);
            assertThat(object.getMetadata().getNamespace()).isNull();
            assertThat(object.getMetadata().getLabels())
                    .containsEntry("app.kubernetes.io/instance", Chart.RELEASE)
                    .containsEntry("app.kubernetes.io/managed-by", "Helm")
                    .containsKeys(
                            "app.kubernetes.io/name",
                            "app.kubernetes.io/component",
                            "app.kubernetes.io/version",
                            "helm.sh/chart");
        });
    }

    @ParameterizedTest
    @MethodSource("values")
    void selectorsFindWhatTheyAreMeantFor(String values) {
        KubernetesObjects objects = objects(values);
        assertThat(objects.of(Deployment.class))
                .allSatisfy(deployment -> assertThat(
                                selected(objects, deployment.getSpec().getSelector()))
                        .containsExactly(deployment.getSpec().getTemplate()));
        assertThat(objects.of(DaemonSet.class))
                .allSatisfy(set -> assertThat(selected(objects, set.getSpec().getSelector()))
                        .containsExactly(set.getSpec().getTemplate()));
        assertThat(objects.of(PodDisruptionBudget.class))
                .allSatisfy(
                        budget -> assertThat(selected(objects, budget.getSpec().getSelector()))
                                .containsExactly(objects.pod("server")));
        assertThat(objects.of(NetworkPolicy.class))
                .allSatisfy(
                        policy -> assertThat(selected(objects, policy.getSpec().getPodSelector()))
                                .hasSize(1));
        assertThat(objects.of(Service.class)).allSatisfy(service -> {
            assertThat(selected(objects, service.getSpec().getSelector())).containsExactly(objects.pod("server"));
            assertThat(ports(objects.container("server")))
                    .containsAll(service.getSpec().getPorts().stream()
                            .map(port -> port.getTargetPort().getStrVal())
                            .toList());
        });
        assertThat(objects.of(Deployment.class))
                .allSatisfy(deployment -> assertThat(
                                deployment.getSpec().getTemplate().getSpec().getTopologySpreadConstraints())
                        .allSatisfy(spread -> assertThat(selected(objects, spread.getLabelSelector()))
                                .containsExactly(objects.pod("server"))));
    }

    private static List<PodTemplateSpec> selected(KubernetesObjects objects, LabelSelector selector) {
        assertThat(selector.getMatchExpressions()).isEmpty();
        return selected(objects, selector.getMatchLabels());
    }

    private static List<PodTemplateSpec> selected(KubernetesObjects objects, Map<String, String> labels) {
        assertThat(labels).isNotEmpty();
        return objects.pods().stream()
                .filter(pod -> pod.getMetadata().getLabels().entrySet().containsAll(labels.entrySet()))
                .toList();
    }

    private static List<String> ports(Container container) {
        return container.getPorts().stream().map(port -> port.getName()).toList();
    }

    @ParameterizedTest
    @MethodSource("values")
    void whatIsNamedIsThere(String values) {
        KubernetesObjects objects = objects(values);
        assertThat(objects.pods()).allSatisfy(pod -> {
            PodSpec spec = pod.getSpec();
            if (spec.getServiceAccountName() != null) {
                assertThat(objects.has(ServiceAccount.class, spec.getServiceAccountName()))
                        .isTrue();
            }
            Set<String> volumes =
                    spec.getVolumes().stream().map(Volume::getName).collect(Collectors.toSet());
            Set<String> mounted = spec.getContainers().stream()
                    .flatMap(container -> container.getVolumeMounts().stream())
                    .map(VolumeMount::getName)
                    .collect(Collectors.toSet());
            assertThat(mounted).isEqualTo(volumes);
            assertThat(spec.getVolumes()).allSatisfy(volume -> {
                if (volume.getProjected() != null) {
                    assertThat(volume.getProjected().getSources())
                            .filteredOn(source -> source.getConfigMap() != null)
                            .hasSize(volume.getName().equals("configuration") ? 1 : 0)
                            .allSatisfy(source -> assertThat(objects.has(
                                            ConfigMap.class,
                                            source.getConfigMap().getName()))
                                    .isTrue());
                }
                if (volume.getPersistentVolumeClaim() != null) {
                    assertThat(objects.has(
                                    PersistentVolumeClaim.class,
                                    volume.getPersistentVolumeClaim().getClaimName()))
                            .isTrue();
                }
            });
        });
        assertThat(objects.of(Ingress.class))
                .allSatisfy(ingress -> assertThat(ingress.getSpec()
                                .getRules()
                                .getFirst()
                                .getHttp()
                                .getPaths())
                        .allSatisfy(path -> assertThat(port(
                                        objects, path.getBackend().getService().getName()))
                                .isEqualTo(
                                        path.getBackend().getService().getPort().getName())));
        assertThat(objects.of(HTTPRoute.class))
                .allSatisfy(route -> assertThat(
                                route.getSpec().getRules().getFirst().getBackendRefs())
                        .allSatisfy(backend -> assertThat(service(objects, backend.getName())
                                        .getSpec()
                                        .getPorts()
                                        .getFirst()
                                        .getPort())
                                .isEqualTo(backend.getPort())));
        assertThat(objects.of(ServiceMonitor.class)).allSatisfy(monitor -> {
            Map<String, String> labels = monitor.spec().selector().getMatchLabels();
            List<Service> watched = objects.of(Service.class).stream()
                    .filter(service ->
                            service.getMetadata().getLabels().entrySet().containsAll(labels.entrySet()))
                    .toList();
            assertThat(watched).hasSize(1);
            assertThat(port(objects, watched.getFirst().getMetadata().getName()))
                    .isEqualTo(monitor.spec().endpoints().getFirst().port());
        });
    }

    private static Service service(KubernetesObjects objects, String name) {
        return objects.of(Service.class).stream()
                .filter(service -> service.getMetadata().getName().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static String port(KubernetesObjects objects, String service) {
        return service(objects, service).getSpec().getPorts().getFirst().getName();
    }

    // Pods.

    @ParameterizedTest
    @MethodSource("values")
    void podsHaveNoPowerThatTheyDoNotNeed(String values) {
        KubernetesObjects objects = objects(values);
        assertThat(objects.of(ServiceAccount.class))
                .allSatisfy(account ->
                        assertThat(account.getAutomountServiceAccountToken()).isFalse());
        assertThat(objects.pods()).allSatisfy(pod -> {
            boolean agent = "agent".equals(pod.getMetadata().getLabels().get("app.kubernetes.io/component"));
            PodSpec spec = pod.getSpec();
            assertThat(spec.getAutomountServiceAccountToken()).isFalse();
            assertThat(spec.getHostNetwork()).isNull();
            assertThat(spec.getHostIPC()).isNull();
            assertThat(spec.getHostPID()).isEqualTo(agent ? true : null);
            PodSecurityContext security = spec.getSecurityContext();
            assertThat(security.getRunAsNonRoot()).isEqualTo(agent ? null : true);
            assertThat(security.getRunAsUser()).isEqualTo(agent ? 0 : 10001);
            assertThat(security.getSeccompProfile().getType()).isEqualTo("RuntimeDefault");
            assertThat(spec.getInitContainers()).isEmpty();
            assertThat(spec.getContainers()).singleElement().satisfies(container -> {
                SecurityContext own = container.getSecurityContext();
                assertThat(own.getAllowPrivilegeEscalation()).isFalse();
                assertThat(own.getReadOnlyRootFilesystem()).isTrue();
                assertThat(own.getCapabilities().getDrop()).containsExactly("ALL");
                assertThat(own.getCapabilities().getAdd())
                        .isEqualTo(agent ? List.of("DAC_READ_SEARCH", "SYS_PTRACE") : List.of());
                assertThat(own.getPrivileged()).isNotEqualTo(true);
                assertThat(own.getRunAsUser()).isNull();
                assertThat(container.getResources().getRequests()).containsKeys("cpu", "memory");
                assertThat(container.getResources().getLimits()).containsKeys("memory");
                assertThat(container.getImage()).matches(".+(:[^:/]+|@sha256:[0-9a-f]{64})");
            });
            assertThat(spec.getVolumes())
                    .filteredOn(volume -> volume.getHostPath() != null)
                    .hasSize(agent ? spec.getVolumes().size() - hostless(spec) : 0);
        });
    }

    private static int hostless(PodSpec spec) {
        return (int) spec.getVolumes().stream()
                .filter(volume -> volume.getHostPath() == null)
                .count();
    }

    @ParameterizedTest
    @MethodSource("values")
    void theServerIsAskedForItsHealthAtTheActuatorsPort(String values) {
        KubernetesObjects objects = objects(values);
        if (objects.of(Deployment.class).isEmpty()) {
            return;
        }
        Container server = objects.container("server");
        boolean tls = objects.file("application.yaml").contains("bundle: site");
        assertThat(Stream.of(server.getStartupProbe(), server.getLivenessProbe(), server.getReadinessProbe())
                        .map(Probe::getHttpGet))
                .allSatisfy(get -> {
                    assertThat(get.getPort().getStrVal()).isEqualTo("management");
                    assertThat(get.getScheme()).isEqualTo(tls ? "HTTPS" : "HTTP");
                })
                .extracting(HTTPGetAction::getPath)
                .containsExactly(
                        "/actuator/health/liveness", "/actuator/health/liveness", "/actuator/health/readiness");
        assertThat(server.getArgs()).containsExactly("server");
    }

    @ParameterizedTest
    @MethodSource("values")
    void replicasAreReplacedOneAfterAnotherAndAnH2FileHasOneServer(String values) {
        KubernetesObjects objects = objects(values);
        if (objects.of(Deployment.class).isEmpty()) {
            return;
        }
        var spec = objects.only(Deployment.class).getSpec();
        boolean h2 = !objects.of(PersistentVolumeClaim.class).isEmpty();
        if (h2) {
            assertThat(spec.getReplicas()).isEqualTo(1);
            assertThat(spec.getStrategy().getType()).isEqualTo("Recreate");
            assertThat(spec.getStrategy().getRollingUpdate()).isNull();
        } else {
            assertThat(spec.getStrategy().getRollingUpdate().getMaxUnavailable().getIntVal())
                    .isZero();
        }
        assertThat(objects.of(PodDisruptionBudget.class)).hasSize(spec.getReplicas() > 1 ? 1 : 0);
        PodSpec pod = spec.getTemplate().getSpec();
        int stop = pod.getContainers()
                .getFirst()
                .getLifecycle()
                .getPreStop()
                .getSleep()
                .getSeconds()
                .intValue();
        // The program's own time to stop: spring.lifecycle.timeout-per-shutdown-phase, for the web server and for the
        // rest.
        assertThat(pod.getTerminationGracePeriodSeconds()).isGreaterThanOrEqualTo(stop + 2 * 20);
    }

    @Test
    void defaultsAreTwoReplicasOnPostgresql() {
        KubernetesObjects objects = objects("defaults");
        assertThat(objects.only(Deployment.class).getSpec().getReplicas()).isEqualTo(2);
        assertThat(objects.all().stream().map(HasMetadata::getKind))
                .containsExactlyInAnyOrder(
                        "ConfigMap",
                        "Deployment",
                        "NetworkPolicy",
                        "Pod",
                        "PodDisruptionBudget",
                        "Service",
                        "Service",
                        "ServiceAccount");
        assertThat(objects("everything-off").all().stream().map(HasMetadata::getKind))
                .containsExactlyInAnyOrder("ConfigMap", "Deployment", "Pod", "Service", "Service", "ServiceAccount");
    }

    @ParameterizedTest
    @MethodSource("values")
    void theTestIsAHookThatAsksForWhatTheServerAnswers(String values) throws IOException {
        assertThat(Files.readString(Chart.SOURCE.resolve("templates/tests/server.yaml")))
                .contains("helm.sh/hook: test");
        KubernetesObjects objects = objects(values);
        if (objects.of(Deployment.class).isEmpty()) {
            assertThat(objects.of(Pod.class)).isEmpty();
            return;
        }
        String script = objects.container("test").getCommand().getLast();
        Set<String> asked = Pattern.compile("https?://([-a-z]+:[0-9]+)/")
                .matcher(script)
                .results()
                .map(url -> url.group(1))
                .collect(Collectors.toSet());
        assertThat(asked)
                .isEqualTo(objects.of(Service.class).stream()
                        .map(service -> service.getMetadata().getName() + ":"
                                + service.getSpec().getPorts().getFirst().getPort())
                        .collect(Collectors.toSet()));
    }

    @Test
    void aRestoredDatabaseIsMarkedWhileThereIsNoServer() {
        KubernetesObjects objects = objects("restore-mark");
        assertThat(objects.only(Deployment.class).getSpec().getReplicas()).isZero();
        Container mark = objects.container("restore-mark");
        Container server = objects.container("server");
        assertThat(mark.getArgs()).containsExactly("restore-mark");
        assertThat(mark.getEnv()).isEqualTo(server.getEnv());
        assertThat(objects.pod("restore-mark").getSpec().getVolumes())
                .isEqualTo(objects.pod("server").getSpec().getVolumes());
        assertThat(mark.getPorts()).isEmpty();
        assertThat(mark.getLivenessProbe()).isNull();
        assertThat(objects.only(Job.class).getSpec().getTemplate().getSpec().getRestartPolicy())
                .isEqualTo("OnFailure");
    }

    @Test
    void notesTellWhatIsStillToBeDone() {
        assertThat(chart.notes("defaults"))
                .contains(
                        "helm -n crypto test site",
                        "create secret generic apportion-database",
                        "-- token create --server http://127.0.0.1:8080",
                        "--token-file /var/lib/apportion/admin-token",
                        "http://localhost:8080");
        assertThat(chart.notes("postgresql-tls-oidc"))
                .contains("crypto-app", "apportion-admin", "https://localhost:8080")
                .doesNotContain("token create");
        assertThat(chart.notes("restore-mark")).contains("NO SERVER RUNS", "job/site-apportion-restore-mark");
        assertThat(chart.notes("agent")).contains("PUT /api/v1/hosts/NODE", "/etc/apportion/agent/token");
        assertThat(chart.notes("everything-on"))
                .contains("https://apportion.example/swagger-ui.html", "NODE.crt and NODE.key", "apportion-metrics")
                .doesNotContain("trustedProxies");
    }

    // Secrets.

    @ParameterizedTest
    @MethodSource("values")
    void nothingSecretIsInPlain(String values) {
        KubernetesObjects objects = objects(values);
        assertThat(RENDERED.get(values)).doesNotContain("kind: Secret");
        assertThat(objects.pods().stream()
                        .flatMap(pod -> pod.getSpec().getContainers().stream())
                        .flatMap(container -> container.getEnv().stream())
                        .map(EnvVar::getName))
                .isSubsetOf("SPRING_CONFIG_ADDITIONAL_LOCATION", "JDK_JAVA_OPTIONS", "NODE_NAME");
        assertThat(objects.of(ConfigMap.class).stream().flatMap(map -> map.getData().values().stream()))
                .allSatisfy(text -> assertThat(text.lines())
                        .noneMatch(line -> line.matches("(?i)\\s*[-a-z.]*(password|secret|token)\\s*:.*")));
    }

    // The agent.

    @Test
    void theAgentHasTheHostPathsThatItsUnitAllowsAndNoOther() {
        PodSpec pod = objects("agent").pod("agent").getSpec();
        Map<String, Boolean> readOnly = objects("agent").container("agent").getVolumeMounts().stream()
                .collect(Collectors.toMap(VolumeMount::getName, mount -> Boolean.TRUE.equals(mount.getReadOnly())));
        Map<String, Boolean> paths = new HashMap<>();
        for (Volume volume : pod.getVolumes()) {
            HostPathVolumeSource path = volume.getHostPath();
            if (path != null) {
                paths.put(path.getPath(), readOnly.get(volume.getName()));
            }
        }
        assertThat(paths)
                .isEqualTo(Map.of(
                        "/etc/apportion/agent", true,
                        "/etc/machine-id", true,
                        "/etc/mdevctl.d", true,
                        "/dev/vfio", true,
                        "/run/lock", false,
                        "/sys/bus/ap", false,
                        "/sys/devices/ap", false,
                        "/sys/devices/vfio_ap", false,
                        "/var/lib/apportion-agent", false));
        assertThat(pod.getNodeSelector())
                .containsExactlyInAnyOrderEntriesOf(
                        Map.of("kubernetes.io/arch", "s390x", "apportion/kvm-host", "true"));
    }

    @Test
    void theAgentMayDoWhatItsUnitAllowsAndNoMore() throws IOException {
        UnitFile unit = UnitFile.read("apportion-agent.service");
        Container agent = objects("agent").container("agent");
        assertThat(agent.getSecurityContext().getCapabilities().getAdd())
                .extracting(capability -> "CAP_" + capability)
                .containsExactlyInAnyOrderElementsOf(unit.all("CapabilityBoundingSet"));
        List<Path> writable = Stream.concat(
                        unit.all("ReadWritePaths").stream(),
                        unit.all("StateDirectory").stream().map(name -> "/var/lib/" + name))
                .map(path -> Path.of(path.replaceFirst("^-", "")))
                .toList();
        assertThat(agent.getVolumeMounts())
                .filteredOn(mount -> !Boolean.TRUE.equals(mount.getReadOnly()))
                .extracting(VolumeMount::getMountPath)
                .filteredOn(path -> !path.equals("/tmp"))
                .hasSize(5)
                .allMatch(path -> writable.stream().anyMatch(Path.of(path)::startsWith));
    }

    @Test
    void eachAgentSpeaksForItsNode() {
        assertThat(objects("agent").container("agent").getArgs())
                .containsExactly(
                        "agent",
                        "--config=/etc/apportion/agent.yaml",
                        "--apportion.agent.host=$(NODE_NAME)",
                        "--apportion.agent.token-file=/etc/apportion-identity/token");
        assertThat(objects("everything-on").container("agent").getArgs())
                .containsExactly(
                        "agent",
                        "--config=/etc/apportion/agent.yaml",
                        "--apportion.agent.host=$(NODE_NAME)",
                        "--apportion.agent.client-certificate=/etc/apportion-identity/$(NODE_NAME).crt",
                        "--apportion.agent.client-key=/etc/apportion-identity/$(NODE_NAME).key");
        assertThat(objects("everything-on").file("agent.yaml")).contains("server: https://site-crypto.crypto.svc:8080");
    }

    // Alerts and dashboards.

    @Test
    void alertsAndDashboardsAreThoseOfTheFiles() throws IOException {
        KubernetesObjects objects = objects("everything-on");
        for (Path file : files("dashboards")) {
            assertThat(objects.file(file.getFileName().toString()).strip())
                    .isEqualTo(Files.readString(file).strip());
        }
        assertThat(objects.only(PrometheusRule.class).spec().groups())
                .isEqualTo(files("alerts").stream()
                        .flatMap(file -> KubernetesObjects.alerts(file).stream())
                        .toList());
    }

    @Test
    void aSitesAddressGoesBeforeTheRunbooks() {
        String rendered = chart.render(
                "everything-on", Map.of("metrics.prometheusRule.runbookUrl", "https://git.example/apportion/"));
        assertThat(rendered)
                .contains("runbook_url: https://git.example/apportion/docs/runbook.md#apportiondatabaseaway")
                .doesNotContain("runbook_url: docs/");
    }

    @Test
    void aGatewayWithoutBackendTlsPolicyIsServed() {
        assertThat(chart.render(
                        "everything-on",
                        Map.of("httpRoute.backendTls.policy", "false", "httpRoute.backendTls.hostname", "")))
                .contains("kind: HTTPRoute")
                .doesNotContain("kind: BackendTLSPolicy");
    }

    private static List<Path> files(String folder) throws IOException {
        Path path = Chart.SOURCE.resolve(folder);
        if (Files.notExists(path)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(path)) {
            return files.sorted().toList();
        }
    }

    // The README.

    @Test
    void whatTheReadmeInstallsCanBeRendered() throws IOException {
        String commands = Files.readString(Chart.SOURCE.resolve("README.md")).replace("\\\n", " ");
        List<String> installed = commands.lines()
                .filter(line -> line.matches("helm .* (install|upgrade) .*"))
                .toList();
        assertThat(installed).hasSize(6).allSatisfy(command -> {
            Map<String, String> settings = new HashMap<>();
            Pattern.compile("--set ([^= ]+)=(\\S+)")
                    .matcher(command)
                    .results()
                    .forEach(set -> settings.put(set.group(1), set.group(2)));
            assertThat(settings).isNotEmpty();
            assertThat(KubernetesObjects.read(chart.render("defaults", settings))
                            .pods())
                    .isNotEmpty();
        });
    }

    // Wrong values.

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        defaults                 | server.replica=3                              | at '/server': additional properties 'replica' not allowed
        defaults                 | servers.replicas=3                            | additional properties 'servers' not allowed
        defaults                 | server.replicas=two                           | at '/server/replicas': got string, want integer
        defaults                 | server.replicas=0                             | at '/server/replicas': minimum
        defaults                 | server.service.port=70000                     | at '/server/service/port': maximum
        defaults                 | server.service.type=Loadbalancer              | at '/server/service/type': value must be one of
        defaults                 | server.resources.limits.memory=1GB            | at '/server/resources/limits/memory'
        defaults                 | server.resources.limit.memory=1Gi             | at '/server/resources': additional properties 'limit' not allowed
        defaults                 | server.affinity.nodeAfinity.x=1               | at '/server/affinity': additional properties 'nodeAfinity' not allowed
        defaults                 | server.podLabels.team=a b                     | at '/server/podLabels/team'
        defaults                 | image.pullPolicy=Sometimes                    | at '/image/pullPolicy': value must be one of
        defaults                 | image.digest=sha256:12                        | at '/image/digest'
        defaults                 | database.type=mysql                           | at '/database/type': value must be one of
        defaults                 | database.password=hunter2                     | at '/database': additional properties 'password' not allowed
        defaults                 | database.postgresql.password=hunter2          | at '/database/postgresql': additional properties 'password' not allowed
        defaults                 | database.postgresql.parameters.password=x     | at '/database/postgresql/parameters/password'
        defaults                 | database.postgresql.sslMode=verify            | at '/database/postgresql/sslMode': value must be one of
        defaults                 | tls.enabled=yes                               | at '/tls/enabled': got string, want boolean
        defaults                 | tls.existingSecret=Site_TLS                   | at '/tls/existingSecret'
        defaults                 | jwt.issuerUri=http://login.example            | at '/jwt/issuerUri'
        defaults                 | jwt.roles.crypto=agent                        | at '/jwt/roles/crypto': value must be one of
        defaults                 | jwt.clockSkew=30                              | at '/jwt/clockSkew'
        defaults                 | settings.apportion.matrix.keep-event=30d      | at '/settings/apportion/matrix': additional properties 'keep-event' not allowed
        defaults                 | settings.apportion.matrix.keep-events=month   | at '/settings/apportion/matrix/keep-events'
        defaults                 | settings.apportion.web.max-body=1M            | at '/settings/apportion/web/max-body'
        defaults                 | settings.spring.datasource.password=hunter2   | at '/settings/spring/datasource': additional properties 'password' not allowed
        defaults                 | settings.logging.level.root=loud              | at '/settings/logging/level/root': value must be one of
        defaults                 | networkPolicy.from[0].podSelectr.x=1          | at '/networkPolicy/from/0': additional properties 'podSelectr' not allowed
        defaults                 | metrics.serviceMonitor.interval=often         | at '/metrics/serviceMonitor/interval'
        agent                    | agent.identity=password                       | at '/agent/identity': value must be one of
        agent                    | agent.server=http://apportion.example         | at '/agent/server'
        agent                    | agent.maxUnavailable=0                        | at '/agent/maxUnavailable'
        agent                    | agent.keepAdapters[0]=047                     | at '/agent/keepAdapters/0'
        agent                    | agent.token=apportion_x                       | at '/agent': additional properties 'token' not allowed
        h2                       | server.replicas=2                             | server.replicas: with database.type h2 it must be 1
        defaults                 | server.stopDelaySeconds=20                    | server.terminationGracePeriodSeconds: it must be at least 40 more
        defaults                 | database.type=h2                              | server.replicas: with database.type h2 it must be 1
        defaults                 | database.postgresql.sslMode=verify-full       | database.postgresql.caSecret: with sslMode verify-ca or verify-full it must name
        defaults                 | tls.enabled=true                              | tls.existingSecret: with tls.enabled it must name
        restore-mark             | adminToken.existingSecret=                    | adminToken.existingSecret: with tls.enabled, and without jwt.enabled, it must name
        defaults                 | tls.agents.certificates=true                  | tls.enabled: tls.agents.certificates needs it
        postgresql-tls-oidc      | tls.agents.caSecret=                          | tls.agents.caSecret: with tls.agents.certificates it must name
        defaults                 | jwt.enabled=true                              | jwt.issuerUri: with jwt.enabled it must name
        postgresql-tls-oidc      | jwt.audiences=null                            | jwt.audiences: with jwt.enabled there must be one
        defaults                 | ingress.enabled=true                          | ingress.host: with ingress.enabled it must be set
        defaults                 | httpRoute.enabled=true                        | httpRoute.parentRefs: with httpRoute.enabled there must be one
        everything-on            | httpRoute.gateway.tlsSecret=                  | httpRoute.gateway: with create, className and tlsSecret must be set
        everything-on            | httpRoute.backendTls.hostname=                | httpRoute.backendTls.hostname: with tls.enabled it must be the name
        postgresql-tls-oidc      | metrics.serviceMonitor.enabled=true           | metrics.serviceMonitor.serverName: with tls.enabled it must be the name
        defaults                 | agent.enabled=true                            | agent.server: agents need https
        """)
    void aWrongValueIsRefusedByName(String values, String wrong, String words) {
        int equals = wrong.indexOf('=');
        Throwable refusal = catchThrowable(
                () -> chart.render(values, Map.of(wrong.substring(0, equals), wrong.substring(equals + 1))));
        assertThat(refusal).as(wrong).isInstanceOf(IllegalStateException.class).hasMessageContaining(words);
    }
}
