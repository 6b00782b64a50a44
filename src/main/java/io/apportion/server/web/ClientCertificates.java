package io.apportion.server.web;

import io.apportion.server.identity.Identity;
import io.apportion.server.identity.Role;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import javax.naming.InvalidNameException;
import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.web.server.Ssl;
import org.springframework.security.authentication.BadCredentialsException;
import org.springframework.security.core.authority.AuthorityUtils;
import org.springframework.security.web.authentication.preauth.PreAuthenticatedAuthenticationToken;
import org.springframework.security.web.authentication.preauth.x509.X509AuthenticationFilter;
import org.springframework.security.web.context.RequestAttributeSecurityContextRepository;

/**
 * Agents that show a certificate: its common name, or without one its only DNS name, is that of their host. Whoever the
 * server's trust store trusts may sign for any host, and nobody else.
 */
final class ClientCertificates {

    private static final Pattern HOST = Pattern.compile("[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?");
    private static final int DNS = 2;
    private static final String NOBODY = "nobody";

    private ClientCertificates() {}

    static boolean areAskedFor(Ssl ssl) {
        return Ssl.isEnabled(ssl) && ssl.getClientAuth() != null && ssl.getClientAuth() != Ssl.ClientAuth.NONE;
    }

    /** @throws IllegalStateException where Java's own list, and so any authority in the world, would be trusted */
    static void requireAuthority(Ssl ssl, SslBundles bundles) {
        boolean named = ssl.getBundle() == null
                ? ssl.getTrustStore() != null || ssl.getTrustCertificate() != null
                : hasAuthority(ssl.getBundle(), bundles);
        // Whoever connects picks one of those by the name that it asks for.
        if (!named || !ssl.getServerNameBundles().stream().allMatch(other -> hasAuthority(other.bundle(), bundles))) {
            throw new IllegalStateException(
                    "server.ssl.client-auth asks for certificates, and no trust store says whose:"
                            + " give the SSL bundle the certificate of the authority that signs for agents alone.");
        }
    }

    private static boolean hasAuthority(String bundle, SslBundles bundles) {
        return bundles.getBundle(bundle).getStores().getTrustStore() != null;
    }

    /** A request whose connection showed none, or one that names no host, goes on without an identity. */
    static X509AuthenticationFilter filter() {
        X509AuthenticationFilter filter = new X509AuthenticationFilter();
        filter.setPrincipalExtractor(
                certificate -> identity(certificate).<Object>map(host -> host).orElse(NOBODY));
        // The default keeps a session for each request, as agents send back no cookie.
        filter.setSecurityContextRepository(new RequestAttributeSecurityContextRepository());
        filter.setAuthenticationManager(shown -> {
            if (shown.getPrincipal() instanceof Identity identity) {
                return new PreAuthenticatedAuthenticationToken(identity, "", AuthorityUtils.NO_AUTHORITIES);
            }
            throw new BadCredentialsException("The certificate names no host.");
        });
        return filter;
    }

    private static Optional<Identity> identity(X509Certificate certificate) {
        try {
            // A connection may outlive the certificate that it began with.
            certificate.checkValidity();
            return host(certificate)
                    .map(host -> new Identity(
                            "agent:" + host,
                            Role.AGENT,
                            host,
                            Map.of(),
                            null,
                            certificate.getNotAfter().toInstant()));
        } catch (CertificateException | InvalidNameException noName) {
            return Optional.empty();
        }
    }

    private static Optional<String> host(X509Certificate certificate)
            throws CertificateParsingException, InvalidNameException {
        List<String> names = commonNames(certificate);
        if (names.isEmpty()) {
            names = dnsNames(certificate.getSubjectAlternativeNames());
        }
        // Matched before it is made small: other letters than these become these, such as the Kelvin sign a k.
        return names.size() == 1 && HOST.matcher(names.getFirst()).matches()
                ? Optional.of(names.getFirst().toLowerCase(Locale.ROOT))
                : Optional.empty();
    }

    /** A part of a name may consist of several: all of them are looked at. */
    private static List<String> commonNames(X509Certificate certificate) throws InvalidNameException {
        List<String> names = new ArrayList<>();
        for (Rdn part : new LdapName(certificate.getSubjectX500Principal().getName()).getRdns()) {
            Attribute name = part.toAttributes().get("CN");
            for (int i = 0; name != null && i < name.size(); i++) {
                try {
                    names.add(String.valueOf(name.get(i)));
                } catch (NamingException unreadable) {
                    throw new IllegalStateException("a name that is in memory", unreadable);
                }
            }
        }
        return names;
    }

    private static List<String> dnsNames(@Nullable Collection<List<?>> alternatives) {
        List<String> names = new ArrayList<>();
        if (alternatives != null) {
            for (List<?> alternative : alternatives) {
                if (Integer.valueOf(DNS).equals(alternative.get(0))) {
                    names.add(String.valueOf(alternative.get(1)));
                }
            }
        }
        return names;
    }
}
