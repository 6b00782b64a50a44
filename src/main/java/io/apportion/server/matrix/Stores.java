package io.apportion.server.matrix;

import io.apportion.server.store.Adapters;
import io.apportion.server.store.Agents;
import io.apportion.server.store.CommitObjects;
import io.apportion.server.store.Commits;
import io.apportion.server.store.ForeignMdevs;
import io.apportion.server.store.Hosts;
import io.apportion.server.store.Mdevs;
import io.apportion.server.store.QueueDrivers;
import jakarta.persistence.EntityManager;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Component;

/**
 * The tables of a host's matrix, in one hand.
 *
 * @param entities of the transaction that uses it
 * @param jdbc on the same connection, for rows that are no entities
 */
@Component
record Stores(
        Hosts hosts,
        Agents agents,
        Adapters adapters,
        QueueDrivers drivers,
        ForeignMdevs foreign,
        Mdevs mdevs,
        Commits commits,
        CommitObjects objects,
        EntityManager entities,
        JdbcTemplate jdbc) {}
