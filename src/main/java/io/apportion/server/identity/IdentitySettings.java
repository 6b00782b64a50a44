package io.apportion.server.identity;

import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * @param adminTokenFile where the server writes a token for its first admin
 * @param firstAdminTokenFile with a token for the first admin that somebody else has made, the same at all replicas, for
 *     example {@code /etc/apportion/first-admin-token}. Default: none, and the server makes one
 * @param rememberTokens for how long a token that was good is not looked up again: a revoked one may be taken by other
 *     replicas, and its streams go on, for so long
 */
@ConfigurationProperties("apportion.identity")
public record IdentitySettings(
        @DefaultValue("./data/admin-token") Path adminTokenFile,
        @Nullable Path firstAdminTokenFile,
        @DefaultValue("5s") Duration rememberTokens) {}
