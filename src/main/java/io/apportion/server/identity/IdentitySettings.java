package io.apportion.server.identity;

import java.nio.file.Path;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * @param adminTokenFile where the server writes a token for its first admin
 * @param rememberTokens for how long a token that was good is not looked up again: a revoked one may be taken by other
 *     replicas, and its streams go on, for so long
 */
@ConfigurationProperties("apportion.identity")
public record IdentitySettings(
        @DefaultValue("./data/admin-token") Path adminTokenFile,
        @DefaultValue("5s") Duration rememberTokens) {}
