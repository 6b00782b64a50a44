package io.apportion.server.web;

import java.time.Duration;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * @param maxBody the largest body of a request
 * @param maxReport the largest body of an agent's request: a report is as large as its host
 * @param streamsOfCaller how many event streams one caller may hold open
 * @param streamsOfAddress how many event streams may be open from one address
 * @param failedLogins how many wrong tokens may come from one address (of IPv6: from one /64 network) before none from
 *     there is looked at for a while
 * @param failedLoginsWithin the time within which so many wrong tokens are too many, and after which it is looked again
 * @param allowedOrigins origins, such as {@code https://console.example}, whose pages may use the API in a browser (CORS)
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
