package io.apportion.demo;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.server.identity.Role;
import io.apportion.server.identity.TokenService;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.HostSettings;
import io.apportion.server.matrix.MatrixQueries;
import io.apportion.server.matrix.MatrixService;
import io.apportion.server.matrix.MatrixService.Mode;
import io.apportion.server.matrix.MdevSettings;
import io.apportion.server.matrix.NotDone;
import io.apportion.server.matrix.Preconditions;
import java.net.URI;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.web.server.context.WebServerInitializedEvent;
import org.springframework.context.event.ContextClosedEvent;
import org.springframework.context.event.EventListener;

/** The demo's hosts, and what a newcomer finds on them at the first start: all that the documentation's examples name. */
final class DemoHosts {

    private static final UUID SHOP = UUID.fromString("0b5c6b9e-2c1d-4f6a-8e53-6d1f2a7c9b01");
    private static final UUID BANK = UUID.fromString("7f3d2a10-95b4-4c0e-a6f7-3b8e1d5c4a02");
    private static final UUID VAULT = UUID.fromString("c2e8f4a6-1b7d-4930-b5c8-9a0d6e3f7b03");
    private static final UUID KIOSK = UUID.fromString("9e1b7c52-3d84-4f06-8a2d-c05f6e7b1d04");

    /** Made by hand on lpar2, before there was Apportion, and by mdevctl since at each boot. */
    private static final UUID OLD = UUID.fromString("3d0c9e14-7f3b-4a2e-9b61-5e8f0a4d2c05");

    private static final Matrix BY_HAND = new Matrix(ApMask.of(13), ApMask.of(15), ApMask.NONE);

    private static final UUID TOKEN = UUID.fromString("33fd51bb-57dc-4d38-808f-2de481eaad06");

    private final MatrixService service;
    private final MatrixQueries queries;
    private final TokenService tokens;
    private final Path data;
    private final SortedMap<String, DemoHost> hosts = new TreeMap<>();

    DemoHosts(
            MatrixService service, MatrixQueries queries, TokenService tokens, @Value("${apportion.data}") Path data) {
        this.service = service;
        this.queries = queries;
        this.tokens = tokens;
        this.data = data;
    }

    /** @throws NotDone.NotFound if there is no such host */
    DemoHost host(String name) {
        DemoHost host = hosts.get(name);
        if (host == null) {
            throw new NotDone.NotFound("simulated host " + name);
        }
        return host;
    }

    @EventListener
    void start(WebServerInitializedEvent listening) {
        if (!hosts.isEmpty()) {
            return;
        }
        boolean first = queries.hosts(null, 1).isEmpty();
        // Three cards and four domains, with one hole.
        Machine small = Machine.of(
                Set.of(4, 5, 6), ApMask.of(0x04, 0x47, 0x53, 0x54), ApMask.of(4, 5, 6), Set.of(new Queue(5, 0x54)));
        // Sixteen by sixteen; two cards are the host's own.
        Machine large = Machine.of(
                        IntStream.range(0, 16).boxed().collect(Collectors.toSet()),
                        ApMask.upTo(15),
                        ApMask.upTo(13),
                        Set.of())
                .withHandMade(Map.of(OLD, BY_HAND));
        Machine unseeing = Machine.of(Set.of(8, 9), ApMask.of(0, 1), ApMask.of(8, 9), Set.of())
                .withUnseenGuests();
        if (first) {
            create("lpar1", "Three cards and four domains, one queue missing", "a");
            create("lpar2", "Sixteen cards and sixteen domains, two cards its own", "b");
            create("lpar3", "Two cards and two domains; its agent cannot see guests", "b");
            mdev(SHOP, "lpar1", "shop", ApMask.of(6), ApMask.of(0x04, 0x47));
            mdev(BANK, "lpar2", "bank", ApMask.of(0, 1), ApMask.of(0, 1, 2));
            mdev(VAULT, "lpar2", "bank", ApMask.of(2, 3), ApMask.of(0, 1, 2, 3));
            mdev(KIOSK, "lpar3", "shop", ApMask.of(8), ApMask.of(0));
            tokens.issueForShow(TOKEN, "ci", Role.OPERATOR, "demo");
            small = small.withGuests(Map.of("shop-vm", SHOP));
            large = large.withGuests(Map.of("bank-vm", BANK));
        }
        URI server = URI.create("http://127.0.0.1:" + listening.getWebServer().getPort());
        add("lpar1", small, server);
        add("lpar2", large, server);
        add("lpar3", unseeing, server);
        host("lpar2").simulated().define(OLD, true, BY_HAND);
        hosts.values().forEach(DemoHost::start);
    }

    private void add(String name, Machine atFirst, URI server) {
        MachineFile file = new MachineFile(data, name);
        hosts.put(name, new DemoHost(name, file.read().orElse(atFirst), file, server));
    }

    private void create(String name, String description, String zone) {
        service.putHost(name, new HostSettings(Map.of("zone", zone), description, null, null, null), mode());
    }

    private void mdev(UUID uuid, String host, String tenant, ApMask adapters, ApMask domains) {
        service.putMdev(
                uuid,
                new MdevSettings(host, Map.of("tenant", tenant), new Matrix(adapters, domains, ApMask.NONE)),
                mode());
    }

    private static Mode mode() {
        return new Mode(Preconditions.NONE, false, false, new Caller("demo", true, "first-start"));
    }

    @EventListener(ContextClosedEvent.class)
    void stop() {
        hosts.values().forEach(DemoHost::close);
        hosts.clear();
    }
}
