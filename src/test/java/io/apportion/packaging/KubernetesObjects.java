package io.apportion.packaging;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.LabelSelector;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.BackendTLSPolicy;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.api.model.networking.v1.Ingress;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.ValueDeserializer;
import tools.jackson.databind.annotation.JsonDeserialize;
import tools.jackson.databind.cfg.MapperConfig;
import tools.jackson.databind.introspect.Annotated;
import tools.jackson.databind.introspect.JacksonAnnotationIntrospector;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a rendered chart gives to Kubernetes, read as strictly as an API server reads with {@code fieldValidation=Strict}: an
 * unknown field, a wrong type or a key that is there twice is refused.
 *
 * @param all in the order of the text
 */
record KubernetesObjects(List<HasMetadata> all) {

    /** By API version and kind: nothing else may be rendered. */
    private static final Map<String, Class<? extends HasMetadata>> KINDS = Map.ofEntries(
            Map.entry("v1 ConfigMap", ConfigMap.class),
            Map.entry("v1 PersistentVolumeClaim", PersistentVolumeClaim.class),
            Map.entry("v1 Pod", Pod.class),
            Map.entry("v1 Service", Service.class),
            Map.entry("v1 ServiceAccount", ServiceAccount.class),
            Map.entry("apps/v1 DaemonSet", DaemonSet.class),
            Map.entry("apps/v1 Deployment", Deployment.class),
            Map.entry("batch/v1 Job", Job.class),
            Map.entry("gateway.networking.k8s.io/v1 BackendTLSPolicy", BackendTLSPolicy.class),
            Map.entry("gateway.networking.k8s.io/v1 Gateway", Gateway.class),
            Map.entry("gateway.networking.k8s.io/v1 HTTPRoute", HTTPRoute.class),
            Map.entry("monitoring.coreos.com/v1 PrometheusRule", PrometheusRule.class),
            Map.entry("monitoring.coreos.com/v1 ServiceMonitor", ServiceMonitor.class),
            Map.entry("networking.k8s.io/v1 Ingress", Ingress.class),
            Map.entry("networking.k8s.io/v1 NetworkPolicy", NetworkPolicy.class),
            Map.entry("policy/v1 PodDisruptionBudget", PodDisruptionBudget.class));

    private static final JsonMapper STRICT = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .annotationIntrospector(new WithoutCatchAll())
            .build();

    /** The models keep what they do not know, for servers that are newer than they. Here it is a mistake. */
    private static final class WithoutCatchAll extends JacksonAnnotationIntrospector {

        private static final long serialVersionUID = 1;

        @Override
        public Boolean hasAnySetter(MapperConfig<?> config, Annotated annotated) {
            return false;
        }
    }

    /** Those of the Prometheus operator, of which there are no models: what this chart uses of them. */
    @JsonDeserialize(using = ValueDeserializer.None.class)
    record ServiceMonitor(String apiVersion, String kind, ObjectMeta metadata, Spec spec) implements Monitoring {
        record Spec(LabelSelector selector, List<Endpoint> endpoints) {}

        record Endpoint(
                String port,
                String path,
                String interval,
                String scrapeTimeout,
                String scheme,
                Tls tlsConfig,
                Authorization authorization) {}

        record Tls(String serverName, Authority ca) {}

        record Authority(Key secret) {}

        record Authorization(String type, Key credentials) {}

        record Key(String name, String key) {}
    }

    @JsonDeserialize(using = ValueDeserializer.None.class)
    record PrometheusRule(String apiVersion, String kind, ObjectMeta metadata, Spec spec) implements Monitoring {
        record Spec(List<Group> groups) {}

        record Group(String name, String interval, List<Rule> rules) {}

        record Rule(
                String alert,
                String record,
                String expr,
                @JsonProperty("for") String lasting,
                @JsonProperty("keep_firing_for") String keepFiringFor,
                Map<String, String> labels,
                Map<String, String> annotations) {}
    }

    /** Records have no setters; nothing here needs one. */
    sealed interface Monitoring extends HasMetadata permits ServiceMonitor, PrometheusRule {

        String apiVersion();

        String kind();

        ObjectMeta metadata();

        @Override
        default ObjectMeta getMetadata() {
            return metadata();
        }

        @Override
        default String getKind() {
            return kind();
        }

        @Override
        default String getApiVersion() {
            return apiVersion();
        }

        @Override
        default void setMetadata(ObjectMeta metadata) {
            throw new UnsupportedOperationException();
        }

        @Override
        default void setApiVersion(String version) {
            throw new UnsupportedOperationException();
        }
    }

    static KubernetesObjects read(String rendered) {
        LoaderOptions options = new LoaderOptions();
        options.setAllowDuplicateKeys(false);
        List<HasMetadata> all = new ArrayList<>();
        for (Object document : new Yaml(new SafeConstructor(options)).loadAll(rendered)) {
            if (document instanceof Map<?, ?> fields) {
                String kind = fields.get("apiVersion") + " " + fields.get("kind");
                if (!KINDS.containsKey(kind)) {
                    throw new AssertionError("not known to this test: " + kind);
                }
                all.add(STRICT.convertValue(fields, KINDS.get(kind)));
            }
        }
        return new KubernetesObjects(all);
    }

    /** Of a file that Prometheus takes as it is. */
    static List<PrometheusRule.Group> alerts(Path file) {
        try {
            Map<?, ?> rules = new Yaml(new SafeConstructor(new LoaderOptions())).load(Files.readString(file));
            return STRICT.convertValue(rules, PrometheusRule.Spec.class).groups();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    <T extends HasMetadata> List<T> of(Class<T> type) {
        return all.stream().filter(type::isInstance).map(type::cast).toList();
    }

    <T extends HasMetadata> T only(Class<T> type) {
        List<T> found = of(type);
        if (found.size() != 1) {
            throw new AssertionError(found.size() + " of " + type.getSimpleName());
        }
        return found.getFirst();
    }

    boolean has(Class<? extends HasMetadata> type, String name) {
        return of(type).stream()
                .anyMatch(object -> object.getMetadata().getName().equals(name));
    }

    /** Of a text in a ConfigMap. */
    String file(String name) {
        return of(ConfigMap.class).stream()
                .flatMap(map -> map.getData().entrySet().stream())
                .filter(entry -> entry.getKey().equals(name))
                .map(Map.Entry::getValue)
                .findFirst()
                .orElseThrow(() -> new AssertionError("there is no " + name));
    }

    /** Of whatever makes pods. */
    List<PodTemplateSpec> pods() {
        return Stream.of(
                        of(Deployment.class).stream()
                                .map(deployment -> deployment.getSpec().getTemplate()),
                        of(DaemonSet.class).stream().map(set -> set.getSpec().getTemplate()),
                        of(Job.class).stream().map(job -> job.getSpec().getTemplate()),
                        of(Pod.class).stream().map(pod -> new PodTemplateSpec(pod.getMetadata(), pod.getSpec())))
                .flatMap(pods -> pods)
                .toList();
    }

    PodTemplateSpec pod(String component) {
        return pods().stream()
                .filter(pod -> component.equals(pod.getMetadata().getLabels().get("app.kubernetes.io/component")))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no pod is of " + component));
    }

    Container container(String component) {
        return pod(component).getSpec().getContainers().getFirst();
    }
}
