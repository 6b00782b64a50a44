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
 * @param server the server's address: https, or http for a server on this machine; for example
 *     {@code https://apportion.example}. Without it there is no agent, but {@code apportion agent check} works
 * @param host this host's name at the server, for example {@code lpar1}. Default: what the kernel calls it
 *     ({@code /proc/sys/kernel/hostname})
 * @param tokenFile the file with the agent's token, for root's eyes only (chmod 600). An admin makes one, on the server's
 *     machine as root: {@code apportion token create --server https://apportion.example:8443 --token-file
 *     /var/lib/apportion/admin-token --role agent --name lpar1 --host lpar1}
 * @param trustedCertificates who signs the server's certificate, as PEM, for example {@code /etc/apportion/ca.pem}. Default:
 *     those whom the Java runtime trusts
 * @param clientCertificate the certificate by which the server knows this agent, with or instead of the token, as PEM, for
 *     example {@code /etc/apportion/agent.pem}. Its common name is this host's name. A renewed one is taken at the next
 *     connection. Default: none
 * @param clientKey the private key of that certificate, as PEM, for root's eyes only (chmod 600), for example
 *     {@code /etc/apportion/agent.key}. Default: none
 * @param state what the agent knows: the last desired state, and which mdevs are Apportion's
 * @param sysfs where sysfs is mounted
 * @param proc where procfs is mounted
 * @param dev where the device files are
 * @param machineId the file with the id that systemd gave this machine
 * @param lock held as long as an agent runs, so that there are never two
 * @param apConfigLock the lock of s390-tools (chzdev, mdevctl's call-out), held from the last look before a write to the
 *     write
 * @param definitions the folder of mdevctl's definitions, which are only read
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
     * @param adapters adapters of which no queue is ever freed, bound or assigned, whatever the server says: numbers and
     *     ranges, such as {@code [0x04, 0x10-0x1f]}
     * @param domains domains of which no queue is ever freed, bound or assigned: numbers and ranges, likewise
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
     * @param heartbeat from one sign of life to the next
     * @param silence the server is given up, and dialled again, when it said nothing for so long
     * @param poll from one look at the host to the next, where the kernel tells nothing by itself
     * @param settle from what the kernel tells to the look at it: changes come in bursts
     * @param retryFirst before the first new try of what failed; doubled with each
     * @param retryLast never longer than this between two tries
     * @param bindings at most so long waits the first look after a boot for the AP bus to have bound its queues
     * @param ready at most so long waits the boot (libvirt, the guests) for the stored state to be applied
     * @param apConfigLock at most so long for the lock of s390-tools
     * @param remove how long the kernel may take to remove an mdev
     * @param write how long the kernel may take for any other write
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
