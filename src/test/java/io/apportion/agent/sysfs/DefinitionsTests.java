package io.apportion.agent.sysfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.apportion.ap.ApMask;
import io.apportion.ap.Matrix;
import io.apportion.wire.ObservedHost;
import io.apportion.wire.ObservedHost.ObservedDefinition;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DefinitionsTests {

    private static final String A = new UUID(1, 0xa).toString();
    private static final String B = new UUID(1, 0xb).toString();

    @TempDir
    private Path folder;

    private Path write(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    private static String definition(String start, String attributes) {
        return "{\"mdev_type\": \"vfio_ap-passthrough\", \"start\": \"%s\", \"attrs\": [%s]}"
                .formatted(start, attributes);
    }

    private List<ObservedDefinition> read() throws IOException {
        return new Definitions(folder).read();
    }

    private ObservedDefinition only() throws IOException {
        assertThat(read()).hasSize(1);
        return read().getFirst();
    }

    private static Matrix matrix(ApMask adapters, ApMask domains, ApMask controlDomains) {
        return new Matrix(adapters, domains, controlDomains);
    }

    @Test
    void readsWhatMdevctlWouldMake() throws IOException {
        write(A, definition("auto", """
            {"assign_adapter": "5"}, {"assign_adapter": "0x06"}, {"assign_domain": "0xab"},
            {"assign_domain": "010"}, {"assign_domain": "+4\\n"}, {"assign_control_domain": "0"},
            {"assign_domain": "255"}, {"unassign_domain": "0XFF"}
            """));
        write(B, definition("manual", ""));
        assertThat(read())
                .containsExactly(
                        new ObservedDefinition(
                                A, true, matrix(ApMask.of(5, 6), ApMask.of(4, 8, 0xab), ApMask.of(0)), null),
                        new ObservedDefinition(B, false, Matrix.EMPTY, null));
        assertThat(read().getFirst().uuid()).isEqualTo(UUID.fromString(A));
    }

    @Test
    void takesAWholeMatrixAsTheKernelDoesInPlaceOfWhatWasBefore() throws IOException {
        String masks = "0x04,x8," + ApMask.of(1, 255).toString().substring(2);
        write(A, definition("auto", "{\"assign_adapter\": \"9\"}, {\"ap_config\": \"%s\"}".formatted(masks)));
        assertThat(only().assigned()).isEqualTo(matrix(ApMask.of(5), ApMask.of(0), ApMask.of(1, 255)));

        write(
                A,
                definition("auto", "{\"assign_adapter\": \"9\"}, {\"ap_config\": \",,\"}, {\"assign_domain\": \"1\"}"));
        assertThat(only().assigned()).isEqualTo(matrix(ApMask.NONE, ApMask.of(1), ApMask.NONE));
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            delimiter = '|',
            value = {
                "{\"assign_adapter\": \"08\"} | assign_adapter is no number that the kernel takes: 08",
                "{\"assign_adapter\": \"0x\"} | assign_adapter is no number that the kernel takes: 0x",
                "{\"assign_adapter\": \" 5\"} | assign_adapter is no number that the kernel takes:  5",
                "{\"assign_adapter\": \"-5\"} | assign_adapter is no number that the kernel takes: -5",
                "{\"assign_domain\": \"256\"} | assign_domain is above 255: 256",
                "{\"assign_domain\": \"0x10000000000000004\"} | assign_domain is above 255: 0x10000000000000004",
                "{\"assign_domain\": 5} | the value of assign_domain is no text: 5",
                "{\"assign_domain\": \"1\", \"assign_adapter\": \"1\"} | an attribute is not one name with one value",
                "\"assign_domain\" | an attribute is not one name with one value",
                "{\"../../remove\": \"1\"} | no mdev of this type has an attribute ../../remove",
                "{\"ap_config\": \"0x8,0x8\"} | ap_config has not three masks: 0x8,0x8",
                "{\"ap_config\": \"0x8,+8,0x8\"} | ap_config has a mask that the kernel does not take: +8",
                "{\"ap_config\": \"0X8,8,8\"} | ap_config has a mask that the kernel does not take: 0X8"
            })
    void tellsWhyAnAttributeIsNotUnderstoodAndStillWhenItStarts(String attribute, String words) throws IOException {
        write(A, definition("auto", attribute));
        ObservedDefinition definition = only();
        assertThat(definition.assigned()).isNull();
        assertThat(definition.auto()).isTrue();
        assertThat(definition.words()).startsWith(words);
    }

    @Test
    void tellsWhyAFileIsNotUnderstoodBesideThoseThatAre() throws IOException {
        write("1", "");
        write("2", "{");
        write("3", "[]");
        write("4", "{\"mdev_type\": \"vfio_ccw-io\", \"start\": \"auto\"}");
        write("5", "{\"mdev_type\": \"vfio_ap-passthrough\"}");
        write("6", definition("auto", ""));
        write("7", " ".repeat(300_000));
        write("8", "[".repeat(10_000));
        Files.createSymbolicLink(folder.resolve("9"), folder.resolve("9"));
        Files.createSymbolicLink(folder.resolve("9a"), Path.of("/dev/zero"));
        Files.createSymbolicLink(folder.resolve("9b"), Path.of("/proc/self/mem"));
        Files.createSymbolicLink(folder.resolve("9c"), Path.of("/nowhere"));
        Files.createDirectory(folder.resolve("9d"));
        write(A, definition("manual", "{\"assign_domain\": \"1\"}"));
        List<ObservedDefinition> read = read();
        assertThat(read)
                .extracting(ObservedDefinition::name)
                .containsExactly(A, "1", "2", "3", "4", "5", "6", "7", "8", "9", "9a", "9b");
        assertThat(read.getFirst().words()).isNull();
        assertThat(read.subList(1, read.size())).allSatisfy(definition -> {
            assertThat(definition.assigned()).isNull();
            assertThat(definition.words()).isNotBlank();
        });
        assertThat(read.get(4).words()).isEqualTo("it is of another type: vfio_ccw-io");
        assertThat(read.get(6).words()).isEqualTo("its name is no UUID: mdevctl passes over it");
        assertThat(read.get(7).words()).isEqualTo("it is longer than 262144 bytes");
        assertThat(read.get(10).words()).isEqualTo("it is no regular file");
    }

    @Test
    void thereAreNoneWithoutAFolder() throws IOException {
        assertThat(new Definitions(folder.resolve("nowhere")).read()).isEmpty();
    }

    @Test
    void areUnknownWhereTheFolderCannotBeReadOrHasTooMany() throws IOException {
        Path loop = folder.resolve("loop");
        Files.createSymbolicLink(loop, loop);
        assertThatThrownBy(() -> new Definitions(loop).read()).isInstanceOf(IOException.class);

        Path many = Files.createDirectory(folder.resolve("many"));
        for (int i = 0; i < ObservedHost.MOST_DEFINITIONS; i++) {
            Files.writeString(many.resolve(new UUID(0, i).toString()), "");
        }
        Definitions definitions = new Definitions(many);
        assertThat(definitions.read()).hasSize(ObservedHost.MOST_DEFINITIONS);
        Path last = Files.writeString(many.resolve(A), "");
        assertThatThrownBy(definitions::read).hasMessageContaining("more than");
        Files.delete(last);
        assertThat(definitions.read()).hasSize(ObservedHost.MOST_DEFINITIONS);
    }

    @Test
    void readsAFileOnlyWhenItChanged() throws Exception {
        Path file = write(A, definition("auto", "{\"assign_domain\": \"1\"}"));
        Definitions definitions = new Definitions(folder);
        List<ObservedDefinition> first = definitions.read();

        // Of the same size and time as before, at once after it.
        FileTime modified = Files.getLastModifiedTime(file);
        write(A, definition("auto", "{\"assign_domain\": \"2\"}"));
        Files.setLastModifiedTime(file, modified);
        List<ObservedDefinition> second = definitions.read();
        assertThat(second.getFirst().assigned()).isEqualTo(matrix(ApMask.NONE, ApMask.of(2), ApMask.NONE));
        assertThat(first).isNotEqualTo(second);

        Instant changed = ((FileTime) Files.getAttribute(file, "unix:ctime")).toInstant();
        await().until(() -> Instant.now().isAfter(changed.plusMillis(1100)));
        ObservedDefinition kept = definitions.read().getFirst();
        assertThat(definitions.read().getFirst()).isSameAs(kept);

        // Another file in its place, as mdevctl makes one.
        Path other = write("other", definition("auto", "{\"assign_domain\": \"3\"}"));
        Files.move(other, file, StandardCopyOption.REPLACE_EXISTING);
        assertThat(definitions.read().getFirst().assigned()).isEqualTo(matrix(ApMask.NONE, ApMask.of(3), ApMask.NONE));

        Files.delete(file);
        assertThat(definitions.read()).isEmpty();
    }
}
