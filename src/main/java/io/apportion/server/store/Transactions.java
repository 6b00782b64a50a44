package io.apportion.server.store;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.stereotype.Component;
import org.springframework.transaction.support.DefaultTransactionStatus;

/**
 * All transactions of the server. On a connection that broke, a rollback fails too, and would be thrown instead of what
 * broke it: but there the database has rolled back, and of any other the pool rolls back what it gets.
 */
@Component("transactionManager")
class Transactions extends JpaTransactionManager {

    private static final long serialVersionUID = 1L;

    private static final Logger LOG = LoggerFactory.getLogger(Transactions.class);

    @Override
    protected void doRollback(DefaultTransactionStatus status) {
        try {
            super.doRollback(status);
        } catch (RuntimeException broken) {
            LOG.debug("The database rolls back by itself", broken);
        }
    }
}
