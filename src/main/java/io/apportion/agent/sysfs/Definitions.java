package io.apportion.agent.sysfs;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.ObservedDefinition;
import io.apportion.wire.WireFormat;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * The folder in which mdevctl keeps its definitions, one file for each mdev. Only read, and a file only when it is another
 * than at the last look.
 *
 * <p>Not for two threads at once.
 */
final class Definitions {

    private static final String TYPE = "vfio_ap-passthrough";

    /** In bytes: much more than all numbers of an mdev need. */
    private static final int LONGEST = 1 << 18;

    /** What of a file is another when its content is. By its status change too: whoever turns clocks back does not set that. */
    private static final String STATUS = "unix:ino,size,mode,lastModifiedTime,ctime,isDirectory,isRegularFile";

    private static final String STATUS_CHANGE = "ctime";

    /** The kernel's clock of files goes in steps: what was changed just now may change once more and look the same. */
    private static final Duration STEP = Duration.ofSeconds(1);

    /** {@code kstrtoul} with base 0: hex, octal, decimal. */
    private static final Pattern NUMBER = Pattern.compile("\\+?(?:0[xX](\\p{XDigit}+)|(0[0-7]*)|([1-9][0-9]*))\n?");

    /** A mask in {@code ap_config}: left-aligned. */
    private static final Pattern MASK = Pattern.compile("(?:0?x)?(\\p{XDigit}{0,64})");

    /** What of {@code ap_config} the kernel looks at. */
    private static final int CONFIGURATION_LENGTH = 201;

    private static final Pattern BETWEEN_MASKS = Pattern.compile("[,\n]");

    private final Path folder;
    private Map<String, Known> known = Map.of();

    /** @param status of the file as it was read */
    private record Known(Map<String, Object> status, ObservedDefinition definition) {}

    /** Why a definition is not understood, in words. */
    private static final class NotUnderstood extends Exception {
        NotUnderstood(String words) {
            super(words, null, false, false);
        }
    }

    Definitions(Path folder) {
        this.folder = folder;
    }

    /**
     * By name. Where there is no folder, there are none.
     *
     * @throws IOException where the folder cannot be read, or has more of them than can be told
     */
    List<ObservedDefinition> read() throws IOException {
        List<String> names = HostFiles.names(folder);
        if (names == null) {
            known = Map.of();
            return List.of();
        }
        Map<String, Known> now = new HashMap<>();
        List<ObservedDefinition> definitions = new ArrayList<>();
        for (String name : names.stream().sorted().toList()) {
            ObservedDefinition definition = definition(name, now);
            if (definition != null) {
                definitions.add(definition);
            }
        }
        known = now;
        if (definitions.size() > ObservedHost.MOST_DEFINITIONS) {
            throw new IOException(folder + " has more than " + ObservedHost.MOST_DEFINITIONS + " definitions");
        }
        return definitions;
    }

    /** Null: it is a folder, or gone. */
    private @Nullable ObservedDefinition definition(String name, Map<String, Known> now) {
        try {
            Path file = folder.resolve(name);
            Map<String, Object> status = Files.readAttributes(file, STATUS);
            if (Boolean.TRUE.equals(status.get("isDirectory"))) {
                return null;
            }
            Known before = known.get(name);
            ObservedDefinition definition = before != null && before.status().equals(status)
                    ? before.definition()
                    : understood(name, file, status);
            Instant changed = ((FileTime) Objects.requireNonNull(status.get(STATUS_CHANGE))).toInstant();
            if (changed.isBefore(Instant.now().minus(STEP))) {
                now.put(name, new Known(status, definition));
            }
            return definition;
        } catch (NoSuchFileException gone) {
            return null;
        } catch (InvalidPathException otherLetters) {
            return notUnderstood(name, "its name has letters that this process has no way to write");
        } catch (IOException unreadable) {
            return notUnderstood(name, "it cannot be read: " + reason(unreadable));
        }
    }

    private static String reason(IOException failure) {
        return failure instanceof AccessDeniedException ? "permission denied" : String.valueOf(failure.getMessage());
    }

    private static ObservedDefinition notUnderstood(String name, String words) {
        return new ObservedDefinition(name, false, null, words);
    }

