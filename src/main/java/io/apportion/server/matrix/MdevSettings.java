package io.apportion.server.matrix;

import io.apportion.ap.Matrix;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What users set of an mdev, whole.
 *
 * @param labels null keeps what is, or none for a new mdev
 */
public record MdevSettings(String host, @Nullable Map<String, String> labels, Matrix assigned) {}
