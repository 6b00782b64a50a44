package io.apportion.agent;

import io.apportion.ap.ApMask;
import io.apportion.ap.BindingMode;
import io.apportion.ap.Matrix;
import io.apportion.ap.Queue;
import io.apportion.ap.QueueDriver;
import io.apportion.ap.Reservation;
import io.apportion.wire.DesiredHost;
import io.apportion.wire.DesiredHost.DesiredDriver;
import io.apportion.wire.DesiredHost.DesiredMdev;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.Keep;
import io.apportion.wire.ObservedHost.ObjectResult;
import io.apportion.wire.ObservedHost.ObservedAdapter;
import io.apportion.wire.ObservedHost.ObservedGuest;
import io.apportion.wire.ObservedHost.ObservedMdev;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One pass over a desired state: shrink, remove, drivers and masks, create, grow. In this order no queue is ever needed
 * by two mdevs at once, and none leaves vfio_ap before it left its guest.
 *
 * <p>A write may take from a guest only what is not in its desired guest matrix. The kernel does not see to that: its
 * filter takes an adapter away whenever a written domain is not bound there, so each growing write is first judged by
 * what is bound <em>now</em>, which may be less than when the server computed it.
 *
 * <p>Whatever is judged just before a write is judged when nothing more has to be waited for: {@link #alone}.
 */
final class Pass {

    private static final Logger LOG = LoggerFactory.getLogger(Pass.class);

    /** A look that began longer ago is not judged by any more. */
    private static final Duration OLD = Duration.ofSeconds(1);

    private final HostKernel kernel;
    private final Keep keep;
    private final DesiredHost desired;
    private final Predicate<ObjectKey> concerned;

    /** See {@link AgentMemory.Remembered#own}. Changed by this pass. */
    private final Map<UUID, Integer> own;

    /** See {@link AgentMemory.Remembered#created}. */
    private final Set<UUID> created;

    private final Map<UUID, DesiredMdev> listed = new HashMap<>();
    private final Map<ObjectKey, ObjectResult> results = new HashMap<>();
    private final Set<ObjectKey> unfinished = new HashSet<>();
    private final Set<UUID> leftAlone = new HashSet<>();

    /** Mdevs whose ap_config was written in this pass: the kernel has run its filter for them. */
    private final Set<UUID> configured = new HashSet<>();

    /** What the kernel refused as ap_config since the bus was read: it would again. */
    private final Map<UUID, Map<Matrix, NotDone>> refused = new HashMap<>();

    private ObservedHost host;
    private final Map<Integer, ObservedAdapter> adapters = new HashMap<>();

    /** As the kernel has them now: what was read, then changed with each write of this pass. */
    private final Map<UUID, ObservedMdev> mdevs = new LinkedHashMap<>();

    /** When the last look at the host began, as {@link System#nanoTime}. */
    private long readAt;

    /** Something was written to the bus since it was read. */
    private boolean busChanged;

    /**
     * @param concerned the objects that this pass may make so; the others are only looked at
     * @param earlier the results of this generation so far
     */
    Pass(
            HostKernel kernel,
            Keep keep,
            DesiredHost desired,
            Predicate<ObjectKey> concerned,
            List<ObjectResult> earlier,
            Map<UUID, Integer> own,
            Set<UUID> created) {
        this.kernel = kernel;
        this.keep = keep;
        this.desired = desired;
        this.concerned = concerned;
        this.own = own;
        this.created = created;
        desired.mdevs().forEach(mdev -> listed.put(mdev.uuid(), mdev));
        earlier.forEach(result -> results.put(ObjectKey.of(result), result));
        host = read();
    }

    /** Mdevs that this pass would make. To be asked before it runs. */
    Set<UUID> missing() {
        return host.mdevs() == null
                ? Set.of()
                : concernedMdevs().stream()
                        .filter(this::isMissing)
                        .map(DesiredMdev::uuid)
                        .collect(Collectors.toSet());
    }

    private boolean isMissing(DesiredMdev mdev) {
        return !mdev.removing() && !mdevs.containsKey(mdev.uuid());
    }

    void run() {
        if (host.mdevs() != null) {
            shrink();
            remove();
        }
        changeBus();
        if (host.mdevs() != null) {
            create();
            grow();
        } else {
            // Also those that shall be gone: without a result they would count as removed.
            Stream.concat(listed.keySet().stream(), own.keySet().stream())
                    .distinct()
                    .map(ObjectKey::mdev)
                    .filter(concerned)
                    .forEach(mdev -> failed(mdev, NotDone.unreadable("the mdevs")));
        }
    }

    /** For each object made so or refused, in the order of the desired state; then what could not be removed. */
    List<ObjectResult> results() {
        List<ObjectResult> ordered = new ArrayList<>();
        Stream.of(
                        Stream.of(ObjectKey.RESERVATION),
                        desired.drivers().stream().map(ObjectKey::driver),
                        desired.mdevs().stream().map(mdev -> ObjectKey.mdev(mdev.uuid())),
                        own.keySet().stream()
                                .filter(uuid -> !listed.containsKey(uuid))
                                .sorted()
                                .map(ObjectKey::mdev))
                .flatMap(keys -> keys)
                .map(results::get)
                .filter(Objects::nonNull)
                .forEach(ordered::add);
        return ordered;
    }

    /** Objects that want another pass: refused, left alone, or waiting for a guest. */
    Set<ObjectKey> unfinished() {
        return unfinished;
    }

    // (1) Shrink.

    /**
     * Takes from mdevs what they shall no longer have. An mdev that also gets something is left for (5), where one write
     * does both, unless somebody else waits for what it gives, or (3) binds queues: of what it still has and shall not
     * keep, the kernel would plug whatever becomes complete, and (5) would take it from the guest again.
     */
    private void shrink() {
        for (DesiredMdev mdev : concernedMdevs()) {
            ObservedMdev now = mdevs.get(mdev.uuid());
            if (now == null) {
                continue;
            }
            Matrix has = now.assigned();
            Matrix wanted = wanted(mdev);
            if (has == null || has.isIn(wanted) || (mdev.removing() && isFree(mdev, now.guest()))) {
                continue;
            }
            if (wanted.isIn(has) || isAwaited(mdev, has, wanted) || bindsSomething()) {
                try {
                    alone(() -> takeAway(mdev));
                } catch (NotDone no) {
                    failed(mdev, no);
                }
            }
        }
    }

    private Matrix wanted(DesiredMdev mdev) {
        return host.features().apConfig() ? mdev.claim() : mdev.guestMatrix();
    }

    /** Whether another mdev, the masks or a driver shall get a queue that this mdev has and shall not keep. */
    private boolean isAwaited(DesiredMdev mdev, Matrix has, Matrix wanted) {
        Reservation reservation = desired.reservation();
        return desired.mdevs().stream()
                        .anyMatch(other -> !other.uuid().equals(mdev.uuid())
                                && wanted(other).sharesQueueWith(has))
                || (reservation != null && isTouched(has, reservation))
                || desired.drivers().stream()
                        .anyMatch(driver -> driver.driver() != QueueDriver.VFIO_AP
                                && hasQueue(has, driver.queue())
                                && !hasQueue(wanted, driver.queue()));
    }

    private boolean bindsSomething() {
        Reservation reservation = desired.reservation();
        return (reservation != null && !reservation.equals(host.masks()))
                || desired.drivers().stream()
                        .filter(driver -> driver.driver() == QueueDriver.VFIO_AP)
                        .map(driver -> driver.queue())
                        .anyMatch(queue -> {
                            ObservedAdapter card = adapters.get(queue.adapter());
                            return card != null && !card.bound().has(queue.domain());
                        });
    }

    /** vfio_ap's in-use test of Linux 7.2: a newly set bit of one mask, with the other mask taken as all ones. */
    private boolean isTouched(Matrix matrix, Reservation reservation) {
        Reservation masks = host.masks();
        return masks != null
                && matrix.queueCount() > 0
                && (matrix.adapters().intersects(reservation.apmask().minus(masks.apmask()))
                        || matrix.domains().intersects(reservation.aqmask().minus(masks.aqmask())));
    }

    private void takeAway(DesiredMdev mdev) throws NotDone {
        ObservedMdev now = now(mdev);
        Matrix has = Objects.requireNonNull(now.assigned());
        Matrix wanted = wanted(mdev);
        if (has.isIn(wanted)) {
            return;
        }
        Matrix rest = has.and(wanted);
        Matrix guestHas = now.guestMatrix();
        if (guestHas != null && !rest.equals(wanted)) {
            // Against fewer domains an adapter may be complete that is not against those that come in (5), and the
            // guest would see it for a moment. One that the guest has neither now nor then comes back with the claim.
            rest = new Matrix(
                    rest.adapters()
                            .and(guestHas.adapters().or(mdev.guestMatrix().adapters())),
                    rest.domains(),
                    rest.controlDomains());
        }
        try {
            write(mdev, rest, false);
        } catch (NotDone no) {
            // One reserved queue anywhere in the matrix makes the kernel refuse all of it; the guest matrix has none.
            Matrix guestRest = has.and(mdev.guestMatrix());
            if (no.isOtherGuest() || guestRest.equals(rest)) {
                throw no;
            }
            write(mdev, guestRest, false);
        }
    }

    // (2) Remove.

    private void remove() {
        for (UUID uuid : List.copyOf(own.keySet())) {
            DesiredMdev mdev = listed.get(uuid);
            ObjectKey key = ObjectKey.mdev(uuid);
            if ((mdev != null && !mdev.removing()) || !concerned.test(key) || host.mdevs() == null) {
                continue;
            }
            if (mdevs.containsKey(uuid)) {
                remove(uuid, mdev, key);
            } else if (mdev != null) {
                done(key, null);
            } else {
                own.remove(uuid);
                results.remove(key);
            }
        }
    }

    private void remove(UUID uuid, @Nullable DesiredMdev mdev, ObjectKey key) {
        ObservedGuest guest;
        try {
            guest = guestNow(uuid);
        } catch (NotDone unseen) {
            failed(key, unseen);
            return;
        }
        if (isFree(mdev, guest)) {
            try {
                change("mdev " + uuid + ": remove", () -> kernel.remove(uuid));
                mdevs.remove(uuid);
                leftAlone.remove(uuid);
                done(key, null);
                if (mdev == null) {
                    own.remove(uuid);
                    results.remove(key);
                }
            } catch (NotDone no) {
                failed(key, no);
            }
            return;
        }
        unfinished.add(key);
        if (mdev == null) {
            failed(key, NotDone.busy("in no desired state, but a guest holds it, or may: not removed"));
        } else if (leftAlone.contains(uuid) || !isMeantFor(mdev, guest)) {
            results.remove(key);
        } else if (Matrix.EMPTY.equals(Objects.requireNonNull(mdevs.get(uuid)).assigned())) {
            done(key, "empty; it is removed when its guest lets go");
            unfinished.add(key);
        }
    }

    /** Whether nobody holds it. Where guests cannot be seen, only the server knows that, from its API. */
    private boolean isFree(@Nullable DesiredMdev mdev, @Nullable ObservedGuest guest) {
        return isUnheld(guest) || (guest == null && !host.features().guests() && mdev != null && mdev.attach() == null);
    }

    // (3) Unbind, masks, bind.

    private void changeBus() {
        List<DesiredDriver> drivers = desired.drivers().stream()
                .filter(driver -> concerned.test(ObjectKey.driver(driver)))
                .toList();
        for (DesiredDriver driver : drivers) {
            if (driver.driver() == QueueDriver.NONE) {
                makeDriver(driver);
            }
        }
        Reservation reservation = desired.reservation();
        if (reservation != null && concerned.test(ObjectKey.RESERVATION)) {
            try {
                if (!reservation.equals(host.masks())) {
                    alone(() -> changeMasks(reservation));
                }
                done(ObjectKey.RESERVATION, null);
            } catch (NotDone no) {
                failed(ObjectKey.RESERVATION, no);
            }
        }
        readAgainIfChanged(); // the kernel itself rebinds queues when masks change, driverless ones too
        drivers.forEach(this::makeDriver);
        readAgainIfChanged();
    }

    private void readAgainIfChanged() {
        if (busChanged) {
            host = read();
        }
    }

    /** By relative lists, so that the state between is exactly what is reserved before and after. */
    private void changeMasks(Reservation wanted) throws NotDone {
        Reservation masks = host.masks();
        if (masks == null) {
            throw NotDone.unreadable("the masks");
        }
        if (masks.equals(wanted)) {
            return;
        }
        refuseToFreeKept(masks, wanted);
        List<UUID> touched = mdevs.values().stream()
                .filter(now -> now.assigned() != null && isTouched(now.assigned(), wanted))
                .map(ObservedMdev::uuid)
                .toList();
        for (UUID uuid : touched) {
            if (own.containsKey(uuid) && !hasOnlyWanted(uuid)) {
                throw NotDone.busy("mdev " + uuid + " still has queues that the host shall keep");
            }
        }
        changeMask("apmask", masks.apmask().minus(wanted.apmask()), false, touched);
        changeMask("aqmask", masks.aqmask().minus(wanted.aqmask()), false, touched);
        changeMask("apmask", wanted.apmask().minus(masks.apmask()), true, touched);
        changeMask("aqmask", wanted.aqmask().minus(masks.aqmask()), true, touched);
    }

    private boolean hasOnlyWanted(UUID uuid) {
        DesiredMdev mdev = listed.get(uuid);
        ObservedMdev now = mdevs.get(uuid);
        return mdev != null
                && now != null
                && now.assigned() != null
                && now.assigned().isIn(wanted(mdev));
    }

    private void refuseToFreeKept(Reservation masks, Reservation wanted) throws NotDone {
        Matrix configuration = hostConfiguration();
        Optional<Queue> freed = masks.queues()
                .minus(wanted.queues())
                .within(configuration.adapters(), configuration.domains())
                .queues()
                .filter(this::isKept)
                .findFirst();
        if (freed.isPresent()) {
            throw NotDone.kept(freed.get() + ", which these masks would free,");
        }
    }

    private boolean isKept(Queue queue) {
        return keep.adapters().has(queue.adapter()) || keep.domains().has(queue.domain());
    }

    private void changeMask(String mask, ApMask bits, boolean set, List<UUID> touched) throws NotDone {
        if (bits.isEmpty()) {
            return;
        }
        try {
            change(mask + (set ? ": set " : ": clear ") + bits, () -> {
                if (mask.equals("apmask")) {
                    kernel.changeApmask(bits, set);
                } else {
                    kernel.changeAqmask(bits, set);
                }
            });
        } catch (NotDone no) {
            if (touched.isEmpty() || !"EBUSY".equals(no.errno())) {
                throw no;
            }
            throw NotDone.busy(no.words() + " (in use by mdev "
                    + touched.stream().map(UUID::toString).collect(Collectors.joining(", ")) + ")");
        }
        busChanged = true;
    }

    private void makeDriver(DesiredDriver driver) {
        ObjectKey key = ObjectKey.driver(driver);
        try {
            if (!rebinding(driver.queue(), driver.driver()).equals(Rebinding.NOTHING)) {
                alone(() -> makeDriver(driver.queue(), driver.driver()));
            }
            done(key, null);
        } catch (NotDone no) {
            failed(key, no);
        }
    }

    /** What has to be done with a queue, in this order. */
    private record Rebinding(boolean override, boolean unbind, boolean bind) {
        static final Rebinding NOTHING = new Rebinding(false, false, false);
    }

    private Rebinding rebinding(Queue queue, QueueDriver wanted) throws NotDone {
        if (host.adapters() == null) {
            throw NotDone.unreadable("the queues");
        }
        ObservedAdapter card = adapters.get(queue.adapter());
        int domain = queue.domain();
        if (card == null || !card.devices().has(domain)) {
            throw NotDone.noDevice("the host has no queue " + queue);
        }
        boolean isVfioAp = card.bound().has(domain);
        boolean isDefault = card.defaultDriver().has(domain);
        boolean toVfioAp = wanted == QueueDriver.VFIO_AP;
        boolean unbind = (isVfioAp && !toVfioAp) || (isDefault && wanted != QueueDriver.DEFAULT);
        return new Rebinding(
                isByOverride() && card.overridden().has(domain) != toVfioAp,
                unbind,
                wanted != QueueDriver.NONE && (unbind || !(isVfioAp || isDefault)));
    }

    private boolean isByOverride() {
        return desired.bindingMode() == BindingMode.OVERRIDE;
    }

    private void makeDriver(Queue queue, QueueDriver wanted) throws NotDone {
        Rebinding rebinding = rebinding(queue, wanted);
        boolean toVfioAp = wanted == QueueDriver.VFIO_AP;
        boolean isVfioAp =
                Objects.requireNonNull(adapters.get(queue.adapter())).bound().has(queue.domain());
        if (wanted != QueueDriver.DEFAULT && !isVfioAp && isKept(queue)) {
            throw NotDone.kept("queue " + queue);
        }
        if (isVfioAp && rebinding.unbind()) {
            refuseToTakeFromGuest(queue);
        }
        if (rebinding.bind() && !isByOverride()) {
            refuseUnlessMasksPermit(queue, toVfioAp);
        }
        if (rebinding.override()) {
            change(
                    "queue " + queue + ": driver_override " + (toVfioAp ? "vfio_ap" : "cleared"),
                    () -> kernel.override(queue, toVfioAp));
            busChanged = true;
        }
        if (rebinding.unbind()) {
            change("queue " + queue + ": unbind", () -> kernel.unbind(queue));
            busChanged = true;
        }
        if (rebinding.bind()) {
            change(
                    "queue " + queue + ": bind to " + (toVfioAp ? "vfio_ap" : "the host's driver"),
                    () -> kernel.bind(queue, toVfioAp));
            busChanged = true;
        }
    }

    /** Before anything is unbound: a queue whose bind is refused afterwards would serve nobody. */
    private void refuseUnlessMasksPermit(Queue queue, boolean toVfioAp) throws NotDone {
        Reservation masks = host.masks();
        if (masks == null) {
            throw NotDone.unreadable("the masks");
        }
        if (masks.reserves(queue) == toVfioAp) {
            throw NotDone.noDevice(
                    "the host's masks give " + queue + (toVfioAp ? " to the host's own drivers" : " to vfio_ap"));
        }
    }

    /** Unbinding takes the whole adapter from the guest that has the queue, and the kernel asks nobody. */
    private void refuseToTakeFromGuest(Queue queue) throws NotDone {
        if (host.mdevs() == null) {
            throw NotDone.unreadable("the mdevs");
        }
        for (ObservedMdev now : mdevs.values()) {
            Matrix has = now.assigned();
            if (has != null && !hasQueue(has, queue)) {
                continue;
            }
            DesiredMdev mdev = listed.get(now.uuid());
            if (!own.containsKey(now.uuid())) {
                throw NotDone.busy("foreign mdev " + now.uuid() + " has " + queue);
            }
            if (mdev == null || !hasQueue(wanted(mdev), queue)) {
                throw NotDone.busy("mdev " + now.uuid() + " still has " + queue);
            }
            ObservedGuest guest = guestNow(now.uuid());
            if (!isUnheld(guest)
                    && (!isMeantFor(mdev, guest)
                            || mdev.guestMatrix().adapters().has(queue.adapter()))) {
                throw NotDone.busy("the guest of mdev " + now.uuid() + " shall have adapter "
                        + queue.toString().substring(0, 2));
            }
        }
    }

    // (4) Create.

    private void create() {
        for (DesiredMdev mdev : concernedMdevs()) {
            UUID uuid = mdev.uuid();
            if (!isMissing(mdev)) {
                continue;
            }
            try {
                change("mdev " + uuid + ": create", () -> kernel.create(uuid));
                mdevs.put(uuid, new ObservedMdev(uuid, true, Matrix.EMPTY, Matrix.EMPTY, ObservedGuest.NONE));
            } catch (NotDone no) {
                failed(mdev, no);
            }
        }
    }

    // (5) Grow.

    private void grow() {
        for (DesiredMdev mdev : concernedMdevs()) {
            if (mdev.removing() || leftAlone.contains(mdev.uuid()) || isNotThere(mdev)) {
                continue;
            }
            try {
                ObservedMdev now = mdevs.get(mdev.uuid());
                if (now != null && !isMeantFor(mdev, now.guest())) {
                    throw NotDone.otherGuest();
                }
                if (wanted(mdev).equals(now(mdev).assigned()) && !isRepair(mdev)) {
                    grow(mdev);
                } else {
                    alone(() -> grow(mdev));
                }
            } catch (NotDone no) {
                failed(mdev, no);
            }
        }
        // Last of all, when what the others gave up is free.
        desired.mdevs().stream().filter(this::mayClaim).forEach(this::claim);
    }

    /** It could not be made. */
    private boolean isNotThere(DesiredMdev mdev) {
        return !mdevs.containsKey(mdev.uuid()) && unfinished.contains(ObjectKey.mdev(mdev.uuid()));
    }

    /**
     * An mdev that this pass is not concerned with, and that has its guest matrix only since the kernel refused its claim:
     * it gets the claim once nothing that can be seen is in the way any more. If somebody has changed it since, that is
     * drift, and left as it is.
     */
    private boolean mayClaim(DesiredMdev mdev) {
        ObjectKey key = ObjectKey.mdev(mdev.uuid());
        ObservedMdev now = mdevs.get(mdev.uuid());
        return host.features().apConfig()
                && !concerned.test(key)
                && isForWantOfClaim(mdev, results.get(key))
                && now != null
                && mdev.guestMatrix().equals(now.assigned())
                && isFree(mdev.claim())
                && mdevs.values().stream()
                        .noneMatch(other -> !other.uuid().equals(mdev.uuid())
                                && other.assigned() != null
                                && other.assigned().sharesQueueWith(mdev.claim()));
    }

    /** Whether that was said of an mdev that has its guest matrix, but not its claim. */
    static boolean isForWantOfClaim(DesiredMdev mdev, @Nullable ObjectResult result) {
        return result != null
                && result.errno() == null
                && result.words() != null
                && !mdev.removing()
                && !mdev.claim().equals(mdev.guestMatrix());
    }

    /** Whether no queue of it is for the host's own drivers. What vfio_ap has though it is reserved is overridden. */
    private boolean isFree(Matrix claim) {
        Reservation masks = host.masks();
        if (masks == null) {
            return false;
        }
        ApMask reserved = claim.domains().and(masks.aqmask());
        return numbers(claim.adapters().and(masks.apmask())).stream().allMatch(adapter -> {
            ObservedAdapter card = adapters.get(adapter);
            return reserved.isIn(card == null ? ApMask.NONE : card.bound());
        });
    }

    private void claim(DesiredMdev mdev) {
        try {
            alone(() -> {
                if (mayClaim(mdev)) { // still
                    write(mdev, mdev.claim(), false);
                    done(ObjectKey.mdev(mdev.uuid()), null);
                }
            });
        } catch (NotDone no) {
            LOG.debug("{}: mdev {} goes on without its claim: {}", desired.host(), mdev.uuid(), no.words());
        }
    }

    private boolean isRepair(DesiredMdev mdev) {
        return mdev.repair() != own.getOrDefault(mdev.uuid(), 0) && !configured.contains(mdev.uuid());
    }

    private void grow(DesiredMdev mdev) throws NotDone {
        String words = writeClaimOrGuestMatrix(mdev, isRepair(mdev));
        done(ObjectKey.mdev(mdev.uuid()), words);
        own.put(mdev.uuid(), mdev.repair());
    }

    /** Returns words where not the claim but the guest matrix is in the kernel now. */
    private @Nullable String writeClaimOrGuestMatrix(DesiredMdev mdev, boolean again) throws NotDone {
        String words = mdev.claim().equals(mdev.guestMatrix()) ? null : "the kernel has no ap_config";
        if (host.features().apConfig()) {
            try {
                write(mdev, mdev.claim(), again);
                return null;
            } catch (NotDone no) {
                if (no.isOtherGuest()) {
                    throw no;
                }
                words = "the claim was refused: " + no.errno() + ", " + no.words();
            }
        }
        try {
            write(mdev, mdev.guestMatrix(), again);
            return words == null ? null : "only the guest matrix, since " + words;
        } catch (NotDone no) {
            if (no.isOtherGuest()) {
                throw no;
            }
            try {
                takeAway(mdev);
            } catch (NotDone also) {
                throw also.isOtherGuest() ? also : no;
            }
            throw no;
        }
    }

    // One mdev.

    /**
     * Makes that the kernel's matrix of the mdev. Nothing is written where it is already, unless {@code again}: then the
     * kernel shall run its filter anew.
     */
    private void write(DesiredMdev mdev, Matrix next, boolean again) throws NotDone {
        UUID uuid = mdev.uuid();
        ObservedMdev now = now(mdev);
        Matrix has = Objects.requireNonNull(now.assigned());
        if (next.equals(has) && !again) {
            return;
        }
        if (!next.isIn(has)) {
            refuseToTakeFromOthers(uuid, has, next);
        }
        if (!isUnheld(refuseOtherGuest(mdev))) {
            refuseToTakeFromGuest(mdev, now, next);
        }
        if (host.features().apConfig()) {
            configure(uuid, next);
        } else {
            writeStepByStep(mdev, now, next);
        }
    }

    private void configure(UUID uuid, Matrix next) throws NotDone {
        Map<Matrix, NotDone> already = refused.computeIfAbsent(uuid, mdev -> new HashMap<>());
        NotDone earlier = already.get(next);
        if (earlier != null) {
            throw earlier;
        }
        try {
            change(
                    "mdev %s: ap_config %s,%s,%s"
                            .formatted(uuid, next.adapters(), next.domains(), next.controlDomains()),
                    () -> kernel.configure(uuid, next));
        } catch (NotDone no) {
            already.put(next, no);
            throw no;
        }
        configured.add(uuid);
        assigned(uuid, next);
    }

    private void refuseToTakeFromOthers(UUID uuid, Matrix has, Matrix next) throws NotDone {
        Matrix byAdapter = new Matrix(next.adapters().and(keep.adapters()), next.domains(), ApMask.NONE);
        Matrix byDomain = new Matrix(next.adapters(), next.domains().and(keep.domains()), ApMask.NONE);
        for (Matrix kept : List.of(byAdapter, byDomain)) {
            if (kept.queueCount() > 0 && !kept.isIn(has)) {
                throw NotDone.kept("queue " + firstQueue(kept));
            }
        }
        for (ObservedMdev other : mdevs.values()) {
            // A foreign mdev is for the kernel to judge: its EADDRINUSE is the truth, and there is the guest matrix.
            if (own.containsKey(other.uuid())
                    && !other.uuid().equals(uuid)
                    && other.assigned() != null
                    && other.assigned().sharesQueueWith(next)) {
                throw NotDone.busy("mdev " + other.uuid() + " still has "
                        + firstQueue(other.assigned().and(next)));
            }
        }
    }

    private @Nullable ObservedGuest guestNow(UUID mdev) throws NotDone {
        try {
            return kernel.guestOf(mdev);
        } catch (KernelRefusal unseen) {
            throw NotDone.refused(unseen);
        }
    }

    private @Nullable ObservedGuest refuseOtherGuest(DesiredMdev mdev) throws NotDone {
        ObservedGuest guest = guestNow(mdev.uuid());
        if (!isMeantFor(mdev, guest)) {
            throw NotDone.otherGuest();
        }
        return guest;
    }

    /**
     * Whether the mdev was computed for whoever holds it. One that was made under this generation, as after a boot, was
     * computed for a guest that is gone with the old one: it is meant for anybody until somebody holds it.
     */
    private boolean isMeantFor(DesiredMdev mdev, @Nullable ObservedGuest guest) {
        if (guest == null) {
            return !host.features().guests();
        }
        return Objects.equals(guest.identity(), mdev.attach()) || (isUnheld(guest) && created.contains(mdev.uuid()));
    }

    /** Follows section 5 of the driver's rules: an adapter stays only if it is bound in every domain of the matrix. */
    private void refuseToTakeFromGuest(DesiredMdev mdev, ObservedMdev now, Matrix next) throws NotDone {
        Matrix has = now.guestMatrix() != null ? now.guestMatrix() : Objects.requireNonNull(now.assigned());
        Matrix stays = has.and(mdev.guestMatrix());
        if (stays.queueCount() == 0) {
            return;
        }
        if (!stays.adapters().isIn(next.adapters()) || !stays.domains().isIn(next.domains())) {
            throw NotDone.notNow("the guest would lose something of its guest matrix");
        }
        ApMask needed = next.domains().and(hostConfiguration().domains());
        for (int a = stays.adapters().next(0); a >= 0; a = stays.adapters().next(a + 1)) {
            ObservedAdapter card = adapters.get(a);
            ApMask lacking = needed.minus(card == null ? ApMask.NONE : card.bound());
            if (!lacking.isEmpty()) {
                throw NotDone.notNow("the guest would lose adapter 0x%02x, since queue %s is not bound to vfio_ap now"
                        .formatted(a, new Queue(a, lacking.next(0))));
            }
        }
    }

    private record Step(String attribute, int number, Matrix after, Write write) {}

    /**
     * First away what goes, so that there is never more than asked: adapters before domains, since where an adapter went
     * no later filter can find it complete. Then what comes: domains before adapters, since an adapter is complete or
     * not when it is assigned, while a domain assigned after it could throw it out again.
     *
     * <p>Taking away runs no filter, so where nothing comes, one number that the guest lacks goes and comes again.
     */
    private void writeStepByStep(DesiredMdev mdev, ObservedMdev now, Matrix next) throws NotDone {
        UUID uuid = mdev.uuid();
        List<Step> steps = new ArrayList<>();
        Matrix at = Objects.requireNonNull(now.assigned());
        Matrix goes = at.minus(next);
        if (next.adapters().isIn(at.adapters()) && next.domains().isIn(at.domains())) {
            goes = goes.or(leastToGuest(now, next));
        }
        for (int a : numbers(goes.adapters())) {
            at = new Matrix(at.adapters().without(a), at.domains(), at.controlDomains());
            steps.add(new Step("unassign_adapter", a, at, () -> kernel.unassignAdapter(uuid, a)));
        }
        for (int d : numbers(goes.domains())) {
            at = new Matrix(at.adapters(), at.domains().without(d), at.controlDomains());
            steps.add(new Step("unassign_domain", d, at, () -> kernel.unassignDomain(uuid, d)));
        }
        for (int d : numbers(goes.controlDomains())) {
            at = new Matrix(at.adapters(), at.domains(), at.controlDomains().without(d));
            steps.add(new Step("unassign_control_domain", d, at, () -> kernel.unassignControlDomain(uuid, d)));
        }
        Matrix comes = next.minus(at);
        for (int d : numbers(comes.domains())) {
            at = new Matrix(at.adapters(), at.domains().with(d), at.controlDomains());
            steps.add(new Step("assign_domain", d, at, () -> kernel.assignDomain(uuid, d)));
        }
        for (int a : numbers(comes.adapters())) {
            at = new Matrix(at.adapters().with(a), at.domains(), at.controlDomains());
            steps.add(new Step("assign_adapter", a, at, () -> kernel.assignAdapter(uuid, a)));
        }
        for (int d : numbers(comes.controlDomains())) {
            at = new Matrix(at.adapters(), at.domains(), at.controlDomains().with(d));
            steps.add(new Step("assign_control_domain", d, at, () -> kernel.assignControlDomain(uuid, d)));
        }
        for (Step step : steps) {
            refuseOtherGuest(mdev);
            change("mdev %s: %s 0x%02x".formatted(uuid, step.attribute(), step.number()), step.write());
            assigned(uuid, step.after());
        }
    }

    /** Costs the guest nothing, as it lacks that number. Where it lacks none, a filter could give it nothing either. */
    private static Matrix leastToGuest(ObservedMdev now, Matrix next) {
        Matrix has = now.guestMatrix();
        if (has == null) {
            return Matrix.EMPTY;
        }
        Matrix lacks = next.and(Objects.requireNonNull(now.assigned())).minus(has);
        int adapter = lacks.adapters().next(0);
        int domain = lacks.domains().next(0);
        return new Matrix(
                adapter >= 0 ? ApMask.of(adapter) : ApMask.NONE,
                adapter < 0 && domain >= 0 ? ApMask.of(domain) : ApMask.NONE,
                ApMask.NONE);
    }

    private static List<Integer> numbers(ApMask mask) {
        return mask.numbers().boxed().toList();
    }

    private void assigned(UUID uuid, Matrix matrix) {
        ObservedMdev now = Objects.requireNonNull(mdevs.get(uuid));
        mdevs.put(uuid, new ObservedMdev(uuid, now.own(), matrix, now.guestMatrix(), now.guest()));
    }

    // The host.

    private ObservedHost read() {
        readAt = System.nanoTime();
        ObservedHost read = kernel.read();
        busChanged = false;
        refused.clear();
        adapters.clear();
        if (read.adapters() != null) {
            read.adapters().forEach(card -> adapters.put(card.adapter(), card));
        }
        mdevs.clear();
        if (read.mdevs() != null) {
            read.mdevs().forEach(mdev -> mdevs.put(mdev.uuid(), mdev));
        }
        return read;
    }

    /** All numbers where it could not be read. */
    private Matrix hostConfiguration() {
        Matrix configuration = host.hostConfiguration();
        return configuration != null ? configuration : new Matrix(ApMask.ALL, ApMask.ALL, ApMask.ALL);
    }

    /** False also where it is unknown. */
    private static boolean isUnheld(@Nullable ObservedGuest guest) {
        return guest != null && guest.identity() == null;
    }

    private List<DesiredMdev> concernedMdevs() {
        return desired.mdevs().stream()
                .filter(mdev -> concerned.test(ObjectKey.mdev(mdev.uuid())))
                .toList();
    }

    private static boolean hasQueue(Matrix matrix, Queue queue) {
        return matrix.hasQueue(queue.adapter(), queue.domain());
    }

    private static Queue firstQueue(Matrix matrix) {
        return new Queue(matrix.adapters().next(0), matrix.domains().next(0));
    }

    /** With a known matrix. */
    private ObservedMdev now(DesiredMdev mdev) throws NotDone {
        ObservedMdev now = mdevs.get(mdev.uuid());
        if (now == null || now.assigned() == null) {
            throw NotDone.unreadable("its matrix");
        }
        return now;
    }

    private interface Change {
        void run() throws NotDone;
    }

    /**
     * Keeps others from the host until the change is done. Looks again first where they had the host meanwhile, and where
     * the last look is of some time ago: not everybody heeds the lock, and a queue before this one may have taken seconds.
     */
    private void alone(Change change) throws NotDone {
        try (HostKernel.Exclusion exclusion = kernel.exclude()) {
            if (exclusion.waited() || System.nanoTime() - readAt > OLD.toNanos()) {
                host = read();
            }
            change.run();
        } catch (KernelRefusal refusal) {
            throw NotDone.refused(refusal);
        }
    }

    private interface Write {
        void run() throws KernelRefusal;
    }

    private void change(String what, Write write) throws NotDone {
        try {
            write.run();
        } catch (KernelRefusal refusal) {
            LOG.debug("{}: {}: {}", desired.host(), what, refusal.errno());
            throw NotDone.refused(refusal);
        }
        LOG.debug("{}: {}", desired.host(), what); // the kernel port says at INFO what was written to which file
    }

    // Results.

    private void done(ObjectKey key, @Nullable String words) {
        unfinished.remove(key);
        results.put(key, new ObjectResult(key.kind(), key.id(), null, words));
    }

    private void failed(DesiredMdev mdev, NotDone no) {
        ObjectKey key = ObjectKey.mdev(mdev.uuid());
        if (no.isOtherGuest()) {
            leftAlone.add(mdev.uuid());
            unfinished.add(key);
            results.remove(key);
        } else {
            failed(key, no);
        }
    }

    private void failed(ObjectKey key, NotDone no) {
        unfinished.add(key);
        ObjectResult result = new ObjectResult(key.kind(), key.id(), no.errno(), no.words());
        ObjectResult before = results.put(key, result);
        if (!result.equals(before)) {
            LOG.warn("{}: {} {}: {} ({})", desired.host(), key.kind(), key.id(), no.errno(), no.words());
        }
    }
}
