package io.apportion.server.web;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.util.StringQuotingChecker;
import io.apportion.server.identity.Role;
import io.apportion.server.matrix.Caller;
import io.apportion.server.matrix.Stay;
import io.swagger.v3.core.util.Yaml31;
import io.swagger.v3.oas.models.Components;
import io.swagger.v3.oas.models.OpenAPI;
import io.swagger.v3.oas.models.Operation;
import io.swagger.v3.oas.models.PathItem;
import io.swagger.v3.oas.models.info.Info;
import io.swagger.v3.oas.models.security.SecurityRequirement;
import io.swagger.v3.oas.models.security.SecurityScheme;
import io.swagger.v3.oas.models.servers.Server;
import io.swagger.v3.oas.models.tags.Tag;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.springdoc.core.customizers.GlobalOpenApiCustomizer;
import org.springdoc.core.properties.SpringDocConfigProperties;
import org.springdoc.core.providers.ObjectMapperProvider;
import org.springdoc.core.utils.SpringDocUtils;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.HttpMethod;
import org.springframework.http.server.PathContainer;

/** What the contract says of the API as a whole, and which role each operation needs. */
@Configuration(proxyBeanMethods = false)
@ConditionalOnWebApplication
class OpenApiConfiguration {

    private static final Pattern NUMBER_LIKE = Pattern.compile("[-+.]?[0-9].*");

    private static final String TOKEN = "token";
    private static final String PROVIDER = "identityProvider";

    private static final String DESCRIPTION = """
        Hands out the crypto adapters of IBM Z and LinuxONE to KVM guests.

        **Numbers** are answered as `"0x05"` (adapter), `"0x0047"` (domain), `"05.0047"` (queue), and masks as `0x` and 64 hex
        digits, bit 0 leftmost. Requests may use the same forms, JSON integers, or plain decimal. A decimal with a leading
        zero is refused: it may be octal, as sysfs reads it, or hex, as lszcrypt prints it.

        **Three things side by side**, never mixed: *assigned* is what users want, the *guest matrix* what its rules make of
        that, *observed* what the host's agent read back.

        **Every change** takes `dryRun=true`: the same checks and the same answer, and nothing is stored. `If-Match` and
        `If-None-Match: *` are honoured. `Prefer: wait=SECONDS` waits until the host has applied the change.

        **Unknown fields and parameters are refused**, so that a misspelt `dryRun` never becomes a change.

        **Errors** are RFC 9457 problems; their types lead to what each means. All conflicts are told at once.
        """;

    static {
        SpringDocUtils.getConfig().addRequestWrapperToIgnore(Caller.class, Stay.class);
    }

    @Bean
    OpenAPI contract() {
        return new OpenAPI()
                .info(new Info().title("Apportion").version("v1").description(DESCRIPTION))
                .servers(List.of(new Server().url("/")))
                .tags(List.of(
                        tag("Hosts", "KVM hosts, and what is kept of their settings."),
                        tag("Adapters, domains, queues", "What a host has, and who uses it."),
                        tag("Drivers and reservation", "Which queues are for guests, and which the host keeps."),
                        tag("Foreign mdevs", "Mdevs of a host that Apportion did not make."),
                        tag("Mdevs", "Mediated devices: each is the AP configuration meant for one guest."),
                        tag("Matrix of an mdev", "What is assigned to it, and what its guest gets."),
                        tag("Guest of an mdev", "Which guest has it, where the host's agent cannot see that."),
                        tag("Placements", "Where a new mdev would fit."),
                        tag("Commits", "What has become of changes on their way to the hosts."),
                        tag("Events", "Everything that happened, in the order in which it was stored."),
                        tag("Tokens", "Who may do what.")))
                .components(new Components()
                        .addSecuritySchemes(
                                TOKEN,
                                new SecurityScheme()
                                        .type(SecurityScheme.Type.HTTP)
                                        .scheme("bearer")
                                        .description("A token, as `apportion token create` makes it. The roles:"
                                                + " `viewer` reads, `operator` changes, `admin` also has"
                                                + " hosts, tokens and `force`. An operator's token may have a scope:"
                                                + " then it changes only hosts with these labels, and their mdevs."))
                        .addSecuritySchemes(
                                PROVIDER,
                                new SecurityScheme()
                                        .type(SecurityScheme.Type.HTTP)
                                        .scheme("bearer")
                                        .bearerFormat("JWT")
                                        .description("A token of the site's identity provider, where the server has"
                                                + " one. A claim of it gives the role, another perhaps the scope.")))
                .addSecurityItem(new SecurityRequirement().addList(TOKEN))
                .addSecurityItem(new SecurityRequirement().addList(PROVIDER));
    }

    private static Tag tag(String name, String description) {
        return new Tag().name(name).description(description);
    }

    /** Writes YAML that says what JSON does: left to itself, Jackson writes the text 0x05 so that it is read as 5. */
    @Bean
    ObjectMapperProvider springdocObjectMapperProvider(SpringDocConfigProperties properties) {
        ObjectMapper quoting = Yaml31.mapper()
                .copyWith(((YAMLFactory) Yaml31.mapper().getFactory())
                        .rebuild()
                        .stringQuotingChecker(new NumberLikesQuoted())
                        .build());
        return new ObjectMapperProvider(properties) {
            @Override
            public ObjectMapper yamlMapper() {
                return quoting;
            }
        };
    }

    private static final class NumberLikesQuoted extends StringQuotingChecker.Default {
        @Override
        public boolean needToQuoteValue(String value) {
            return super.needToQuoteValue(value) || NUMBER_LIKE.matcher(value).matches();
        }
    }

    @Bean
    GlobalOpenApiCustomizer roles() {
        return contract -> contract.getPaths()
                .forEach((path, item) ->
                        item.readOperationsMap().forEach((method, operation) -> sayRole(path, method, operation)));
    }

    private static void sayRole(String path, PathItem.HttpMethod method, Operation operation) {
        Optional<Role> role = AccessRules.needed(HttpMethod.valueOf(method.name()), PathContainer.parsePath(path));
        role.ifPresent(needed -> {
            String said = operation.getDescription();
            operation.setDescription((said == null ? "" : said + "\n\n") + "Needs the role `" + needed + "`.");
        });
    }
}
