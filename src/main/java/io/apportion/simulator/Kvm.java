package io.apportion.simulator;

import io.apportion.ap.Matrix;
import org.jspecify.annotations.Nullable;

/** A running virtual machine as vfio_ap sees it: its control block, and the one mdev that it may have. */
final class Kvm {

    final String name;

    /** False: started without a crypto control block, so that an mdev opens and gives nothing. */
    final boolean crypto;

    /** What the guest really has at this moment. */
    Matrix controlBlock = Matrix.EMPTY;

    /** The mdev that answers the guest's PQAP instructions. */
    @Nullable
    MatrixMdev hook;

    Kvm(String name, boolean crypto) {
        this.name = name;
        this.crypto = crypto;
    }
}
