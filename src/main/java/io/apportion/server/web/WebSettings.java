package io.apportion.server.web;

import java.time.Duration;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * @param maxBody of a request
 * @param maxReport of a request of an agent: a report is as large as its host
 * @param streamsOfCaller how many event streams one caller may hold open
 * @param streamsOfAddress how many may be open from one address
 * @param failedLogins how many wrong tokens may come from one address before none is looked at for a while
 * @param failedLoginsWithin and within what time
 * @param allowedOrigins whose pages may use the API in a browser, such as {@code https://console.example}
 */
@ConfigurationProperties("apportion.web")
record WebSettings(
        @DefaultValue("1MB") DataSize maxBody,
        @DefaultValue("16MB") DataSize maxReport,
        @DefaultValue("32") int streamsOfCaller,
        @DefaultValue("128") int streamsOfAddress,
        @DefaultValue("20") int failedLogins,
        @DefaultValue("1m") Duration failedLoginsWithin,
        @DefaultValue List<String> allowedOrigins) {}
