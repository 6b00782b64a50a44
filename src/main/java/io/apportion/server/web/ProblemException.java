package io.apportion.server.web;

/** Ends a request with that problem. */
final class ProblemException extends RuntimeException {

    private final transient Problem problem;

    ProblemException(Problem problem) {
        // No stack trace: this is an answer, not a fault.
        super(problem.detail(), null, false, false);
        this.problem = problem;
    }

    ProblemException(ProblemKind kind, String detail) {
        this(new Problem(kind, detail));
    }

    Problem problem() {
        return problem;
    }
}
