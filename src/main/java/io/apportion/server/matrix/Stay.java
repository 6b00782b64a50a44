package io.apportion.server.matrix;

/**
 * How long a caller may stay, for answers that stay open: until its token or certificate is good no more.
 *
 * <p>Nobody is interrupted for it. The thread that serves may be reading the database, and H2 closes its file under
 * everybody when a thread is interrupted that reads it.
 */
public final class Stay {

    private volatile boolean over;
    private volatile Runnable ending = () -> {};

    /** @param ending wakes who serves, so that it looks; waits for nothing, and may be called twice */
    public void whenOver(Runnable ending) {
        this.ending = ending;
        if (over) {
            ending.run();
        }
    }

    public boolean isOver() {
        return over;
    }

    public void end() {
        over = true;
        ending.run();
    }
}
