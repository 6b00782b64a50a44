package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.swagger.v3.oas.annotations.Hidden;
import java.net.URI;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

/** Where a problem's type leads to: what it means and what to do. */
@Hidden
@RestController
final class ProblemController {

    /** @param errno the kernel's word, where it has one */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record KindView(
            URI type, String title, int status, @Nullable String errno, String remedy) {

        static KindView of(ProblemKind kind) {
            return new KindView(kind.type(), kind.title(), kind.status(), kind.errno(), kind.remedy());
        }
    }

    record KindsView(List<KindView> items) {}

    @GetMapping("/problems")
    KindsView kinds() {
        return new KindsView(
                Arrays.stream(ProblemKind.values()).map(KindView::of).toList());
    }

    @GetMapping("/problems/{slug}")
    KindView kind(@PathVariable String slug) {
        return ProblemKind.of(slug)
                .map(KindView::of)
                .orElseThrow(() -> new ProblemException(ProblemKind.NOT_FOUND, "There is no problem " + slug + "."));
    }
}
