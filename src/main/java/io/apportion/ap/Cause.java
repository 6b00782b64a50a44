package io.apportion.ap;

/** Why something entered or left a guest matrix. */
public enum Cause {
    ASSIGN("assign"),
    UNASSIGN("unassign"),
    BIND("bind"),
    UNBIND("unbind"),
    HOST_CONFIGURATION("host_configuration"),
    ATTACH("attach"),
    RELEASE("release"),
    FILTER("filter"),
    ADOPT("adopt"),
    DELETE("delete");

    private final String text;

    Cause(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
