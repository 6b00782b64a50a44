package io.apportion.ap;

import static io.apportion.ap.Scene.queues;
import static io.apportion.ap.Scene.rectangle;
import static org.assertj.core.api.Assertions.assertThat;

import io.apportion.ap.Explanation.MissingQueue;
import io.apportion.ap.Explanation.Reason;
import io.apportion.ap.Explanation.Remedy;
import io.apportion.ap.Explanation.Subject;
import io.apportion.ap.Explanation.Why;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ExplanationTests {

    @ParameterizedTest
    @EnumSource(GuestFilter.class)
    void saysNothingWhereNothingIsFiltered(GuestFilter filter) {
        var scene = new Scene()
                .filter(filter)
                .assigned(ApMask.of(4), ApMask.of(4, 0x47))
                .bound("04.0004", "04.0047");
        assertThat(scene.explain()).isEmpty();
        assertThat(new Scene().explain()).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(GuestFilter.class)
    void explainsAnAdapterWithOneHole(GuestFilter filter) {
        var scene = new Scene()
                .filter(filter)
                .assigned(ApMask.of(4, 5), ApMask.of(4, 0x47))
                .bound("04.0004", "04.0047", "05.0004")
                .runningWith(4, 0x47);
        scene.withoutDevice = queues("05.0047");

        assertThat(scene.explain())
                .containsExactly(new Explanation(
                        new Subject.Adapter(5),
                        Reason.QUEUE_NOT_BOUND,
                        missing(Why.NO_DEVICE, "05.0047"),
                        List.of(
                                bind("05.0047"),
                                unassignDomains(ApMask.of(0x47), rectangle(ApMask.NONE, ApMask.of(0x47))))));
    }

    @Test
    void saysOfEachHoleWhyItIsOne() {
        var scene =
                new Scene().assigned(ApMask.of(4), ApMask.of(1, 2, 3, 4, 5, 6)).bound("04.0001", "04.0003", "04.0006");
        scene.withoutDevice = queues("04.0002");
        scene.givenAway = queues("04.0003", "04.0002");
        scene.otherDriver = queues("04.0004");
        scene.foreign = queues("04.0006");

        assertThat(scene.explain())
                .singleElement()
                .extracting(Explanation::queues)
                .asString()
                .isEqualTo(List.of(
                                new MissingQueue(Queue.parse("04.0002"), Why.NO_DEVICE),
                                new MissingQueue(Queue.parse("04.0003"), Why.GIVEN_AWAY),
                                new MissingQueue(Queue.parse("04.0004"), Why.OTHER_DRIVER),
                                new MissingQueue(Queue.parse("04.0005"), Why.NO_DRIVER),
                                new MissingQueue(Queue.parse("04.0006"), Why.HELD_BY_FOREIGN_MDEV))
                        .toString());
        assertThat(Stream.of(Why.values()).map(Why::toString))
                .containsExactly(
                        "held by a foreign mdev",
                        "no device",
                        "given away",
                        "bound to another driver",
                        "no driver",
                        "kept out by the kernel");
    }

    @Test
    void explainsADomainThatWouldUnplugTheGuestsOnlyAdapter() {
        var scene = new Scene()
                .assigned(ApMask.of(4), ApMask.of(4, 0x47, 0x54))
                .bound("04.0004", "04.0047")
                .runningWith(4, 0x47);

        assertThat(scene.explain())
                .containsExactly(new Explanation(
                        new Subject.Domain(0x54),
                        Reason.WOULD_UNPLUG_ADAPTERS,
                        missing(Why.NO_DRIVER, "04.0054"),
                        List.of(bind("04.0054"))));
    }

    @Test
    void saysWhatItCostsToUnassignTheAdapterThatLacksADomain() {
        var scene = new Scene()
                .assigned(ApMask.of(4, 5), ApMask.of(4, 0x47, 0x54))
                .bound("04.0004", "04.0047", "05.0004", "05.0047", "05.0054")
                .runningWith(4, 0x47);

        assertThat(scene.explain())
                .containsExactly(new Explanation(
                        new Subject.Domain(0x54),
                        Reason.WOULD_UNPLUG_ADAPTERS,
                        missing(Why.NO_DRIVER, "04.0054"),
                        List.of(
                                bind("04.0054"),
                                new Remedy(List.of(), ApMask.of(4), ApMask.NONE, rectangle(ApMask.of(4), ApMask.NONE)),
                                unassignDomains(ApMask.of(4, 0x47), rectangle(ApMask.of(4), ApMask.of(4, 0x47))))));
    }

    @Test
    void recomputeLeavesNoDomainWithoutAnAdapter() {
        var scene = new Scene()
                .filter(GuestFilter.RECOMPUTE)
                .assigned(ApMask.of(4, 5), ApMask.of(4, 0x47, 0x54))
                .bound("04.0004", "04.0047", "05.0054");

        assertThat(scene.explain())
                .containsExactly(
                        new Explanation(
                                new Subject.Adapter(4),
                                Reason.QUEUE_NOT_BOUND,
                                missing(Why.NO_DRIVER, "04.0054"),
                                List.of(bind("04.0054"), unassignDomains(ApMask.of(0x54), Matrix.EMPTY))),
                        new Explanation(
                                new Subject.Adapter(5),
                                Reason.QUEUE_NOT_BOUND,
                                missing(Why.NO_DRIVER, "05.0004", "05.0047"),
                                List.of(bind("05.0004", "05.0047"), unassignDomains(ApMask.of(4, 0x47), Matrix.EMPTY))),
                        noAdapterLeft(4, bind("04.0054"), unassignDomains(ApMask.of(0x54), Matrix.EMPTY)),
                        noAdapterLeft(0x47, bind("04.0054"), unassignDomains(ApMask.of(0x54), Matrix.EMPTY)),
                        noAdapterLeft(0x54, bind("04.0054"), unassignDomains(ApMask.of(4, 0x47), Matrix.EMPTY)));
    }

    @Test
    void aDomainStaysOutOfAGuestWhoseCardFlaps() {
        var scene = new Scene()
                .assigned(ApMask.of(4), ApMask.of(4, 0x47, 0x54))
                .bound("04.0047", "04.0054")
                .runningWith(4, 0x47);

        assertThat(scene.explain())
                .containsExactly(
                        new Explanation(
                                new Subject.Adapter(4),
                                Reason.QUEUE_NOT_BOUND,
                                missing(Why.NO_DRIVER, "04.0004"),
                                List.of(bind("04.0004"), unassignDomains(ApMask.of(4), Matrix.EMPTY))),
                        noAdapterLeft(0x54, bind("04.0004"), unassignDomains(ApMask.of(4), Matrix.EMPTY)));
    }

    @Test
    void unassigningDomainsIsNoRemedyWhereItPlugsAnAdapterThatLacksTheDomain() {
        // Without domain 4 both adapters are complete against the guest's domains, and 05 lacks 0054.
        var scene = new Scene()
                .assigned(ApMask.of(4, 5), ApMask.of(4, 0x47, 0x54))
                .bound("04.0047", "04.0054", "05.0047")
                .runningWith(4, 0x47);

        assertThat(scene.explain())
                .last()
                .isEqualTo(noAdapterLeft(0x54, bind("04.0004"), unassignDomains(ApMask.of(4, 0x47), Matrix.EMPTY)));
    }

    @Test
    void bindingIsNoRemedyForAQueueHeldByAForeignMdev() {
        var scene = new Scene()
                .assigned(ApMask.of(4, 5), ApMask.of(4, 0x47))
                .bound("04.0004", "04.0047", "05.0004", "05.0047")
                .foreign("05.0047")
                .runningWith(4, 0x47);

        assertThat(scene.explain())
                .containsExactly(new Explanation(
                        new Subject.Adapter(5),
                        Reason.HELD_BY_FOREIGN_MDEV,
                        missing(Why.HELD_BY_FOREIGN_MDEV, "05.0047"),
                        List.of(unassignDomains(ApMask.of(0x47), rectangle(ApMask.NONE, ApMask.of(0x47))))));
    }

    @Test
    void mixesKindsWhereNoSingleOneHelps() {
        var scene = new Scene()
                .assigned(ApMask.of(4, 5), ApMask.of(4, 0x47))
                .bound("04.0004", "04.0047")
                .foreign("05.0047")
                .runningWith(4, 0x47);

        assertThat(scene.explain())
                .singleElement()
                .extracting(Explanation::remedies)
                .isEqualTo(List.of(new Remedy(
                        List.of(Queue.parse("05.0004")),
                        ApMask.NONE,
                        ApMask.of(0x47),
                        rectangle(ApMask.NONE, ApMask.of(0x47)))));
    }

    @Test
    void mixesUnassigningOneAdapterWithBindingTheOthers() {
        var scene = new Scene()
                .assigned(ApMask.of(4, 5), ApMask.of(4, 0x54))
                .bound("04.0004", "05.0004")
                .foreign("05.0054")
                .runningWith(4);

        assertThat(scene.explain())
                .containsExactly(new Explanation(
                        new Subject.Domain(0x54),
                        Reason.HELD_BY_FOREIGN_MDEV,
                        List.of(
                                new MissingQueue(Queue.parse("04.0054"), Why.NO_DRIVER),
                                new MissingQueue(Queue.parse("05.0054"), Why.HELD_BY_FOREIGN_MDEV)),
                        List.of(new Remedy(
                                List.of(Queue.parse("04.0054")),
                                ApMask.of(5),
                                ApMask.NONE,
                                rectangle(ApMask.of(5), ApMask.NONE)))));
    }

    @Test
    void nothingHelpsAgainstForeignMdevsThatHoldEverything() {
        var scene = new Scene().assigned(ApMask.of(4), ApMask.of(4, 0x47)).foreign("04.0004", "04.0047");

        assertThat(scene.explain())
                .singleElement()
                .satisfies(entry -> assertThat(entry.remedies()).isEmpty());
    }

    @Test
    void whatTheHostDoesNotHaveHasNoRemedy() {
        var scene = new Scene().bound("04.0004");
        scene.assigned = new Matrix(ApMask.of(4, 5), ApMask.of(4, 0x47), ApMask.of(1, 2));
        scene.hostConfiguration = new Matrix(ApMask.of(4), ApMask.of(4), ApMask.of(1));

        assertThat(scene.explain())
                .containsExactly(
                        without(new Subject.Adapter(5), Reason.NOT_IN_HOST_CONFIGURATION),
                        without(new Subject.Domain(0x47), Reason.NOT_IN_HOST_CONFIGURATION),
                        without(new Subject.ControlDomain(2), Reason.NOT_IN_HOST_CONFIGURATION));
    }

    @Test
    void nothingIsKnownOfAHostThatNeverReported() {
        var scene = new Scene();
        scene.reported = false;
        scene.assigned = new Matrix(ApMask.of(4), ApMask.of(4), ApMask.of(4));

        assertThat(scene.explain())
                .containsExactly(
                        without(new Subject.Adapter(4), Reason.HOST_NEVER_REPORTED),
                        without(new Subject.Domain(4), Reason.HOST_NEVER_REPORTED),
                        without(new Subject.ControlDomain(4), Reason.HOST_NEVER_REPORTED));
    }

    @ParameterizedTest
    @EnumSource(GuestFilter.class)
    void anAdapterNeedsADomain(GuestFilter filter) {
        var scene = new Scene().filter(filter).assigned(ApMask.of(4), ApMask.NONE);

        assertThat(scene.explain()).containsExactly(without(new Subject.Adapter(4), Reason.NO_DOMAIN_LEFT));
    }

    @Test
    void saysWhatTheKernelKeepsOutAlthoughItIsComplete() {
        var scene = new Scene()
                .assigned(ApMask.of(4, 5), ApMask.of(4, 0x47))
                .bound("04.0004", "04.0047", "05.0004")
                .runningWith(4, 0x47);
        scene.kernelFiltered = ApMask.of(4, 5);

        assertThat(scene.explain())
                .first()
                .isEqualTo(new Explanation(
                        new Subject.Adapter(4),
                        Reason.KERNEL_FILTERED,
                        missing(Why.KEPT_OUT_BY_KERNEL, "04.0004", "04.0047"),
                        List.of()));
        assertThat(scene.explain())
                .as("an adapter that is not even complete is filtered for that")
                .last()
                .extracting(Explanation::reason)
                .isEqualTo(Reason.QUEUE_NOT_BOUND);
    }

    private static Explanation without(Subject subject, Reason reason) {
        return new Explanation(subject, reason, List.of(), List.of());
    }

    private static Explanation noAdapterLeft(int domain, Remedy... remedies) {
        return new Explanation(new Subject.Domain(domain), Reason.NO_ADAPTER_LEFT, List.of(), List.of(remedies));
    }

    private static List<MissingQueue> missing(Why why, String... queues) {
        return Stream.of(queues)
                .map(queue -> new MissingQueue(Queue.parse(queue), why))
                .toList();
    }

    private static Remedy bind(String... queues) {
        return new Remedy(Stream.of(queues).map(Queue::parse).toList(), ApMask.NONE, ApMask.NONE, Matrix.EMPTY);
    }

    private static Remedy unassignDomains(ApMask domains, Matrix cost) {
        return new Remedy(List.of(), ApMask.NONE, domains, cost);
    }
}
