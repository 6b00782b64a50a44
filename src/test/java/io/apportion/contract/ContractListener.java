package io.apportion.contract;

import java.util.ArrayList;
import java.util.List;
import org.springframework.test.context.TestContext;
import org.springframework.test.context.TestExecutionListener;

/** Fails a test class whose server broke the contract, even where the test itself does not look at that answer. */
public final class ContractListener implements TestExecutionListener {

    @Override
    public void afterTestClass(TestContext context) {
        List<String> violations = new ArrayList<>(ContractFilter.VIOLATIONS);
        ContractFilter.VIOLATIONS.clear();
        if (!violations.isEmpty()) {
            throw new AssertionError("answers that break the contract:\n"
                    + String.join("\n", violations.stream().distinct().limit(20).toList()));
        }
    }
}
