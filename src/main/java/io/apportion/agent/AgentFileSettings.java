package io.apportion.agent;

import io.apportion.ap.ApMask;
import io.apportion.wire.ObservedHost.Keep;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * What the configuration file of {@code apportion agent} may say.
 *
 * @param server see {@link AgentSettings#server}; without it there is no agent, but the host can be checked
 * @param host the host's name at the server; the kernel's own name if it is not given
 * @param tokenFile with the bearer token, for root's eyes only
 * @param trustedCertificates PEM file of whoever signs the server's certificate; the Java runtime's list if not given
 * @param clientCertificate PEM file of the certificate by which the server knows this agent, with or instead of a token
 * @param clientKey its private key, for root's eyes only
 * @param state where the agent keeps what it knows
 * @param sysfs where sysfs is mounted, as {@code proc} and {@code dev} say it of the others
 * @param machineId systemd's
 * @param lock held as long as an agent runs
 * @param apConfigLock of s390-tools, held from the last look before a write to the write
 * @param definitions of mdevctl, which are only read
 */
@ConfigurationProperties("apportion.agent")
record AgentFileSettings(
        @Nullable URI server,
        @Nullable String host,
        @DefaultValue("/etc/apportion/agent-token") Path tokenFile,
        @Nullable Path trustedCertificates,
        @Nullable Path clientCertificate,
        @Nullable Path clientKey,
        @DefaultValue KeepSettings keep,
        @DefaultValue("/var/lib/apportion-agent/state.json") Path state,
        @DefaultValue("/sys") Path sysfs,
        @DefaultValue("/proc") Path proc,
        @DefaultValue("/dev") Path dev,
        @DefaultValue("/etc/machine-id") Path machineId,
        @DefaultValue("/run/lock/apportion-agent.lock") Path lock,
        @DefaultValue("/run/lock/s390apconfig.lock") Path apConfigLock,
        @DefaultValue("/etc/mdevctl.d/matrix") Path definitions,
        @DefaultValue TimingSettings timings) {

    /**
     * What Apportion never frees, binds or assigns: every queue of these adapters, and of these domains.
     *
     * @param adapters numbers as the API takes them, or ranges of them such as {@code 0x10-0x1f}
     */
    record KeepSettings(
            @DefaultValue List<String> adapters,
            @DefaultValue List<String> domains) {

        private static final String NUMBER = "(0x[0-9a-fA-F]{1,4}|0|[1-9][0-9]{0,2})";
        private static final Pattern NUMBERS = Pattern.compile(NUMBER + "(?:-" + NUMBER + ")?");

        /** @throws IllegalArgumentException for what is no number 0..255, or may be another one than was meant */
        Keep keep() {
            return new Keep(mask("adapters", adapters), mask("domains", domains));
        }

        private static ApMask mask(String what, List<String> ranges) {
            ApMask mask = ApMask.NONE;
            for (String range : ranges) {
                Matcher numbers = NUMBERS.matcher(range.strip());
                int first = numbers.matches() ? Integer.decode(numbers.group(1)) : -1;
                int last = first < 0 || numbers.group(2) == null ? first : Integer.decode(numbers.group(2));
                if (first < 0 || last < first || last >= ApMask.BITS) {
                    throw new IllegalArgumentException("keep." + what + ": \"" + range + "\" is neither a number 0..255"
                            + " (0x and hex digits, or decimal without a leading zero) nor a range of two");
                }
                mask = mask.or(ApMask.upTo(last).minus(ApMask.upTo(first - 1)));
            }
            return mask;
        }
    }

    /**
     * @param ready at most so long is the service manager, and with it the boot, told to wait for the stored state to be
     *     applied
     * @param apConfigLock at most so long for the lock of s390-tools
     * @param remove how long the kernel may take to remove an mdev
     * @param write how long any other write may take
     * @param read how long one look at the whole host may take
     * @param scan from one look at the open files of all processes to the next
     */
    record TimingSettings(
            @DefaultValue("10s") Duration heartbeat,
            @DefaultValue("30s") Duration silence,
            @DefaultValue("5s") Duration poll,
            @DefaultValue("10ms") Duration settle,
            @DefaultValue("500ms") Duration retryFirst,
            @DefaultValue("30s") Duration retryLast,
            @DefaultValue("60s") Duration bindings,
            @DefaultValue("90s") Duration ready,
            @DefaultValue("60s") Duration apConfigLock,
            @DefaultValue("30s") Duration remove,
            @DefaultValue("10m") Duration write,
            @DefaultValue("2m") Duration read,
            @DefaultValue("1m") Duration scan) {

        AgentSettings.Timings ofAgent() {
            return new AgentSettings.Timings(heartbeat, silence, poll, settle, retryFirst, retryLast, bindings);
        }
    }
}
