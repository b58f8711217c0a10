"""lenet, the short way: `fine_tune` does it all, with a quarter of the products kept.

python examples/lenet.py
python examples/lenet.py --kept 0.35 --epochs 20 --data cifar10.npz
"""

from __future__ import annotations

import sys

from cifar10 import INPUT_RANGE, AugmentedBatches
from common import LOSS, finish, float_network, parse

import keras_approx


def main(arguments: list[str] | None = None) -> int:
    options = parse("lenet", __doc__, arguments, kept=0.25, epochs=10)
    data = options.images

    network = float_network("lenet", options)

    # Wraps, calibrates, then skips ever more products while the network learns from its labels and from what it
    # said before.
    model, _ = keras_approx.fine_tune(
        network,
        AugmentedBatches(data.train, seed=options.seed),
        kept=options.kept,
        epochs=options.epochs,
        loss=LOSS,
        input_range=INPUT_RANGE,
        validation_data=(data.validation.inputs, data.validation.labels),
        verbose=options.verbose,
    )
    keras_approx.summary(model)

    finish(model, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
