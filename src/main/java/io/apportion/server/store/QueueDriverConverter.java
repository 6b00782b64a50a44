package io.apportion.server.store;

import io.apportion.ap.QueueDriver;
import jakarta.persistence.Converter;

/** The driver by its word. */
@Converter(autoApply = true)
public final class QueueDriverConverter extends WordConverter<QueueDriver> {

    public QueueDriverConverter() {
        super(QueueDriver.values());
    }
}
