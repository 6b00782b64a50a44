package io.apportion;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.AccessTarget;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The arrows of the house: which room may see which. A class belongs to the room with the longest matching package, so
 * that {@code server.web} is a room of its own and not a part of {@code server}.
 */
class HouseTests {

    private static final String HOUSE = "io.apportion";

    /** The rooms, from the ground up: a room may see itself and the rooms that it lists, and no other. */
    enum Room {
        AP("ap"),
        WIRE("wire", AP),
        AGENT("agent", WIRE, AP),
        SYSFS("agent.sysfs", AGENT, WIRE, AP),
        SIMULATOR("simulator", AGENT, WIRE, AP),
        STORE("server.store", AP),
        MATRIX("server.matrix", STORE, WIRE, AP),
        IDENTITY("server.identity", STORE),
        PUSH("server.push", MATRIX, WIRE, AP),
        WEB("server.web", IDENTITY, MATRIX, WIRE, AP),
        SERVER("server", WEB, PUSH, IDENTITY, MATRIX, WIRE, AP),
        DEMO("demo", SERVER, WEB, PUSH, IDENTITY, MATRIX, SIMULATOR, AGENT, WIRE, AP),
        DOOR("", DEMO, SERVER, AGENT);

        private final String packageName;
        private final List<Room> seen;

        Room(String name, Room... seen) {
            this.packageName = name.isEmpty() ? HOUSE : HOUSE + "." + name;
            this.seen = List.of(seen);
        }

        static Room of(JavaClass type) {
            return Arrays.stream(values())
                    .filter(room -> room.holds(type.getPackageName()))
                    .max(Comparator.comparingInt(room -> room.packageName.length()))
                    .orElseThrow();
        }

        boolean maySee(Room other) {
            return this == other || seen.contains(other);
        }

        private boolean holds(String name) {
            return name.equals(packageName) || name.startsWith(packageName + ".");
        }
    }

    /** The only class of {@code agent} that may see {@code agent.sysfs}: it puts the port and its adapter together. */
    private static final String JOINS_AGENT_AND_SYSFS = HOUSE + ".agent.AgentApplication";

    /** The only class of {@code wire} that may see the JSON library: the records know nothing of it. */
    private static final String JOINS_WIRE_AND_JSON = HOUSE + ".wire.WireFormat";

    /** Classes outside {@code agent.sysfs} that may write files, each with its reason. */
    private static final Set<String> MAY_WRITE_FILES = Set.of(
            // The first admin must get in, and nobody else may read how.
            HOUSE + ".server.identity.FirstAdmin",
            // The demo's machines are no host's: what of them outlives the process is beside its database.
            HOUSE + ".demo.MachineFile");

    private static final DescribedPredicate<JavaClass> SEEN_BY_WIRE = resideInAnyPackage(
            "java..", "org.jspecify..", "com.fasterxml.jackson.annotation..", HOUSE + ".ap..", HOUSE + ".wire..");

    private static final JavaClasses HOUSE_CLASSES = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages(HOUSE);

    @ParameterizedTest
    @EnumSource(Room.class)
    void roomSeesOnlyRoomsBelowIt(Room room) {
        classes()
                .that(describe("are in " + room.packageName, type -> Room.of(type) == room))
                .and(describe("are not " + JOINS_AGENT_AND_SYSFS, type -> !joinsAgentAndSysfs(type)))
                .should()
                .onlyDependOnClassesThat(resideOutsideOfPackage(HOUSE + "..")
                        .or(describe("are in one of " + room.seen, type -> room.maySee(Room.of(type)))))
                .allowEmptyShould(true)
                .check(HOUSE_CLASSES);
    }

    @Test
    void agentApplicationSeesOnlyTheAgentsSide() {
        var allowed = EnumSet.of(Room.AGENT, Room.SYSFS, Room.WIRE, Room.AP);
        classes()
                .that(describe("are " + JOINS_AGENT_AND_SYSFS, HouseTests::joinsAgentAndSysfs))
                .should()
                .onlyDependOnClassesThat(resideOutsideOfPackage(HOUSE + "..")
                        .or(describe("are in one of " + allowed, type -> allowed.contains(Room.of(type)))))
                .allowEmptyShould(true)
                .check(HOUSE_CLASSES);
    }

