package io.apportion.server.matrix;

import io.apportion.server.store.Wakeups;
import java.util.ArrayList;
import java.util.List;
import org.springframework.context.ApplicationEventPublisher;
import org.springframework.context.event.EventListener;
import org.springframework.stereotype.Component;

/**
 * Tells the other replicas what this one did, and this one what they did. A replica of the release before or after may use
 * words that are not known here: they are passed over.
 */
@Component
class OtherReplicas {

    private static final String PUSH = "push:";
    private static final String SETTLED = "settled:";
    private static final String NUMBERED = "numbered:";

    private final Wakeups wakeups;
    private final ApplicationEventPublisher publisher;

    OtherReplicas(Wakeups wakeups, ApplicationEventPublisher publisher) {
        this.wakeups = wakeups;
        this.publisher = publisher;
    }

    @EventListener
    void changed(MatrixChanged changed) {
        List<String> words = new ArrayList<>();
        if (changed.newGeneration()) {
            words.add(PUSH + changed.host());
        }
        if (!changed.settled().isEmpty()) {
            words.add(SETTLED + changed.host());
        }
        wakeups.tell(words);
    }

    /** Once it is committed. */
    void numbered(long newest) {
        wakeups.tell(List.of(NUMBERED + newest));
    }

    @EventListener
    void heard(Wakeups.Heard heard) {
        for (String word : heard.words()) {
            if (word.startsWith(PUSH)) {
                publisher.publishEvent(new ChangedElsewhere(word.substring(PUSH.length()), true, false));
            } else if (word.startsWith(SETTLED)) {
                publisher.publishEvent(new ChangedElsewhere(word.substring(SETTLED.length()), false, true));
            } else if (word.startsWith(NUMBERED)) {
                publisher.publishEvent(new EventsNumbered(Long.parseLong(word.substring(NUMBERED.length()))));
            }
        }
    }
}
