package io.apportion.server.web;

import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * @param maxBody of a request
 * @param maxReport of a request of an agent: a report is as large as its host
 */
@ConfigurationProperties("apportion.web")
record WebSettings(
        @DefaultValue("1MB") DataSize maxBody,
        @DefaultValue("16MB") DataSize maxReport) {}
