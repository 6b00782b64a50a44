package io.apportion.server.web;

/** A text is not the adapter, domain, queue or mask that it should be. */
final class NumberException extends IllegalArgumentException {

    private static final int SHOWN = 40;

    private final ProblemKind kind;
    private final String value;

    /** @param value as it was sent */
    NumberException(ProblemKind kind, String value, String why) {
        super(why);
        this.kind = kind;
        this.value = value;
    }

    /** @param at the parameter's name, or the place in the body as a JSON pointer */
    ProblemView.BadNumber at(String at) {
        return new ProblemView.BadNumber(at, shown(), kind.type(), shown() + " " + getMessage());
    }

    ProblemKind kind() {
        return kind;
    }

    private String shown() {
        return value.length() <= SHOWN ? value : value.substring(0, SHOWN) + "… (" + value.length() + " characters)";
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
        // An answer, not a fault.
        return this;
    }
}
