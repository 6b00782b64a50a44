package io.apportion.agent;

import io.apportion.wire.DesiredHost;
import io.apportion.wire.ObservedHost.Applied;
import io.apportion.wire.ObservedHost.ObjectResult;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** What the agent of one host knows again after a restart or a reboot. */
public interface AgentMemory {

    Remembered recall();

    /** When this returns, a later {@link #recall} gives it, also in another process: it is asked before each change. */
    void remember(Remembered remembered);

    /**
     * @param bootId the boot in which {@code made} was applied
     * @param desired the newest desired state given
     * @param made the newest one applied, with its results
     * @param own the mdevs that Apportion made or adopted on this host, each with the number of the newest repair that
     *     was carried out for it. All others are foreign
     * @param created the mdevs that were not there when {@code desired} was first applied in this boot, or at its begin:
     *     they were computed for guests that had them before, and are meant for anybody. Somebody else, such as mdevctl,
     *     may have made them at boot
     */
    record Remembered(
            @Nullable String bootId,
            @Nullable DesiredHost desired,
            @Nullable Made made,
            Map<UUID, Integer> own,
            Set<UUID> created) {

        public static final Remembered NOTHING = new Remembered(null, null, null, Map.of(), Set.of());

        public Remembered {
            own = Map.copyOf(own);
            created = Set.copyOf(created);
        }

        @Nullable
        Applied applied() {
            return made == null
                    ? null
                    : new Applied(made.desired().incarnation(), made.desired().generation(), made.results());
        }
    }

    /** A state that was applied, with the result of each of its objects that is not left alone. */
    record Made(DesiredHost desired, List<ObjectResult> results) {}

    /** Forgets with the object: for simulated hosts, which live no longer than the process. */
    static AgentMemory ofThisProcess() {
        AtomicReference<Remembered> remembered = new AtomicReference<>(Remembered.NOTHING);
        return new AgentMemory() {
            @Override
            public Remembered recall() {
                return remembered.get();
            }

            @Override
            public void remember(Remembered newest) {
                remembered.set(newest);
            }
        };
    }
}
