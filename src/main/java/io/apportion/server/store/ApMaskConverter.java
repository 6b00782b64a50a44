package io.apportion.server.store;

import io.apportion.ap.ApMask;
import jakarta.persistence.AttributeConverter;
import jakarta.persistence.Converter;
import org.jspecify.annotations.Nullable;

/** Masks as 32 raw bytes, bit 0 first. */
@Converter(autoApply = true)
public final class ApMaskConverter implements AttributeConverter<ApMask, byte[]> {

    @Override
    public byte @Nullable [] convertToDatabaseColumn(@Nullable ApMask mask) {
        return mask == null ? null : mask.toBytes();
    }

    @Override
    public @Nullable ApMask convertToEntityAttribute(byte @Nullable [] bytes) {
        return bytes == null ? null : ApMask.ofBytes(bytes);
    }
}
