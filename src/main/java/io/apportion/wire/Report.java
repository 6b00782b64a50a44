package io.apportion.wire;

/**
 * One observation on its way up. The server ignores one that is not of the host's present (instance, session), or whose
 * sequence is not greater than the last it took.
 *
 * @param instance made anew at each start of the agent
 * @param session the number that the server gave this instance; a later instance has a greater one
 * @param sequence counts the reports of the session
 * @param digest {@link WireFormat#digest} of what was observed
 */
public record Report(
        String instance, String bootId, long session, long sequence, String digest, ObservedHost observed) {

    public Report {
        Texts.name(instance, 64);
        Texts.name(bootId, 64);
        Texts.name(digest, 64);
    }

    /**
     * @param taken false: not newer than the last one, nothing was changed
     * @param session the host's present session; when greater than the sender's, another instance has taken over and
     *     the sender must open a new one
     */
    public record Answer(boolean taken, long session) {}

    /** What an agent says once when it dials: the server answers with the session's number. */
    public record Hello(String instance, String bootId, String machineId) {
        public Hello {
            Texts.name(instance, 64);
            Texts.name(bootId, 64);
            Texts.name(machineId, 256);
        }
    }

    public record Session(long session) {}

    /** Sent every 10 s in place of a report whose digest did not change. */
    public record Heartbeat(String instance, long session, String digest) {
        public Heartbeat {
            Texts.name(instance, 64);
            Texts.name(digest, 64);
        }
    }

    /**
     * @param whole the server's last report has another digest or is of another instance: send the whole one
     * @param session as in {@link Answer}
     */
    public record HeartbeatAnswer(boolean whole, long session) {}
}