    /** As far as it can be understood: when mdevctl starts it can be known although what it then assigns is not. */
    private static ObservedDefinition understood(String name, Path file, Map<String, Object> status)
            throws IOException {
        if (!Boolean.TRUE.equals(status.get("isRegularFile"))) {
            return notUnderstood(name, "it is no regular file");
        }
        byte[] text;
        try (InputStream content = Files.newInputStream(file)) {
            text = content.readNBytes(LONGEST + 1);
        }
        if (text.length > LONGEST) {
            return notUnderstood(name, "it is longer than " + LONGEST + " bytes");
        }
        JsonNode json;
        try {
            json = WireFormat.MAPPER.readTree(text);
        } catch (JacksonException malformed) {
            return notUnderstood(name, "it is no JSON: " + malformed.getOriginalMessage());
        }
        String type = json.path("mdev_type").asStringOpt().orElse("");
        if (!type.equals(TYPE)) {
            return notUnderstood(name, type.isEmpty() ? "it has no mdev_type" : "it is of another type: " + type);
        }
        if (json.path("start").isMissingNode() || json.path("start").isNull()) {
            return notUnderstood(name, "it does not say when to start");
        }
        boolean auto = "auto".equals(json.path("start").asStringOpt().orElse(""));
        try {
            Matrix assigned = Matrix.EMPTY;
            for (JsonNode attribute : json.path("attrs")) {
                assigned = after(assigned, attribute);
            }
            ObservedDefinition definition = new ObservedDefinition(name, auto, assigned, null);
            return definition.uuid() != null
                    ? definition
                    : notUnderstood(name, "its name is no UUID: mdevctl passes over it");
        } catch (NotUnderstood no) {
            return new ObservedDefinition(name, auto, null, no.getMessage());
        }
    }

    // What the kernel makes of the attributes, which mdevctl writes as they stand, one after the other.

    private static Matrix after(Matrix before, JsonNode attribute) throws NotUnderstood {
        if (!attribute.isObject() || attribute.size() != 1) {
            throw new NotUnderstood("an attribute is not one name with one value: " + attribute);
        }
        String name = attribute.propertyNames().iterator().next();
        if (!attribute.path(name).isString()) {
            throw new NotUnderstood("the value of " + name + " is no text: " + attribute.path(name));
        }
        String value = attribute.path(name).stringValue();
        ApMask adapters = before.adapters();
        ApMask domains = before.domains();
        ApMask controlDomains = before.controlDomains();
        return switch (name) {
            case "assign_adapter" -> new Matrix(adapters.with(number(name, value)), domains, controlDomains);
            case "unassign_adapter" -> new Matrix(adapters.without(number(name, value)), domains, controlDomains);
            case "assign_domain" -> new Matrix(adapters, domains.with(number(name, value)), controlDomains);
            case "unassign_domain" -> new Matrix(adapters, domains.without(number(name, value)), controlDomains);
            case "assign_control_domain" -> new Matrix(adapters, domains, controlDomains.with(number(name, value)));
            case "unassign_control_domain" ->
                new Matrix(adapters, domains, controlDomains.without(number(name, value)));
            case "ap_config" -> configuration(value);
            default -> throw new NotUnderstood("no mdev of this type has an attribute " + name);
        };
    }

    private static int number(String attribute, String text) throws NotUnderstood {
        Matcher digits = NUMBER.matcher(text);
        if (!digits.matches()) {
            throw new NotUnderstood(attribute + " is no number that the kernel takes: " + text);
        }
        BigInteger number = digits.group(1) != null
                ? new BigInteger(digits.group(1), 16)
                : digits.group(2) != null ? new BigInteger(digits.group(2), 8) : new BigInteger(digits.group(3));
        if (number.bitLength() > 8) {
            throw new NotUnderstood(attribute + " is above 255: " + text);
        }
        return number.intValue();
    }

    private static Matrix configuration(String text) throws NotUnderstood {
        String[] masks = BETWEEN_MASKS.split(text.substring(0, Math.min(text.length(), CONFIGURATION_LENGTH)), -1);
        if (masks.length < 3) {
            throw new NotUnderstood("ap_config has not three masks: " + text);
        }
        return new Matrix(mask(masks[0]), mask(masks[1]), mask(masks[2]));
    }

    private static ApMask mask(String text) throws NotUnderstood {
        Matcher digits = MASK.matcher(text);
        if (!digits.matches()) {
            throw new NotUnderstood("ap_config has a mask that the kernel does not take: " + text);
        }
        String given = digits.group(1);
        return ApMask.parse("0x" + given + "0".repeat(64 - given.length()));
    }
}
