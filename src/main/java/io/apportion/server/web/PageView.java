package io.apportion.server.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** @param next the cursor of the page after this one; null: this is the last */
@JsonInclude(JsonInclude.Include.NON_NULL)
record PageView<T>(
        List<T> items,

        @Schema(description = "Give it as cursor to get the next page. Absent on the last one.") @Nullable
        String next) {}
