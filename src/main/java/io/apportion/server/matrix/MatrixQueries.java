package io.apportion.server.matrix;

import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The readers: each call reads one consistent snapshot, takes no lock, and costs a fixed number of statements whatever the
 * number of mdevs and queues.
 */
public interface MatrixQueries {

    /** @throws NotDone.NotFound if there is none */
    HostState host(String name);

    /** Hosts by name, those after that name alone, without their mdevs' being restricted. */
    List<HostState> hosts(@Nullable String after, int limit);

    /**
     * The host of that mdev.
     *
     * @throws NotDone.NotFound if there is none
     */
    HostState hostOf(UUID mdev);

    /**
     * Mdevs by UUID.
     *
     * @return each with its host, which holds at least this mdev, perhaps not its siblings
     */
    List<MdevOnHost> mdevs(MdevSelection selection);

    record MdevOnHost(HostState host, MdevState mdev) {}

    /**
     * Newest first.
     *
     * @param before only commits with a smaller id
     */
    List<CommitRecord> commits(
            @Nullable String host, @Nullable UUID mdev, @Nullable String state, @Nullable Long before, int limit);

    /** @throws NotDone.NotFound if there is none */
    CommitRecord commit(long id);

    /**
     * Events in the order of their positions.
     *
     * @param after only later ones; null: from the oldest there is
     * @throws NotDone.Gone if that position was pruned
     */
    List<EventRecord> events(
            @Nullable String host, @Nullable UUID mdev, @Nullable String type, @Nullable Long after, int limit);
}
