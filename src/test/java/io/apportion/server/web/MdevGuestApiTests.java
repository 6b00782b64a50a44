package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MdevGuestApiTests extends ServedApi {

    private ReportingAgent agentThatCannotSeeGuests() {
        ReportingAgent agent = new ReportingAgent(host, queries, reports);
        agent.seesGuests = false;
        agent.report();
        return agent;
    }

    @Test
    void isToldWhereTheAgentCannotSeeIt() {
        agentThatCannotSeeGuests();
        UUID mdev = mdev("[4]", "[4]");
        String path = "/mdevs/" + mdev + "/guest";

        Map<String, Object> attached = json(put(path, "{\"name\": \"vm17\"}"));
        assertThat(attached).containsEntry("preview", false);
        assertThat(ServedApi.<List<String>>at("$.effects[*].cause", attached)).containsExactly("attach");
        assertThat(json(get(path)))
                .containsEntry("attached", true)
                .containsEntry("name", "vm17")
                .containsKey("since");
        assertThat(json(put(path, "{\"name\": \"vm17\"}"))).containsEntry("effects", List.of());
        problem(put(path, "{\"name\": \"vm18\"}"), ProblemKind.GUEST_ATTACHED);

        Map<String, Object> released = json(delete(path));
        assertThat(released).containsEntry("preview", true);
        assertThat(ServedApi.<List<String>>at("$.effects[*].cause", released)).containsExactly("release");
        assertThat(json(get(path))).isEqualTo(Map.of("attached", false));
    }

    @Test
    void aDryRunAttachesNobody() {
        agentThatCannotSeeGuests();
        UUID mdev = mdev("[4]", "[4]");

        json(put("/mdevs/" + mdev + "/guest?dryRun=true", "{\"name\": \"vm17\"}"));

        assertThat(json(get("/mdevs/" + mdev + "/guest"))).isEqualTo(Map.of("attached", false));
    }

    @Test
    void hasOneMdev() {
        agentThatCannotSeeGuests();
        UUID first = mdev("[4]", "[4]");
        UUID second = mdev("[5]", "[4]");
        json(put("/mdevs/" + first + "/guest", "{\"name\": \"vm17\"}"));

        assertThat(problem(put("/mdevs/" + second + "/guest", "{\"name\": \"vm17\"}"), ProblemKind.GUEST_HAS_MDEV))
                .containsEntry("errno", "EPERM")
                .containsEntry("mdevs", List.of(first.toString()));
    }

    @Test
    void isNotToldWhereTheAgentSeesIt() {
        agent();
        UUID mdev = mdev("[4]", "[4]");

        problem(put("/mdevs/" + mdev + "/guest", "{\"name\": \"vm17\"}"), ProblemKind.GUEST_OBSERVED);
        problem(delete("/mdevs/" + mdev + "/guest"), ProblemKind.GUEST_OBSERVED);
    }

    @Test
    void hasANameOfAtMost255Characters() {
        agentThatCannotSeeGuests();
        String path = "/mdevs/" + mdev("[4]", "[4]") + "/guest";

        // A smile is one code point and two characters.
        for (String tooLong : List.of("x".repeat(256), "\ud83d\ude42".repeat(128))) {
            problem(put(path, "{\"name\": \"" + tooLong + "\"}"), ProblemKind.MALFORMED_REQUEST);
        }
        String longest = "\ud83d\ude42".repeat(127) + "x";
        json(put(path, "{\"name\": \"" + longest + "\"}"));
        assertThat(json(get(path))).containsEntry("name", longest);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"name\": \"\"}", "{\"name\": \"a\\nb\"}", "{\"name\": 5}", "{\"nme\": \"vm17\"}"})
    void needsAName(String body) {
        problem(put("/mdevs/" + UUID.randomUUID() + "/guest", body), ProblemKind.MALFORMED_REQUEST);
    }
}
