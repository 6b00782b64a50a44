package io.apportion.server.web;

import io.apportion.ap.ApMask;
import io.apportion.ap.Reservation;
import io.swagger.v3.oas.annotations.media.Schema;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The two masks of what a host keeps for its own drivers, each as a mask or as the list of its numbers. */
@Schema(example = """
    {"apmask": "0xf0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "aqmask": "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"}\
    """)
record ReservationRequest(
        @Nullable ApMask apmask,
        @Nullable ApMask aqmask,
        @Schema(description = "Instead of apmask") @Nullable List<AdapterNumber> adapters,
        @Schema(description = "Instead of aqmask") @Nullable List<DomainNumber> domains) {

    /** @throws ProblemException if one of the two is not there, or there twice and not the same */
    Reservation reservation() {
        return new Reservation(
                one("apmask", apmask, "adapters", adapters == null ? null : AdapterNumber.mask(adapters)),
                one("aqmask", aqmask, "domains", domains == null ? null : DomainNumber.mask(domains)));
    }

    private static ApMask one(String maskName, @Nullable ApMask mask, String listName, @Nullable ApMask list) {
        ApMask either = mask == null ? list : mask;
        if (either == null) {
            throw malformed("The body has neither " + maskName + " nor " + listName + ".");
        }
        if (list != null && !list.equals(either)) {
            throw malformed("In the body, " + maskName + " and " + listName + " are not the same numbers.");
        }
        return either;
    }

    private static ProblemException malformed(String detail) {
        return new ProblemException(ProblemKind.MALFORMED_REQUEST, detail);
    }
}
