package io.apportion.server.web;

import io.apportion.server.identity.Role;
import io.apportion.server.identity.Token;
import io.apportion.server.identity.TokenService;
import io.apportion.server.matrix.Caller;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.responses.ApiResponse;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.net.URI;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

@RestController
@RequestMapping(path = "/api/v1/tokens", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Tokens")
final class TokenController {

    private final TokenService tokens;

    TokenController(TokenService tokens) {
        this.tokens = tokens;
    }

    @GetMapping
    @Operation(operationId = "listTokens", summary = "Lists tokens, without their secrets")
    PageView<TokenView> list(
            @RequestParam(defaultValue = Cursor.DEFAULT_LIMIT) @Min(1) @Max(Cursor.MAX_LIMIT) int limit,
            @RequestParam(required = false) @Nullable String cursor) {
        return Cursor.TOKENS.page(tokens.list(Cursor.TOKENS.after(cursor), limit + 1), limit, Token::id, TokenView::of);
    }

    @GetMapping("/{id}")
    @Operation(operationId = "getToken", summary = "Shows a token, without its secret")
    TokenView get(@Parameter(example = Examples.TOKEN) @PathVariable UUID id) {
        return TokenView.of(find(id));
    }

    @PostMapping(consumes = MediaType.APPLICATION_JSON_VALUE)
    @Operation(
            operationId = "createToken",
            summary = "Makes a token",
            description = "The answer shows the token itself, once: the server keeps its hash alone.")
    @ApiResponse(responseCode = "201", description = "Made", useReturnTypeSchema = true)
    @ApiResponse(responseCode = "200", description = "A dry run", useReturnTypeSchema = true)
    ResponseEntity<TokenView> create(
            @Valid @RequestBody TokenRequest request,
            @RequestParam(defaultValue = "false") boolean dryRun,
            Caller caller) {
        if ((request.role() == Role.AGENT) != (request.host() != null)) {
            throw new ProblemException(
                    ProblemKind.MALFORMED_REQUEST, "/host is for the role agent, which needs it, and for no other.");
        }
        Map<String, String> scope =
                Objects.requireNonNullElse(Labels.checked("/scope", request.scope()), Map.<String, String>of());
        if (request.role() != Role.OPERATOR && !scope.isEmpty()) {
            throw new ProblemException(ProblemKind.MALFORMED_REQUEST, "/scope is for the role operator, and no other.");
        }
        TokenService.Issued issued = tokens.issue(
                request.name(), request.role(), request.host(), scope, request.expiresAt(), caller.actor(), dryRun);
        return dryRun
                ? ResponseEntity.ok(TokenView.of(issued.token()))
                : ResponseEntity.status(HttpStatus.CREATED)
                        .location(URI.create("/api/v1/tokens/" + issued.token().id()))
                        .body(TokenView.with(issued.token(), issued.secret()));
    }

    @DeleteMapping("/{id}")
    @Operation(
            operationId = "deleteToken",
            summary = "Revokes a token",
            description = "It is good for nothing from now on; other replicas of the server may still take it for some"
                    + " seconds.")
    TokenView delete(
            @Parameter(example = Examples.TOKEN) @PathVariable UUID id,
            @RequestParam(defaultValue = "false") boolean dryRun) {
        Token token = find(id);
        if (!dryRun) {
            tokens.revoke(id);
        }
        return TokenView.of(token);
    }

    private Token find(UUID id) {
        return tokens.find(id)
                .orElseThrow(() -> new ProblemException(ProblemKind.NOT_FOUND, "There is no token " + id + "."));
    }
}