    @Test
    void onlyTheDoorIsInTheTopPackage() {
        classes()
                .that(describe("are in no inner room", type -> Room.of(type) == Room.DOOR))
                .should()
                .haveFullyQualifiedName(Apportion.class.getName())
                .orShould()
                .haveSimpleName("package-info")
                .check(HOUSE_CLASSES);
    }

    @Test
    void apIsPure() {
        classes()
                .that()
                .resideInAPackage(HOUSE + ".ap..")
                .should()
                .onlyDependOnClassesThat(resideInAnyPackage("java..", "org.jspecify..", HOUSE + ".ap.."))
                .allowEmptyShould(true)
                .check(HOUSE_CLASSES);
    }

    @Test
    void wireIsJsonShapeOnly() {
        classes()
                .that()
                .resideInAPackage(HOUSE + ".wire..")
                .and(describe("are not " + JOINS_WIRE_AND_JSON, type -> !joinsWireAndJson(type)))
                .should()
                .onlyDependOnClassesThat(SEEN_BY_WIRE)
                .allowEmptyShould(true)
                .check(HOUSE_CLASSES);
        classes()
                .that(describe("are " + JOINS_WIRE_AND_JSON, HouseTests::joinsWireAndJson))
                .should()
                .onlyDependOnClassesThat(SEEN_BY_WIRE.or(resideInAPackage("tools.jackson..")))
                .allowEmptyShould(true)
                .check(HOUSE_CLASSES);
    }

    @Test
    void filesAreWrittenBySysfsAlone() {
        noClasses()
                .that(resideOutsideOfPackage(Room.SYSFS.packageName + "..")
                        .and(describe("may not write files", type -> !MAY_WRITE_FILES.contains(outermost(type)))))
                .should()
                .accessTargetWhere(writesFiles())
                .allowEmptyShould(true)
                .check(HOUSE_CLASSES);
    }

    @Test
    void nativeCodeIsCalledBySysfsAlone() {
        noClasses()
                .that(resideOutsideOfPackage(Room.SYSFS.packageName + ".."))
                .should()
                .dependOnClassesThat(resideInAPackage("java.lang.foreign.."))
                .check(HOUSE_CLASSES);
    }

    @Test
    void namesSayWhatAClassIs() {
        noClasses()
                .should()
                .haveNameMatching(".*(Impl|Manager|Helper|Utils?)(\\$.*)?")
                .because("such a name says nothing of what the class is")
                .check(HOUSE_CLASSES);
    }

    private static boolean joinsAgentAndSysfs(JavaClass type) {
        return outermost(type).equals(JOINS_AGENT_AND_SYSFS);
    }

    private static boolean joinsWireAndJson(JavaClass type) {
        return outermost(type).equals(JOINS_WIRE_AND_JSON);
    }

    private static String outermost(JavaClass type) {
        return type.getEnclosingClass().map(HouseTests::outermost).orElse(type.getFullName());
    }

    private static DescribedPredicate<JavaAccess<?>> writesFiles() {
        return describe("writes files", access -> writesFiles(access.getTarget()));
    }

    private static boolean writesFiles(AccessTarget target) {
        var name = target.getName();
        return switch (target.getOwner().getFullName()) {
            case "java.nio.file.Files" ->
                Pattern.matches(
                        "(write|create|delete|set).*|copy|move|newOutputStream|newBufferedWriter|newByteChannel", name);
            case "java.io.File" -> Pattern.matches("(create|delete|mkdir|renameTo|set).*", name);
            case "java.nio.channels.FileChannel", "java.nio.channels.AsynchronousFileChannel" -> name.equals("open");
            case "java.io.FileOutputStream", "java.io.FileWriter", "java.io.RandomAccessFile" -> true;
            default -> false;
        };
    }
}
