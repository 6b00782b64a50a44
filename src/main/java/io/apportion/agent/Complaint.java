package io.apportion.agent;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;

/** Says once what does not work, however often it is tried, and once that it works again. */
final class Complaint {

    private final Logger log;
    private final String subject;
    private @Nullable String said;

    Complaint(Logger log, String subject) {
        this.log = log;
        this.subject = subject;
    }

    void about(Exception failure) {
        String words = words(failure);
        if (!words.equals(said)) {
            said = words;
            log.warn("{}: {}; trying again", subject, said, failure instanceof RuntimeException ? failure : null);
        }
    }

    /** What went wrong, with all that it came from, in one line. */
    static String words(Exception failure) {
        StringBuilder words = new StringBuilder();
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            String message = cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
            if (words.indexOf(message) < 0) {
                words.append(words.isEmpty() ? "" : ": ").append(message);
            }
        }
        return words.toString();
    }

    void over() {
        if (said != null) {
            said = null;
            log.info("{}: works again", subject);
        }
    }
}
