package io.apportion.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConditionsResolverTests {

    @Test
    void readsListsOfTags() {
        assertThat(ConditionsResolver.ifMatch(null)).isNull();
        assertThat(ConditionsResolver.ifMatch("\"3-1\"")).isEqualTo(Set.of("3-1"));
        assertThat(ConditionsResolver.ifMatch(" \"3-1\" ,\t, \"a,b\"")).isEqualTo(Set.of("3-1", "a,b"));
        assertThat(ConditionsResolver.ifMatch("*")).isEqualTo(Set.of("*"));
    }

    @Test
    void aWeakTagIsNeverThePresentOne() {
        assertThat(ConditionsResolver.ifMatch("W/\"3-1\"")).isEmpty();
        assertThat(ConditionsResolver.ifMatch("W/\"3-1\", \"3-2\"")).isEqualTo(Set.of("3-2"));
    }

    @Test
    void aQuotedStarIsNoStar() {
        assertThat(ConditionsResolver.ifMatch("\"*\"")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"3-1", "\"3-1", "\"a\" \"b\"", "\"a\";\"b\"", "*, \"a\"", "w/\"a\""})
    void refusesWhatIsNoListOfTags(String header) {
        assertThatThrownBy(() -> ConditionsResolver.ifMatch(header)).isInstanceOf(ProblemException.class);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "wait=10|10",
                "Wait = 10|10",
                "wait=\"10\"|10",
                "respond-async, wait=5; x=y|5",
                "wait=5, wait=9|5",
                "wait=60|60",
                "wait=61|60",
                "wait=999999999|60",
                "wait=0|0",
                "wait=-1|0",
                "wait=ten|0",
                "wait=10s|0",
                "await=10|0",
                "wait|0",
                "return=minimal|0"
            })
    void waitsAsLongAsIsPreferredAndNeverLongerThanAMinute(String prefer, long seconds) {
        assertThat(ConditionsResolver.patience(prefer)).hasSeconds(seconds);
    }
}
