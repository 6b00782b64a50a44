package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.apportion.ap.ApMask;
import io.apportion.ap.Explanation;
import io.apportion.ap.Explanation.Subject;
import io.apportion.ap.Queue;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One adapter, domain or control domain that is assigned and kept out of the guest matrix: exactly one of the three. */
@JsonInclude(JsonInclude.Include.NON_NULL)
record FilteredView(
        @Schema(example = "0x05") @Nullable AdapterNumber adapter,
        @Nullable DomainNumber domain,
        @Nullable DomainNumber controlDomain,
        Explanation.Reason reason,
        @Schema(description = "Those that cause it") List<MissingQueueView> queues,

        @Schema(description = "Each is enough by itself; the one that costs the guest least comes first")
        List<RemedyView> remedies) {

    record MissingQueueView(
            @Schema(example = "05.0047") Queue queue,

            @Schema(
                    allowableValues = {
                        "no device",
                        "bound to another driver",
                        "no driver",
                        "given away",
                        "held by a foreign mdev",
                        "kept out by the kernel"
                    })
            String why) {}

    /** What is named is to be done together. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record RemedyView(
            @Schema(description = "Queues to be bound to vfio_ap", example = "[\"05.0047\"]") @Nullable
            List<Queue> bind,

            @Nullable List<AdapterNumber> unassignAdapters,
            @Nullable List<DomainNumber> unassignDomains,

            @Schema(description = "What would leave the guest; absent: nothing") @Nullable
            CostView costs) {}

    record CostView(List<AdapterNumber> adapters, List<DomainNumber> domains) {}

    static List<FilteredView> of(List<Explanation> explanations) {
        return explanations.stream().map(FilteredView::of).toList();
    }

    static FilteredView of(Explanation explanation) {
        Subject subject = explanation.subject();
        return new FilteredView(
                subject instanceof Subject.Adapter(int number) ? new AdapterNumber(number) : null,
                subject instanceof Subject.Domain(int number) ? new DomainNumber(number) : null,
                subject instanceof Subject.ControlDomain(int number) ? new DomainNumber(number) : null,
                explanation.reason(),
                explanation.queues().stream()
                        .map(missing -> new MissingQueueView(
                                missing.queue(), missing.why().toString()))
                        .toList(),
                explanation.remedies().stream().map(FilteredView::remedy).toList());
    }

    private static RemedyView remedy(Explanation.Remedy remedy) {
        ApMask adapters = remedy.unassignAdapters();
        ApMask domains = remedy.unassignDomains();
        return new RemedyView(
                remedy.bind().isEmpty() ? null : remedy.bind(),
                adapters.isEmpty() ? null : AdapterNumber.in(adapters),
                domains.isEmpty() ? null : DomainNumber.in(domains),
                remedy.cost().isEmpty()
                        ? null
                        : new CostView(
                                AdapterNumber.in(remedy.cost().adapters()),
                                DomainNumber.in(remedy.cost().domains())));
    }
}
